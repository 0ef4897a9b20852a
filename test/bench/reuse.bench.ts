/** One run after the other in one process: what it is worth that the thread of the last program takes the next one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine as EngineType } from "../../runtime/engine/index.ts";
import { sampleDirectory } from "../../samples/sample.ts";
import type { Bench, BenchCase } from "./bench-case.ts";

const RUNS = 20;
const DIST = new URL("../../dist/engine.mjs", import.meta.url);

export default async function reuse({ directory, defer }: Bench): Promise<BenchCase[]> {
  const { Engine } = (await import(DIST.href)) as { Engine: typeof EngineType };
  const engine = new Engine({ root: join(directory, "root") });
  defer(() => engine[Symbol.asyncDispose]());
  const wasm = readFileSync(join(sampleDirectory("hello"), "hello.wasm"));
  const idle = () =>
    ((globalThis as Record<symbol, unknown>)[Symbol.for("wpod.idleWorkers")] ?? []) as {
      drop(): Promise<number>;
    }[];
  /** Of one run, on average. */
  const runs = (name: string, after: () => Promise<unknown>) => ({
    name,
    measure: async () => {
      let sumMs = 0;
      for (let run = 0; run < RUNS; run++) {
        const startedMs = performance.now();
        await engine.run({ wasm, name: "hello.wasm" });
        sumMs += performance.now() - startedMs;
        await after();
      }
      return sumMs / RUNS;
    },
  });
  return [
    {
      name: "hello",
      unit: "ms",
      subject: runs("in a thread that ran another", async () => {}),
      baseline: runs("in a new thread", () =>
        Promise.all(
          idle()
            .splice(0)
            .map((kept) => kept.drop()),
        ),
      ),
      ratioMax: 0.6,
    },
  ];
}
