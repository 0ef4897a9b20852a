/** From the shell's prompt to the end of a container that says hello: DESIGN's "shortest start". */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeImage } from "../../samples/make-image.ts";
import { sampleDirectory } from "../../samples/sample.ts";
import { mustRun } from "../fixtures/child.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { timeProcess } from "./process-time.ts";

const WPOD = fileURLToPath(new URL("../../dist/bin/wpod.js", import.meta.url));

/** The least that any such runtime does: one worker that gets the same module, compiled, and instantiates it. */
const ONE_WORKER = `
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");
if (isMainThread) {
  const worker = new Worker(__filename, { stdout: true, stderr: true, env: {}, execArgv: [] });
  worker.postMessage(new WebAssembly.Module(require("node:fs").readFileSync(process.argv[2])));
} else {
  parentPort.once("message", (module) => {
    const names = WebAssembly.Module.imports(module).map(({ name }) => [name, () => 0]);
    new WebAssembly.Instance(module, { wasi_snapshot_preview1: Object.fromEntries(names) });
  });
}
`;

const CPU_RUNS = 5;

export default async function start({ directory }: Bench): Promise<BenchCase[]> {
  const root = join(directory, "root");
  const image = join(directory, "hello");
  await makeImage("hello", image);
  await mustRun(process.execPath, [WPOD, "load", "-i", image], { env: { WPOD_ROOT: root } });
  const script = join(directory, "one-worker.cjs");
  await writeFile(script, ONE_WORKER);

  const node = (name: string, args: string[]) => ({
    name,
    measure: async () => (await timeProcess(process.execPath, args, { env: { WPOD_ROOT: root } })).wallMs,
  });
  /** CPU time of a run, which a busy machine doesn't stretch: of several, because the system counts it in steps of 10 ms. */
  const cpu = (name: string, args: string[]) => ({
    name,
    measure: async () => {
      let sumMs = 0;
      for (let run = 0; run < CPU_RUNS; run++) {
        sumMs +=
          (await timeProcess(process.execPath, args, { env: { WPOD_ROOT: root } })).cpuMs ?? Number.NaN;
      }
      return sumMs / CPU_RUNS;
    },
  });
  const hello = node("wpod run hello", [WPOD, "run", "--rm", "hello"]);
  const module = join(sampleDirectory("hello"), "hello.wasm");
  const cpuCase: BenchCase = {
    name: "cpu",
    unit: "ms",
    subject: cpu("wpod run hello", [WPOD, "run", "--rm", "hello"]),
    baseline: cpu("node -e 0", ["-e", "0"]),
    rounds: 7,
  };
  return [
    {
      name: "hello",
      unit: "ms",
      subject: hello,
      baseline: node("node -e 0", ["-e", "0"]),
      ratioMax: 2.2,
      rounds: 25,
    },
    {
      name: "worker",
      unit: "ms",
      subject: hello,
      baseline: node("one worker", [script, module]),
      ratioMax: 1.3,
      rounds: 25,
    },
    {
      name: "version",
      unit: "ms",
      subject: node("wpod --version", [WPOD, "--version"]),
      baseline: node("node -e 0", ["-e", "0"]),
    },
    ...(process.platform === "linux" ? [cpuCase] : []),
  ];
}
