/**
 * Calls on files, one by one: through the kernel's thread, against the same program with its files in its own thread, and under
 * `node:wasi` on a tmpfs. One run of the program measures all calls; the cases of a round share it.
 */
import { execFile } from "node:child_process";
import { existsSync, fsyncSync, openSync, writeSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Engine } from "../../runtime/engine/index.ts";
import type { ExecResult } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase, Side } from "./bench-case.ts";
import { preparePrograms } from "./programs.ts";

const MEMORY = "/dev/shm";
const ROUNDS = 20_000;
const FILES = 64;
const FILE_BYTES = 1024;
const SYNCED_BYTES = 1024 * 1024;

interface Call {
  count: number;
  seconds: number;
  p50us: number;
  p99us: number;
}
type Calls = Record<string, Call>;

/** Most that the kernel may take, as a multiple of the time in the program's own thread, and of `node:wasi`. */
const TARGETS: Record<string, { worker?: number; wasi?: number }> = {
  stat: { worker: 1 / 0.8 },
  "open+read+close": { worker: 1 / 0.8 },
  "create+write+close": { worker: 1 / 0.5, wasi: 1 },
  unlink: { worker: 1 / 0.5, wasi: 1 },
  "readdir of 1000": {},
  "write 64 KiB": { worker: 1 / 0.8 },
  "read 64 KiB": { worker: 1 / 0.8 },
};
const CLIENT_COUNTS = [2, 8];

export default async function kernel(bench: Bench): Promise<BenchCase[]> {
  const { directory, defer } = bench;
  const program = await guest("callbench");
  const archive = await makeImage(directory, program);
  const engineFor = async (placement: "worker" | "kernel") => {
    const engine = new Engine({ root: await mkdtemp(join(directory, "root-")), placement });
    defer(() => engine[Symbol.asyncDispose]());
    await engine.images.import(archive, "callbench");
    return engine;
  };
  const engines = { worker: await engineFor("worker"), kernel: await engineFor("kernel") };
  const runs = {
    worker: shared(() => run(engines.worker)),
    kernel: shared(() => run(engines.kernel)),
    wasi: shared(await underNode(bench, program)),
  };
  const side = (name: string, run: keyof typeof runs, call: string, pick: (call: Call) => number): Side => {
    const next = runs[run]();
    return { name, measure: async () => pick((await next())[0]![call]!) };
  };
  const cases: BenchCase[] = [];
  for (const [call, { worker, wasi }] of Object.entries(TARGETS)) {
    const mean = ({ seconds, count }: Call) => (seconds / count) * 1e6;
    cases.push(
      {
        name: call,
        unit: "us",
        subject: side("kernel", "kernel", call, mean),
        baseline: side("in the program's thread", "worker", call, mean),
        ...(worker === undefined ? {} : { ratioMax: worker }),
      },
      {
        name: `${call}/node:wasi`,
        unit: "us",
        subject: side("kernel", "kernel", call, mean),
        baseline: side("node:wasi on tmpfs", "wasi", call, mean),
        ...(wasi === undefined ? {} : { ratioMax: wasi }),
      },
    );
    for (const [percentile, pick] of [
      ["p50", ({ p50us }: Call) => p50us],
      ["p99", ({ p99us }: Call) => p99us],
    ] as const) {
      cases.push({
        name: `${call}/${percentile}`,
        unit: "us",
        subject: side("kernel", "kernel", call, pick),
        baseline: side("in the program's thread", "worker", call, pick),
      });
    }
  }
  const alone = shared(() => runBeside(engines.kernel, 1));
  for (const clients of CLIENT_COUNTS) {
    const many = shared(() => runBeside(engines.kernel, clients));
    for (const call of Object.keys(TARGETS)) {
      const one = alone();
      const next = many();
      const rate = (all: Calls[]) =>
        all.reduce((sum, calls) => sum + calls[call]!.count / calls[call]!.seconds, 0);
      cases.push({
        name: `${call}/${clients} clients`,
        unit: "1/s",
        subject: { name: `${clients} clients in sum`, measure: async () => rate(await next()) },
        baseline: { name: "1 client", measure: async () => rate(await one()) },
        ...(clients === 8 ? { ratioMin: 1 } : {}),
        rounds: 5,
      });
    }
  }
  cases.push(await syncCase(bench, engines.kernel));
  return cases.map((one) => ({ rounds: 5, ...one }));
}

const OPTIONS = { keepFiles: false, limits: { diskBytesMax: 4 * 1024 * 1024 * 1024 } };
/** As many for each of several: who runs for less time is slower at all of it, since its code is younger. */
const command = (client: number) => ["/callbench", "/image", `/own${client}`, `${ROUNDS}`];

async function run(engine: Engine): Promise<Calls[]> {
  return [callsOf(await engine.run("callbench", { entrypoint: command(0), ...OPTIONS }))];
}

/** The program, several times at once, beside one that only waits; each has a directory of its own. */
async function runBeside(engine: Engine, clients: number): Promise<Calls[]> {
  const container = await engine.launch("callbench", { entrypoint: ["/sleep", "3600000"], ...OPTIONS });
  const results = await Promise.all(
    Array.from({ length: clients }, (_, client) => container.exec(command(client))),
  );
  await container.kill("SIGKILL");
  await container.wait();
  return results.map(callsOf);
}

function callsOf({ exitCode, stdout, stderr }: ExecResult): Calls {
  if (exitCode !== 0) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)) as Calls;
}

/** The n-th call of each of the functions that it answers gives the n-th run. */
function shared(start: () => Promise<Calls[]>): () => () => Promise<Calls[]> {
  const runs: Promise<Calls[]>[] = [];
  return () => {
    let next = 0;
    return () => {
      const index = next++;
      runs[index] ??= start();
      return runs[index];
    };
  };
}

async function makeImage(directory: string, program: string): Promise<string> {
  const root = join(directory, "image");
  await mkdir(join(root, "image"), { recursive: true });
  await copyFile(program, join(root, "callbench"));
  await copyFile(await guest("sleep"), join(root, "sleep"));
  for (let index = 0; index < FILES; index++) {
    await writeFile(join(root, "image", `${index}`), new Uint8Array(FILE_BYTES));
  }
  const archive = join(directory, "image.tar");
  await promisify(execFile)("tar", ["-C", root, "-cf", archive, "."]);
  return archive;
}

async function underNode({ directory, defer }: Bench, program: string): Promise<() => Promise<Calls[]>> {
  const memory = existsSync(MEMORY) ? await mkdtemp(join(MEMORY, "wpod-bench-")) : directory;
  if (memory !== directory) defer(() => rm(memory, { recursive: true, force: true }));
  const programs = await preparePrograms(memory);
  await mkdir(join(memory, "guest-root", "image"));
  for (let index = 0; index < FILES; index++) {
    await writeFile(join(memory, "guest-root", "image", `${index}`), new Uint8Array(FILE_BYTES));
  }
  let count = 0;
  return async () => [
    await programs.json<Calls>(programs.plain(program, ["/image", `/own${count++}`, `${ROUNDS}`])),
  ];
}

/** A megabyte that has to be on disk, against the same by the host. */
async function syncCase({ directory }: Bench, engine: Engine): Promise<BenchCase> {
  const sync = async () => {
    const container = await engine.create("callbench", {
      entrypoint: ["/callbench", "/image", "/own", "1000"],
    });
    await container.start();
    const { seconds, count } = callsOf(await container.wait())["write+fsync of 1 MiB"]!;
    await container.remove();
    return (seconds / count) * 1000;
  };
  const fd = openSync(join(directory, "synced"), "w");
  const byHost = () => {
    const rounds = 20;
    const start = performance.now();
    for (let round = 0; round < rounds; round++) {
      writeSync(fd, new Uint8Array(SYNCED_BYTES).fill(round));
      fsyncSync(fd);
    }
    return (performance.now() - start) / rounds;
  };
  return {
    name: "write+fsync of 1 MiB",
    unit: "ms",
    subject: { name: "in a container", measure: sync },
    baseline: { name: "on the host", measure: byHost },
    ratioMax: 2,
  };
}
