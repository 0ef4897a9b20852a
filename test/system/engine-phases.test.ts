/** Ending, breaking and sharing things at the wrong moment: what a caller's program must survive. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import type { OutputTarget } from "../../runtime/engine/types.ts";
import { type GuestName, guest } from "../fixtures/guests.ts";

let root: string;
let engine: Engine;
const guests = {} as Record<GuestName, string>;
/** Over what is compiled at once: its compilation takes a while, and other things happen meanwhile. */
let large: Uint8Array;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "wpod-phases-"));
  engine = new Engine({ root });
  for (const name of ["cat", "spin", "exit"] as const) guests[name] = await guest(name);
  large = largeModule(2 << 20);
}, 120_000);
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** A program that does nothing, behind a custom section of this size. */
function largeModule(sizeBytes: number): Uint8Array {
  const leb = (value: number): number[] =>
    value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
  const section = (id: number, content: Uint8Array | number[]) => [id, ...leb(content.length)];
  const custom = new Uint8Array(sizeBytes);
  const start = [1, 6, ...Buffer.from("_start"), 0, 0];
  return Buffer.concat([
    Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    Buffer.from([1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...section(7, start), ...start, 10, 4, 1, 2, 0, 0x0b]),
    Buffer.from(section(0, custom)),
    custom,
  ]);
}

const recordCount = async () => (await engine.containers.list({ all: true })).length;

describe("while a module compiles", () => {
  test("an abort is seen: nothing starts, nothing is recorded", async () => {
    const abort = new AbortController();
    const run = engine.run({ wasm: large }, { signal: abort.signal });
    abort.abort();
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect(await recordCount()).toBe(0);
  });

  test("a second start is refused, and the first goes on", async () => {
    const container = await engine.create({ wasm: large });
    const [first, second] = await Promise.allSettled([container.start(), container.start()]);
    expect(first.status).toBe("fulfilled");
    expect(second).toMatchObject({ status: "rejected", reason: { code: "CONTAINER_STATE" } });
    expect((await container.wait()).exitCode).toBe(0);
    await container.remove();
  });

  test("a removed container doesn't start", async () => {
    const container = await engine.create({ wasm: large });
    const started = container.start();
    await Promise.all([
      expect(started).rejects.toMatchObject({ code: "CONTAINER_STATE" }),
      container.remove(),
    ]);
    expect(await recordCount()).toBe(0);
  });

  test("a disposal refuses what hasn't started, and twice is once", async () => {
    const other = new Engine({ root });
    await other.run(guests.exit);
    const run = other.run({ wasm: large });
    const refused = expect(run).rejects.toMatchObject({ code: "USAGE", message: /disposed/ });
    await Promise.all([other[Symbol.asyncDispose](), refused]);
    await other[Symbol.asyncDispose]();
    expect(await recordCount()).toBe(0);
  });
});

describe("whoever takes the output", () => {
  const INPUT = "x".repeat(1_000_000);
  const fails = () => {
    throw new Error("the caller's");
  };
  const closedMeanwhile = () => {
    const stream = new Writable({
      write() {
        setImmediate(() => stream.destroy());
      },
    });
    return stream;
  };
  test.each<{ name: string; stdout: () => OutputTarget }>([
    { name: "is a stream that fails", stdout: () => new Writable({ write: (_c, _e, done) => done(new Error("full")) }) },
    { name: "is a stream that was closed", stdout: () => new PassThrough().destroy() },
    { name: "is a stream that is closed in the middle of a write", stdout: closedMeanwhile },
  ])("$name: the guest's write fails, and nothing else does", async ({ stdout }) => {
    expect(await engine.run(guests.cat, { stdin: INPUT, stdout: stdout() })).toMatchObject({ exitCode: 1 });
  }); // biome-ignore format: a line for each

  test.each<{ name: string; stdout: () => OutputTarget }>([
    { name: "throws", stdout: () => fails },
    { name: "rejects", stdout: () => async () => fails() },
  ])("$name: the guest's write fails, and the caller is told", async ({ stdout }) => {
    const container = await engine.create(guests.cat, { stdin: INPUT, stdout: stdout() });
    await container.start();
    await expect(container.wait()).rejects.toThrow("the caller's");
    expect(container.inspect()).toMatchObject({ status: "exited", exitCode: 1 });
    await container.remove();
  });

  const never = () => new Promise<void>(() => {});

  test("never comes back: an abort waits for nobody", async () => {
    const abort = new AbortController();
    const taken = Promise.withResolvers<void>();
    const run = engine.run(guests.cat, {
      stdin: INPUT,
      signal: abort.signal,
      stdout: () => {
        taken.resolve();
        return never();
      },
    });
    await taken.promise;
    abort.abort();
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
  });

  test.each(["12", INPUT])(
    "never comes back: a kill ends it, whether the guest has ended or not",
    async (stdin) => {
      const container = await engine.launch(guests.cat, { stdin, stdout: never });
      await container.kill();
      await container.wait();
      expect(container.status()).toBe("exited");
    },
  );

  test("never comes back: a time-out ends it", async () => {
    await engine.run(guests.cat, { stdin: INPUT, stdout: never, timeoutMs: 100 });
  });

  test("gets what a killed guest has said", async () => {
    const ready = Promise.withResolvers<void>();
    let said = "";
    const container = await engine.launch(guests.spin, {
      args: ["ready"],
      stdout: async (bytes) => {
        ready.resolve();
        await new Promise(setImmediate);
        said += Buffer.from(bytes).toString();
      },
    });
    await ready.promise;
    await container.kill();
    await container.wait();
    expect(said).toBe("ready");
  });
});

describe("the input", () => {
  test("of a caller's stream that breaks is an end", async () => {
    const stdin = new Readable({
      read() {
        this.destroy(new Error("broken"));
      },
    });
    expect(await engine.run(guests.cat, { stdin })).toMatchObject({ exitCode: 0 });
  });

  test("that nobody reads stays in the caller's stream, for the next run", async () => {
    const stdin = new PassThrough();
    await engine.run(guests.exit, { stdin });
    stdin.end("kept");
    expect(Buffer.from((await engine.run(guests.cat, { stdin })).stdout).toString()).toBe("kept");
  });

  test("that never comes holds nobody up", async () => {
    const stdin = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    expect(await engine.run(guests.exit, { stdin })).toMatchObject({ exitCode: 0 });
  });

  test.each([{ stdin: 42 }, { stdin: {} }, { stdout: "somewhere" }, { stderr: 42 }])(
    "and output that are none are refused: %j",
    async (streams) => {
      const options = streams as object;
      await expect(engine.run(guests.exit, options)).rejects.toMatchObject({ code: "USAGE" });
      expect(await recordCount()).toBe(0);
    },
  );
});

test("twelve runs that share a signal and a stream leave no listener on them, and no warning", async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => void warnings.push(warning);
  process.on("warning", warn);
  const { signal } = new AbortController();
  const stdout = new PassThrough();
  stdout.resume();
  const before = stdout.listenerCount("error");
  await Promise.all(
    Array.from({ length: 12 }, (_, index) => engine.run(guests.cat, { stdin: `${index}`, signal, stdout })),
  );
  await new Promise(setImmediate);
  process.off("warning", warn);
  expect({ warnings, listeners: stdout.listenerCount("error") }).toEqual({ warnings: [], listeners: before });
});

describe("names", () => {
  test("that are made up don't collide, however many there are", async () => {
    const count = 300;
    const other = new Engine({ root: join(root, "names") });
    for (let index = 0; index < count; index++) await other.create(guests.exit);
    const names = (await other.containers.list({ all: true })).map(({ name }) => name);
    expect(new Set(names).size).toBe(count);
    await other[Symbol.asyncDispose]();
  });

  test("that are in use are refused, whichever engine has them; its own ends with force, another's doesn't", async () => {
    const other = new Engine({ root });
    const container = await engine.launch(guests.spin, { name: "mine" });
    await expect(other.run(guests.exit, { name: "mine" })).rejects.toMatchObject({ code: "NAME_IN_USE" });
    await expect(other.containers.remove("mine", { force: true })).rejects.toMatchObject({
      code: "CONTAINER_STATE",
    });
    await other[Symbol.asyncDispose]();
    expect(container.status()).toBe("running");
    expect(await engine.containers.remove("mine", { force: true })).toBe(container.id);
    expect((await container.wait()).exitCode).toBe(137);
    expect(await recordCount()).toBe(0);
  });
});
