/** From an abort signal to the end of a guest that only computes: the library promises 50 ms. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Engine } from "../../runtime/engine/index.ts";
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase } from "./bench-case.ts";

export default async function abort({ directory, defer }: Bench): Promise<BenchCase[]> {
  const engine = new Engine({ root: await mkdtemp(join(directory, "abort-")) });
  defer(() => engine[Symbol.asyncDispose]());
  const spin = await guest("spin");

  const abortGuest = async () => {
    const controller = new AbortController();
    const container = await engine.launch(spin, { signal: controller.signal });
    const start = performance.now();
    controller.abort();
    await container.wait().catch(() => {});
    return performance.now() - start;
  };
  const endWorker = async () => {
    const worker = new Worker('require("node:worker_threads").parentPort.postMessage(0); for (;;);', {
      eval: true,
    });
    await new Promise((resolve) => worker.once("message", resolve));
    const start = performance.now();
    await worker.terminate();
    return performance.now() - start;
  };
  return [
    {
      name: "spinning",
      unit: "ms",
      subject: { name: "abort of a spinning guest", measure: abortGuest },
      baseline: { name: "terminate() of a spinning worker", measure: endWorker },
      valueMax: 50,
      rounds: 25,
    },
  ];
}
