/** Programs with threads (`wasi-threads`), in containers of the engine. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CALLS_ONLY_MAILBOX_BYTES } from "../../runtime/core/ipc/mailbox.ts";
import { THREADS_MAX } from "../../runtime/engine/limits.ts";
import { Errno } from "../../shim/abi/errno.ts";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";
import { buildModule, type ModulePlan } from "../fixtures/module-builder.ts";

let setUp: Awaited<ReturnType<typeof engineForTest>>;
let program: string;
beforeAll(async () => {
  setUp = await engineForTest();
  program = await guest("threads");
}, 120_000);
afterAll(() => setUp[Symbol.asyncDispose]());

const LONG = process.env.WPOD_TEST_LONG === "1";
const TIMEOUT_MS = 60_000;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function run(args: readonly string[], options: object = {}) {
  const { stdout, stderr, exitCode, reason, oomKilled } = await setUp.engine.run(program, {
    args,
    timeoutMs: TIMEOUT_MS,
    ...options,
  });
  return { stdout: text(stdout), stderr: text(stderr), exitCode, reason, oomKilled };
}

const fine = (stdout: string) => ({ stdout, stderr: "", exitCode: 0, reason: undefined, oomKilled: false });

describe("threads of a program", { timeout: 2 * TIMEOUT_MS }, () => {
  test("add to one number", async () => {
    expect(await run(["count", "8", "10000"])).toEqual(fine("80000\n"));
  });

  test("write through one descriptor at one position", async () => {
    expect(await run(["lines", "6", "300"])).toEqual(fine(`${6 * 300 * 16}\n`));
  });

  test("find a descriptor closed that another has closed, and what was opened in its place", async () => {
    expect(await run(["closed"])).toEqual(fine("fine\n"));
  });

  test("open, write, read and close files all at once", async () => {
    expect(await run(["open", "6", "100"])).toEqual(fine("fine\n"));
  });

  test("wait for a pipe alone, until something comes or another closes it", async () => {
    expect(await run(["pipe"])).toEqual(fine("fine\n"));
  });

  test("yield to each other", async () => {
    expect(await run(["yield"])).toEqual(fine("fine\n"));
  });

  test("wait for input alone: the others go on", async () => {
    let heard = () => {};
    const waiting = new Promise<void>((resolve) => {
      heard = resolve;
    });
    async function* input() {
      await waiting;
      yield "typed later\n";
    }
    let output = "";
    const stdout = (bytes: Uint8Array) => {
      output += text(bytes);
      if (output.includes("waiting")) heard();
    };
    expect(await run(["input"], { stdin: input(), stdout })).toMatchObject({ exitCode: 0 });
    expect(output).toBe("waiting\ntyped later\n");
  });

  // All that are allowed otherwise take seconds of both processors to start.
  test.each([1, 2, 5, ...(LONG ? [undefined] : [])])(
    "are %s at most, and told EAGAIN",
    async (threadsMax) => {
      expect(await run(["limit"], { limits: threadsMax === undefined ? {} : { threadsMax } })).toEqual(
        fine(`${threadsMax ?? THREADS_MAX} threads, then ${-Errno.EAGAIN}\n`),
      );
    },
  );

  test("make room for others when they end", async () => {
    const { stdout, exitCode } = await run(["again", "1", "300"], { limits: { threadsMax: 8 } });
    expect({ stdout, exitCode }).toEqual({ stdout: `${300 ** 2}\n`, exitCode: 0 });
  });

  test.each([
    { what: "exit", exitCode: 7, reason: undefined, stderr: "" },
    {
      what: "trap",
      exitCode: 134,
      reason: "trap: unreachable",
      stderr: "wpod: the program trapped: unreachable\n",
    },
  ])("all end with the one that ends by $what, whatever they do", async ({ what, ...ending }) => {
    expect(await run([what])).toEqual({ stdout: "", oomKilled: false, ...ending });
  });

  test.each([1, 5])("share one bound of memory, %d of them", async (count) => {
    const pages = 160;
    // Beside what each has to call the kernel by.
    const ownKib = Math.ceil(CALLS_ONLY_MAILBOX_BYTES / 1024) * (1 + count);
    const memoryBytesMax = pages * 65_536 + ownKib * 1024;
    const { stdout, exitCode } = await run(["grow", `${count}`], { limits: { memoryBytesMax } });
    expect({ stdout, exitCode }).toEqual({ stdout: `${pages} pages\n`, exitCode: 0 });
  });

  test("are killed with their container", async () => {
    const container = await setUp.engine.create(program, { args: ["spin"] });
    await container.start();
    await container.kill("SIGKILL");
    expect(await container.wait()).toMatchObject({ exitCode: 137, reason: "SIGKILL" });
  });

  test("leave their files to whoever looks at the container afterwards", async () => {
    const { container } = await setUp.engine.run(program, { args: ["lines", "3", "10"] });
    const files = await container.files();
    expect(`${files.readFileSync("/lines")}`.split("\n").sort().at(-1)).toBe("thread 02 line ");
  });

  test("that start others without end are bounded, and others go on", async () => {
    const bomb = run(["bomb"], { timeoutMs: 3000, limits: { threadsMax: 12 } });
    expect(await run(["count", "2", "10"])).toEqual(fine("20\n"));
    expect(await bomb).toMatchObject({ exitCode: 137, reason: "timeout" });
  });

  test("have one log", async () => {
    const { container } = await setUp.engine.run(program, { args: ["again", "1", "3"], remove: false });
    const lines: string[] = [];
    for await (const { stream, bytes } of setUp.engine.containers.logs(container.id)) {
      lines.push(`${stream} ${text(bytes)}`);
    }
    // In the order of the kernel: the time is printed first, the number when the program ends.
    expect(lines).toEqual([expect.stringMatching(/^stderr \d+ us for a thread$/), "stdout 9"]);
  });

  test("run next to each other in several containers", async () => {
    const all = await Promise.all([1, 2, 3].map((count) => run(["open", `${count}`, "30"])));
    expect(all).toEqual([fine("fine\n"), fine("fine\n"), fine("fine\n")]);
  });

  test("are a second program's too, in the same files and the same budget", async () => {
    await setUp.engine.images.import(program, "threads");
    const waiting = Promise.withResolvers<void>();
    const container = await setUp.engine.launch("threads", {
      args: ["input"],
      stdin: new ReadableStream(),
      stdout: () => waiting.resolve(),
      // Its first one, and the one that waits; so the second program has its first one and another.
      limits: { threadsMax: 4 },
    });
    await waiting.promise;
    const { path } = container.inspect();
    const limit = await container.exec([path, "limit"]);
    expect(text(limit.stdout)).toBe(`2 threads, then ${-Errno.EAGAIN}\n`);
    const lines = await container.exec([path, "lines", "1", "20"]);
    expect({ stdout: text(lines.stdout), exitCode: lines.exitCode }).toEqual({
      stdout: "320\n",
      exitCode: 0,
    });
    await container.kill("SIGKILL");
    const files = await (await container.wait()).container.files();
    expect(files.statSync("/lines").size).toBe(320);
  });

  test("read a terminal", async () => {
    const { exitCode, stdout } = await run(["input"], { tty: true, stdin: "typed\n" });
    // The terminal shows what is typed when it comes, which may be before or after what the program says.
    expect(exitCode).toBe(0);
    expect(stdout.split("\r\n").toSorted()).toEqual(["", "typed", "typed", "waiting"]);
  });

  test("begin in a working directory like any program", async () => {
    expect(await run(["lines", "2", "10"], { workdir: "/tmp" })).toEqual(fine("320\n"));
  });
});

const I32 = "i32" as const;
const SPAWN = { module: "wasi", name: "thread-spawn", kind: "function", type: 0 } as const;
const EXIT = { module: "wasi_snapshot_preview1", name: "proc_exit", kind: "function", type: 1 } as const;
const TYPES = [
  { params: [I32], results: [I32] },
  { params: [I32], results: [] },
  { params: [], results: [] },
];
const memory = (limits: { minimum: number; maximum?: number; shared?: boolean }) =>
  ({ module: "env", name: "memory", kind: "memory", limits }) as const;
const CALL = 0x10;
const CONST = 0x41;
const SUBTRACT = 0x6b;

/** Exits with what `body` leaves, by `_start`; its function is the one behind the imported ones. */
function exiting(imports: ModulePlan["imports"], body: readonly number[]): Uint8Array<ArrayBuffer> {
  const functionCount = imports!.filter(({ kind }) => kind === "function").length;
  return buildModule({
    types: TYPES,
    imports: imports!,
    functions: [{ type: 2, body: [...body, CALL, functionCount - 1] }],
    exports: [{ name: "_start", kind: "function", index: functionCount }],
  });
}

/** `0 - thread_spawn(0)`: an exit status that tells the errno. */
const SPAWN_ERRNO = [CONST, 0, CONST, 0, CALL, 0, SUBTRACT];
const MEMORY_PAGES = [0x3f, 0];
/** `memory.grow(1)`, dropped; then the size. */
const GROWN_PAGES = [CONST, 1, 0x40, 0, 0x1a, ...MEMORY_PAGES];

describe("a module that imports its memory", { timeout: TIMEOUT_MS }, () => {
  const limited = { limits: { memoryBytesMax: 3 << 16 } };
  test.each([
    { what: "unshared", imports: [memory({ minimum: 2 }), EXIT], body: MEMORY_PAGES, status: 2 },
    {
      what: "unshared, grown",
      imports: [memory({ minimum: 2, maximum: 3 }), EXIT],
      body: GROWN_PAGES,
      status: 3,
    },
    {
      what: "unshared, grown as far as it may",
      imports: [memory({ minimum: 3, maximum: 9 }), EXIT],
      body: GROWN_PAGES,
      options: limited,
      status: 137,
      reason: "out of memory (exit status 3)",
    },
    {
      what: "shared, without threads",
      imports: [memory({ minimum: 2, maximum: 9, shared: true }), EXIT],
      body: GROWN_PAGES,
      status: 3,
    },
    {
      what: "shared, grown as far as it may",
      imports: [memory({ minimum: 3, maximum: 9, shared: true }), EXIT],
      body: GROWN_PAGES,
      options: limited,
      status: 137,
      reason: "out of memory (exit status 3)",
    },
    {
      what: "unshared, and threads",
      imports: [SPAWN, memory({ minimum: 1 }), EXIT],
      body: SPAWN_ERRNO,
      status: Errno.ENOTSUP,
    },
    {
      what: "shared, and has no function for a thread to run",
      imports: [SPAWN, memory({ minimum: 1, maximum: 1, shared: true }), EXIT],
      // A thread has started; the program waits for its end, which is everybody's.
      body: [...SPAWN_ERRNO, 0x1a, 0x03, 0x40, 0x0c, 0, 0x0b, CONST, 0],
      status: 134,
    },
  ])("$what: $status", async ({ imports, body, options, status, reason }) => {
    const ended = await setUp.engine.run(
      { wasm: exiting(imports, body) },
      {
        timeoutMs: 20_000,
        ...options,
      },
    );
    expect(ended.exitCode).toBe(status);
    if (reason !== undefined) expect(ended.reason).toBe(reason);
  });

  test.each([
    { name: "unshared", limits: { minimum: 4 } },
    { name: "shared", limits: { minimum: 4, maximum: 8, shared: true } },
  ])("$name, that begins over its limit, is refused", async ({ limits }) => {
    const module = exiting([memory(limits), EXIT], MEMORY_PAGES);
    await expect(setUp.engine.run({ wasm: module }, limited)).rejects.toMatchObject({ code: "MEMORY_LIMIT" });
  });

  test("two of them: it is told that it can't have them", async () => {
    const other = { ...memory({ minimum: 1 }), name: "other" };
    const module = exiting([memory({ minimum: 1 }), other, EXIT], MEMORY_PAGES);
    await expect(setUp.engine.run({ wasm: module })).rejects.toMatchObject({
      code: "PROGRAM_IMPORTS",
      message: expect.stringContaining("env.memory, env.other"),
    });
  });
});
