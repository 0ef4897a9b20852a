/** Limits of programs: of each (`--ulimit`), and how many there are. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import { DESCRIPTORS_WANTED_MAX } from "../../runtime/engine/limits.ts";
import type { Limits, MountSpec, Placement } from "../../runtime/engine/types.ts";
import { Errno } from "../../shim/abi/errno.ts";
import { guest } from "../fixtures/guests.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
/** Standard streams, and the root. */
const FOUND_OPEN = 4;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let folder: string;
const engines = new Map<Placement, Engine>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wpod-programs-"));
  mkdirSync(join(folder, "bound"));
  for (const placement of ["worker", "kernel"] as const) {
    const engine = new Engine({ root: join(folder, placement), placement });
    engines.set(placement, engine);
    for (const name of ["limits", "locks", "threads"] as const) {
      await engine.images.import(await guest(name), name);
    }
  }
}, 120_000);
afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
  cli.dispose();
});

describe.each(["worker", "kernel"] as const)("with the %s", { timeout: 60_000 }, (placement) => {
  const mounts = (): MountSpec[] => [
    { type: "tmpfs", target: "/tmpfs" },
    { type: "bind", source: join(folder, "bound"), target: "/bound" },
  ];
  async function run(image: string, args: string[], limits: Limits): Promise<string[]> {
    const { stdout } = await engines
      .get(placement)!
      .run(image, { args, limits, mounts: mounts(), timeoutMs: 60_000 });
    return text(stdout).trim().split("\n");
  }

  test.each([FOUND_OPEN + 1, 100, 5000])("a program has %d descriptors: EMFILE", async (descriptorsMax) => {
    const most = descriptorsMax - FOUND_OPEN;
    const steps = ["open=/limits.wasm", "close=1", "open=/limits.wasm"];
    expect(await run("limits", steps, { descriptorsMax })).toEqual([`${most} EMFILE`, "closed", "1 EMFILE"]);
  });

  test("a second program has as many", async () => {
    const container = await engines.get(placement)!.launch("limits", {
      args: ["wait"],
      stdin: new PassThrough(),
      stdout: "ignore",
      limits: { descriptorsMax: 10 },
    });
    const { stdout } = await container.exec(["/limits.wasm", "open=/limits.wasm"]);
    expect(text(stdout)).toBe(`${10 - FOUND_OPEN} EMFILE\n`);
    await container.kill("SIGKILL");
    await container.wait();
  });

  test.each(["/a", "/tmpfs/a", "/bound/a"])(
    "%s gets as long as a program may make it: EFBIG",
    async (path) => {
      expect(await run("limits", [`write=${path}`], { fileBytesMax: 10_000 })).toEqual(["10000 EFBIG"]);
      rmSync(join(folder, "bound", "a"), { force: true });
    },
  );

  test.each(["/a", "/tmpfs/a", "/bound/a"])("%s is one of so many that are locked: ENOLCK", async (path) => {
    expect(await run("locks", ["many", path, "100"], { locksMax: 7 })).toEqual(["7 ENOLCK"]);
    expect(await run("locks", ["many", path, "100"], {})).toEqual(["100 0"]);
  });

  test("programs and threads are counted, and those that were refused", async () => {
    const stdin = new PassThrough();
    const waiting = Promise.withResolvers<void>();
    const container = await engines.get(placement)!.launch("threads", {
      args: ["input"],
      stdin,
      stdout: () => waiting.resolve(),
      limits: { threadsMax: 3 },
    });
    await waiting.promise;
    // A third thread has just ended.
    while ((await container.stats()).pids.current > 2) await new Promise(setImmediate);
    expect((await container.stats()).pids).toMatchObject({ current: 2, max: 3, limitHitCount: 0 });
    const limit = await container.exec(["/threads.wasm", "limit"]);
    expect(text(limit.stdout)).toBe(`1 threads, then ${-Errno.EAGAIN}\n`);
    expect((await container.stats()).pids).toMatchObject({ current: 2, max: 3, limitHitCount: 1 });
    await container.kill("SIGKILL");
    await container.wait();
  });

  test("threads that start threads without end are no more than there may be, nor is their memory", async () => {
    const limits = { threadsMax: 6, memoryBytesMax: 32 << 20 };
    const container = await engines
      .get(placement)!
      .launch("threads", { args: ["bomb"], limits, stdout: "ignore" });
    for (let refused = 0; refused < 20; ) {
      const { pids, memory } = await container.stats();
      expect(pids.current).toBeLessThanOrEqual(6);
      expect(memory.usedBytes).toBeLessThanOrEqual(limits.memoryBytesMax);
      refused = pids.limitHitCount;
      await new Promise(setImmediate);
    }
    await container.kill("SIGKILL");
    expect(await container.wait()).toMatchObject({ exitCode: 137 });
  });

  test("a program without threads is one of them", async () => {
    const container = await engines.get(placement)!.launch("limits", {
      args: ["wait"],
      stdin: new PassThrough(),
      stdout: "ignore",
    });
    expect((await container.stats()).pids).toMatchObject({ current: 1 });
    const opened = Promise.withResolvers<void>();
    const stdin = new PassThrough();
    const second = container.exec(["/limits.wasm", "wait"], { stdin, stdout: () => opened.resolve() });
    await opened.promise;
    expect((await container.stats()).pids).toMatchObject({ current: 2 });
    stdin.end("go\n");
    await second;
    expect((await container.stats()).pids).toMatchObject({ current: 1 });
    await container.kill("SIGKILL");
    await container.wait();
  });
});

test.each([
  {
    limits: { descriptorsMax: DESCRIPTORS_WANTED_MAX + 1 },
    name: "descriptorsMax",
    max: DESCRIPTORS_WANTED_MAX,
  },
  { limits: { descriptorsMax: -1 }, name: "descriptorsMax", max: DESCRIPTORS_WANTED_MAX },
  { limits: { locksMax: 16_385 }, name: "locksMax", max: 16_384 },
  { limits: { fileBytesMax: 0.5 }, name: "fileBytesMax", max: Number.MAX_SAFE_INTEGER },
  { limits: { threadsMax: Number.NaN }, name: "threadsMax", max: Number.MAX_SAFE_INTEGER },
])("$limits is refused before anything starts", async ({ limits, name, max }) => {
  await expect(engines.get("worker")!.create("limits", { limits })).rejects.toMatchObject({
    code: "USAGE",
    message: `the limit ${name} of ${Object.values(limits)[0]} is no whole number from 0 to ${max}`,
  });
});

test("wpod run takes docker's ulimits, shows them, and says which mean nothing", async () => {
  const program = await guest("limits");
  const ulimits = ["nofile=6:100", "fsize=5000", "nproc=3", "stack=1000", "memlock=-1:-1"];
  const flags = ulimits.flatMap((ulimit) => ["--ulimit", ulimit]);
  const steps = ["open=/etc/hosts", "close=2", "write=/a"];
  const printed = await cli.wpod([
    "run",
    "--name",
    "strict",
    "--pids-limit",
    "9",
    ...flags,
    program,
    ...steps,
  ]);
  expect(printed).toEqual({
    exitCode: 0,
    stdout: "2 EMFILE\nclosed\n5000 EFBIG\n",
    stderr: "Warning: --ulimit stack=1000 limits nothing: the stack of a program is a part of its module\n",
  });
  const [{ HostConfig }] = JSON.parse(await cli.must(["inspect", "strict"]));
  expect(HostConfig).toMatchObject({
    PidsLimit: 3,
    Ulimits: [
      { Name: "fsize", Hard: 5000, Soft: 5000 },
      { Name: "nofile", Hard: 6, Soft: 6 },
    ],
  });
});

test.each(["-2", "many", "1.5", ""])(
  "wpod run --pids-limit %s makes nothing, and says why",
  async (number) => {
    const { exitCode, stderr } = await cli.wpod([
      ...["run", "--pids-limit", number],
      ...["-v", "unmade:/data", "nothing"],
    ]);
    expect(exitCode).toBe(125);
    expect(stderr).toBe(`Error: invalid --pids-limit "${number}": not a number, or less than -1\n`);
    expect(await cli.must(["volume", "ls", "-q"])).toBe("");
  },
);

test.each(["files=1", "nofile=-2", "nofile=2:1", "cpu=long"])(
  "wpod run --ulimit %s makes nothing, and says why",
  async (ulimit) => {
    const { exitCode, stderr } = await cli.wpod(["run", "--ulimit", ulimit, "-v", "unmade:/data", "nothing"]);
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(new RegExp(`^Error: invalid --ulimit "${ulimit}": .+\\n$`));
    expect(await cli.must(["volume", "ls", "-q"])).toBe("");
  },
);
