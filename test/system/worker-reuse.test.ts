/** One worker after another program's end: the next one finds nothing of it, and what failed gets no other program. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import type { MountSpec, Placement, RunOptions } from "../../runtime/engine/types.ts";
import { dropSpareWorkers } from "../../runtime/engine/worker-entry.ts";
import { runChild } from "../fixtures/child.ts";
import { guest } from "../fixtures/guests.ts";
import { buildModule } from "../fixtures/module-builder.ts";

const RUNS = process.env.WPOD_TEST_LONG === "1" ? 1000 : 60;

/** The engine's own list of workers that wait for a program. */
function idleWorkers(): Worker[] {
  const list = (globalThis as Record<symbol, unknown>)[Symbol.for("wpod.idleWorkers")];
  return ((list ?? []) as { worker: Worker }[]).map(({ worker }) => worker);
}
const idleThreads = () => idleWorkers().map(({ threadId }) => threadId);

/** The search has it without holding it. */
const disguised = (secret: string) =>
  Buffer.from([...Buffer.from(secret)].map((byte) => byte ^ 0x5a)).toString("hex");

/** Ends with 0. */
const NOTHING = buildModule({
  types: [{ params: [], results: [] }],
  memories: [{ minimum: 16 }],
  functions: [{ type: 0, body: [] }],
  exports: [
    { name: "_start", kind: "function", index: 0 },
    { name: "memory", kind: "memory", index: 0 },
  ],
});

const SNAPSHOTS_MAX = 4;

let folder: string;
const engines = new Map<Placement, Engine>();
let residue: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wpod-reuse-"));
  mkdirSync(join(folder, "host"));
  for (const placement of ["worker", "kernel"] as const) {
    engines.set(placement, new Engine({ root: join(folder, placement), placement }));
  }
  residue = await guest("residue");
  for (const engine of engines.values()) await engine.images.import(residue, "residue");
}, 120_000);
afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
});
beforeEach(() => dropSpareWorkers());

describe.each(["worker", "kernel"] as const)("files with the %s", (placement) => {
  const run = (options: RunOptions) =>
    engines.get(placement)!.run("residue", { keepFiles: false, ...options });

  test("a secret of one program is nowhere in the next one of its worker", async () => {
    const secret = `kanarie-${randomBytes(12).toString("hex")}`;
    const mounts: MountSpec[] = [
      { type: "tmpfs", target: "/tmpfs" },
      { type: "bind", source: join(folder, "host"), target: "/host" },
    ];
    const planted = await run({
      args: ["plant", secret],
      env: { SECRET: secret },
      stdin: `${secret}\n`,
      hostname: secret.slice(0, 30),
      mounts,
    });
    expect(planted).toMatchObject({ exitCode: 0 });
    const [threadId] = idleThreads();
    expect(threadId).toBeGreaterThan(0);

    const hex = disguised(secret);
    const searched = await run({ args: ["search", hex], stdin: "ignore", mounts });
    expect(idleThreads()).toEqual([threadId]);
    expect(Buffer.from(searched.stdout).toString()).toBe("done\n");

    // The search is one of everything that V8 keeps, too. It has strings of both kinds.
    let heap = await text(await idleWorkers()[0]!.getHeapSnapshot());
    expect(heap).toContain("collectGarbage");
    // Each snapshot collects garbage first; what a machine word on a stack seemed to point to goes with a later one.
    const isThere = () => heap.includes(secret) || heap.includes(hex);
    for (let more = 0; more < SNAPSHOTS_MAX && isThere(); more++) {
      heap = await text(await idleWorkers()[0]!.getHeapSnapshot());
    }
    expect(heap.includes(secret)).toBe(false);
    expect(heap.includes(hex)).toBe(false);
  }, 60_000);

  test("the search finds what is there", async () => {
    const secret = `kanarie-${randomBytes(12).toString("hex")}`;
    const hex = disguised(secret);
    const { stdout } = await run({
      args: ["search", hex, secret],
      env: { SECRET: "" },
      stdin: "x\n",
    });
    expect(Buffer.from(stdout).toString()).toBe("memory\nstdin\nenvironment\nmemory, later\ndone\n");
  }, 60_000);

  test(`${RUNS} programs in one worker take no more memory and no more descriptors than a few`, async () => {
    const engine = engines.get(placement)!;
    const once = () => engine.run({ wasm: NOTHING, name: "nothing.wasm" }, { keepFiles: false });
    for (let warm = 0; warm < 20; warm++) await once();
    const threads = new Set(idleThreads());
    const before = await usage();
    for (let done = 0; done < RUNS; done++) {
      await once();
      for (const id of idleThreads()) threads.add(id);
    }
    const after = await usage();
    expect(threads.size).toBe(1);
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.heapBytes - before.heapBytes).toBeLessThan(1 << 20);
    // A memory of each is 1 MiB.
    expect(after.externalBytes - before.externalBytes).toBeLessThan(4 << 20);
  }, 120_000);
});

/** Of the idle worker, after it has collected its garbage, which a heap snapshot does; and of the process. */
async function usage(): Promise<{ heapBytes: number; externalBytes: number; descriptors: number }> {
  const worker = idleWorkers()[0]!;
  const snapshot = JSON.parse(await text(await worker.getHeapSnapshot())) as {
    snapshot: { meta: { node_fields: string[] } };
    nodes: number[];
  };
  const { node_fields: fields } = snapshot.snapshot.meta;
  const at = fields.indexOf("self_size");
  let heapBytes = 0;
  for (let node = at; node < snapshot.nodes.length; node += fields.length) heapBytes += snapshot.nodes[node]!;
  const { external_memory: externalBytes } = await worker.getHeapStatistics();
  return { heapBytes, externalBytes, descriptors: openDescriptors() };
}

function openDescriptors(): number {
  if (process.platform !== "linux") return 0;
  return readdirSync("/proc/self/fd").length;
}

describe("a worker gets no other program", () => {
  const engine = () => engines.get("worker")!;
  const module = (body: number[], imports: { name: string; type: number }[] = []) =>
    buildModule({
      types: [
        { params: [], results: [] },
        { params: ["i32"], results: [] },
        { params: ["i32"], results: ["i32"] },
      ],
      imports: imports.map((one) => ({ module: "wasi_snapshot_preview1", kind: "function", ...one })),
      functions: [{ type: 0, body }],
      exports: [{ name: "_start", kind: "function", index: imports.length }],
    });
  const LOOP = [0x03, 0x40, 0x0c, 0, 0x0b];

  test.each([
    { name: "trapped", wasm: module([0x00]), options: {} },
    {
      name: "raised a signal",
      wasm: module([0x41, 6, 0x10, 0, 0x1a], [{ name: "proc_raise", type: 2 }]),
      options: {},
    },
    { name: "took too long", wasm: module(LOOP), options: { timeoutMs: 300 } },
  ])("whose program $name", async ({ wasm, options }) => {
    const { exitCode } = await engine().run({ wasm, name: "hostile.wasm" }, options);
    expect(exitCode).not.toBe(0);
    expect(idleThreads()).toEqual([]);
  });

  test("whose program was killed", async () => {
    const running = await engine().launch({ wasm: module(LOOP), name: "loop.wasm" });
    await running.kill("SIGKILL");
    await running.wait();
    expect(idleThreads()).toEqual([]);
  });

  test("whose program exited with another status than 0 does", async () => {
    const wasm = module([0x41, 7, 0x10, 0], [{ name: "proc_exit", type: 1 }]);
    expect((await engine().run({ wasm, name: "exit.wasm" })).exitCode).toBe(7);
    expect(idleThreads()).toHaveLength(1);
  });
});

test("programs at the same time have workers of their own, and no more than two of those are kept", async () => {
  const engine = engines.get("worker")!;
  const wasm = readFileSync(residue);
  const runs = Array.from({ length: 5 }, () =>
    engine.run({ wasm, name: "residue.wasm" }, { args: ["search", "00".repeat(8)], keepFiles: false }),
  );
  const results = await Promise.all(runs);
  expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0]);
  expect(idleThreads().length).toBeGreaterThan(0);
  expect(idleThreads().length).toBeLessThanOrEqual(2);
  await using other = new Engine({ root: join(folder, "worker") });
  await other.run({ wasm: NOTHING, name: "nothing.wasm" });
  await other[Symbol.asyncDispose]();
  expect(idleThreads()).toEqual([]);
}, 60_000);

test("an engine that is disposed of right after a run lets the process end, and not before", async () => {
  const script = `
    import { Engine } from ${JSON.stringify(new URL("../../runtime/engine/index.ts", import.meta.url).href)};
    const engine = new Engine({ root: ${JSON.stringify(join(folder, "script"))} });
    const wasm = Uint8Array.from(${JSON.stringify([...NOTHING])});
    for (let run = 0; run < 3; run++) await engine.run({ wasm, name: "nothing.wasm" });
    await engine[Symbol.asyncDispose]();
    console.log("disposed");
  `;
  const { exitCode, stdout } = await runChild(process.execPath, ["--input-type=module", "-e", script]);
  expect({ exitCode, stdout: stdout.toString() }).toEqual({ exitCode: 0, stdout: "disposed\n" });
}, 60_000);
