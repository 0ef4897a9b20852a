/** Programs with threads that are ended anywhere: the kernel has nothing of them afterwards. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FilesSpec, ProcessSpec } from "../../runtime/core/kernel/spec.ts";
import { makeMemory } from "../../runtime/core/wasm/imported-memory.ts";
import { CpuUsage } from "../../runtime/engine/cpu-usage.ts";
import { GuestProcess } from "../../runtime/engine/guest-process.ts";
import { GuestThreads } from "../../runtime/engine/guest-threads.ts";
import { KernelHost } from "../../runtime/engine/kernel-host.ts";
import { Modules } from "../../runtime/engine/modules.ts";
import { ThreadBudget } from "../../runtime/engine/thread-budget.ts";
import { RewrittenModules } from "../../runtime/node/store/rewritten-modules.ts";
import { guest } from "../fixtures/guests.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const ROUNDS = LONG ? 400 : 16;
const TREE = "tree";
const FILES: FilesSpec = {
  layers: [],
  snapshot: undefined,
  folders: [],
  mounts: [],
  etcFiles: [],
  readOnly: false,
  diskBytesMax: 1 << 26,
  inodesMax: 1000,
};

let kernel: KernelHost;
let bytes: Uint8Array;
beforeAll(async () => {
  kernel = new KernelHost();
  await kernel.openTree(TREE, FILES, { uid: 0, gid: 0 });
  bytes = readFileSync(await guest("threads"));
}, 120_000);
afterAll(async () => {
  await kernel[Symbol.asyncDispose]();
});

/** One that runs, and how many threads it may still start. */
async function start(args: readonly string[]) {
  const compiled = new Modules({ rewritten: new RewrittenModules("/nowhere", "1"), reentry: false }).compile(
    { read: () => bytes, key: undefined, source: { path: "threads" } },
    { memoryBytesMax: undefined, workdir: "/", isMetered: false },
  );
  const program: ProcessSpec = {
    argv: ["threads", ...args],
    env: [],
    credentials: { uid: 0, gid: 0, groups: [], umask: 0o022 },
    preopens: [{ name: "/", path: "/" }],
    descriptorsMax: 64,
  };
  const cpu = new CpuUsage();
  const running = new GuestProcess({ collectBytesMax: 1 << 16 }, cpu);
  const streams = running.streamsWith(undefined);
  const seat = await kernel.seat(TREE, program, { bell: running.bell, streams });
  const budget = new ThreadBudget(8);
  running.start({
    module: await compiled.module,
    memory: makeMemory(compiled.memory!),
    threads: new GuestThreads({ kernel, seat, process: program, streams, budget, cpu }),
    process: program,
    place: seat.place,
    log: undefined,
    keepFiles: false,
  });
  return { running, seat, budget };
}

const freeThreads = (budget: ThreadBudget) => {
  let count = 0;
  while (budget.take()) count++;
  return count;
};

test(
  `${ROUNDS} are ended at a random moment`,
  async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { running, seat, budget } = await start(["open", "6", "100000"]);
      await running.started;
      // The moment is what is tried: while threads start, and while they work.
      const delayMs = Math.random() * 150;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await running.end({ kind: "signal", signal: "SIGKILL" }, true);
      await running.gone;
      expect((await running.ended).ending).toEqual({ kind: "signal", signal: "SIGKILL" });
      await kernel.leave(seat);
      expect(await kernel.counts()).toMatchObject({ trees: 1, clients: 0, open: 0 });
      expect(freeThreads(budget)).toBe(8);
    }
  },
  LONG ? 600_000 : 60_000,
);

test("one whose threads have all returned has given everything back too", { timeout: 60_000 }, async () => {
  const { running, seat, budget } = await start(["open", "6", "20"]);
  const { ending, stdout } = await running.ended;
  expect({ ending, stdout: new TextDecoder().decode(stdout) }).toEqual({
    ending: { kind: "exit", status: 0 },
    stdout: "fine\n",
  });
  await running.gone;
  await kernel.leave(seat);
  expect(await kernel.counts()).toMatchObject({ trees: 1, clients: 0, open: 0 });
  expect(freeThreads(budget)).toBe(8);
});
