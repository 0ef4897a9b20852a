/** A second program comes: the files of the first move to the kernel. What that takes of the time of the first `exec`. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "../../runtime/engine/index.ts";
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase } from "./bench-case.ts";

const COUNTS = [0, 1000, 10_000];

export default async function handOver({ directory, defer }: Bench): Promise<BenchCase[]> {
  const engine = new Engine({ root: await mkdtemp(join(directory, "root-")), placement: "worker" });
  defer(() => engine[Symbol.asyncDispose]());
  await engine.images.import(await guest("manyfiles"), "manyfiles");

  /** The first `exec` moves the files, the second doesn't. */
  const move = async (count: number): Promise<number> => {
    const ready = Promise.withResolvers<void>();
    const container = await engine.launch("manyfiles", {
      args: [`${count}`],
      stdin: new ReadableStream(),
      stdout: () => ready.resolve(),
      keepFiles: false,
    });
    await ready.promise;
    const program = container.inspect().path;
    // Each of the two finds a worker that is there already.
    await engine.run("manyfiles", { args: ["check", "0"] });
    const timed = async () => {
      const start = performance.now();
      const { exitCode } = await container.exec([program, "check", "0"]);
      if (exitCode !== 0) throw new Error(`exec ended with ${exitCode}`);
      return performance.now() - start;
    };
    const first = await timed();
    const second = await timed();
    const { exitCode } = await container.exec([program, "check", `${count}`]);
    if (exitCode !== 0) throw new Error("files were lost");
    await container.kill("SIGKILL");
    await container.wait();
    return Math.max(first - second, 0);
  };
  return COUNTS.map((count) => ({
    name: `${count} files`,
    unit: "ms",
    subject: { name: "first exec, less the second", measure: () => move(count) },
    ...(count === 10_000 ? { valueMax: 150 } : {}),
    rounds: 7,
  }));
}
