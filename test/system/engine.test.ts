/** The engine as other programs use it: `runtime/engine/index.ts` in this process. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import { type GuestName, guest } from "../fixtures/guests.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const FILES = fileURLToPath(new URL("../../samples/files/files.wasm", import.meta.url));

let root: string;
let engine: Engine;
const guests = {} as Record<GuestName, string>;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "wpod-engine-"));
  engine = new Engine({ root });
  for (const name of ["cat", "spin", "exit", "env", "trap", "grow"] as const) {
    guests[name] = await guest(name);
  }
}, 120_000);
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

describe("a run", () => {
  test("answers the guest's status and what it printed", async () => {
    const result = await engine.run(guests.exit, { args: ["7"] });
    expect(result).toMatchObject({ exitCode: 7, oomKilled: false, reason: undefined, truncated: false });
  });

  const everyByte = Uint8Array.from({ length: 1 << 20 }, (_, index) => (index * 31) & 0xff);
  test.each([
    { name: "bytes", stdin: () => everyByte },
    { name: "a stream", stdin: () => Readable.from([everyByte.subarray(0, 5), everyByte.subarray(5)]) },
    {
      name: "an async iterable",
      stdin: () =>
        (async function* () {
          for (let at = 0; at < everyByte.length; at += 10_000) yield everyByte.subarray(at, at + 10_000);
        })(),
    },
  ])("takes its input from $name, every byte of it", async ({ stdin }) => {
    const { stdout } = await engine.run(guests.cat, { stdin: stdin() });
    expect(Buffer.from(stdout).equals(everyByte)).toBe(true);
  });

  test("without input reads the end at once", async () => {
    expect((await engine.run(guests.cat)).stdout.length).toBe(0);
  });

  test("hands its output to a function, piece by piece, and waits for it", async () => {
    const pieces: number[] = [];
    await engine.run(guests.cat, {
      stdin: everyByte,
      stdout: async (bytes) => {
        await new Promise(setImmediate);
        pieces.push(bytes.length);
      },
    });
    expect(pieces.reduce((sum, length) => sum + length, 0)).toBe(everyByte.length);
    expect(Math.max(...pieces)).toBeLessThanOrEqual(256 * 1024);
  });

  test("writes to a stream of the caller's, and leaves it open", async () => {
    const stream = new PassThrough();
    const chunks: Buffer[] = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    await engine.run(guests.cat, { stdin: "once ", stdout: stream });
    await engine.run(guests.cat, { stdin: "twice", stdout: stream });
    expect(Buffer.concat(chunks).toString()).toBe("once twice");
    expect(stream.writable).toBe(true);
  });

  test("collects no more than it may", async () => {
    const at = await engine.run(guests.cat, { stdin: "12345678", limits: { outputBytesMax: 8 } });
    expect({ stdout: text(at.stdout), truncated: at.truncated }).toEqual({
      stdout: "12345678",
      truncated: false,
    });
    const over = await engine.run(guests.cat, { stdin: "123456789", limits: { outputBytesMax: 8 } });
    expect({ stdout: text(over.stdout), truncated: over.truncated }).toEqual({
      stdout: "12345678",
      truncated: true,
    });
  });

  test("of a program that traps is 134, and says why", async () => {
    const result = await engine.run(guests.trap, { args: ["unreachable"] });
    expect(result.exitCode).toBe(134);
    expect(result.reason).toMatch(/^trap: /);
    expect(text(result.stderr)).toMatch(/the program trapped/);
  });

  test("twenty at once don't mix their input", async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        engine.run(guests.cat, { stdin: `guest ${index} `.repeat(20_000), env: { INDEX: `${index}` } }),
      ),
    );
    for (const [index, result] of results.entries()) {
      expect(text(result.stdout) === `guest ${index} `.repeat(20_000)).toBe(true);
    }
  });

  test("gives a guest nothing of the host's environment", async () => {
    process.env.WPOD_TEST_SECRET = "host only";
    const { stdout } = await engine.run(guests.env, { env: { GIVEN: "yes" } });
    delete process.env.WPOD_TEST_SECRET;
    expect(text(stdout)).toContain("GIVEN=yes");
    expect(text(stdout)).not.toContain("WPOD_TEST_SECRET");
    expect(text(stdout)).not.toContain(process.env.USER ?? "no such text");
  });
});

describe("ending a guest", () => {
  // How soon is a benchmark: `npm run bench -- abort`.
  test("an abort signal ends a spinning guest, and the run rejects", async () => {
    const abort = new AbortController();
    const container = await engine.launch(guests.spin, { signal: abort.signal });
    abort.abort();
    await expect(container.wait()).rejects.toMatchObject({ code: "ABORTED" });
    expect(container.status()).toBe("exited");
  });

  test("a signal that is aborted already starts nothing", async () => {
    await expect(engine.run(guests.spin, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(await engine.containers.list({ all: true })).toEqual([]);
  });

  test("a time-out kills: 137", async () => {
    const result = await engine.run(guests.spin, { timeoutMs: 50 });
    expect(result).toMatchObject({ exitCode: 137, reason: "timeout", oomKilled: false });
  });

  test.each([
    { signal: "SIGTERM", exitCode: 143 },
    { signal: "KILL", exitCode: 137 },
    { signal: "2", exitCode: 130 },
  ])("$signal ends it with $exitCode", async ({ signal, exitCode }) => {
    const container = await engine.launch(guests.spin);
    expect(container.status()).toBe("running");
    await container.kill(signal);
    expect((await container.wait()).exitCode).toBe(exitCode);
    expect(container.status()).toBe("exited");
  });

  test("signals that are ignored by default change nothing, unknown ones are refused", async () => {
    const container = await engine.launch(guests.spin);
    await container.kill("SIGWINCH");
    await expect(container.kill("SIGNOPE")).rejects.toMatchObject({ code: "USAGE" });
    expect(container.status()).toBe("running");
    await container.remove({ force: true });
  });

  test("a running container isn't removed without force", async () => {
    const container = await engine.launch(guests.spin, { remove: false });
    await expect(container.remove()).rejects.toMatchObject({ code: "CONTAINER_STATE" });
    await container.remove({ force: true });
    await expect(engine.containers.get(container.id)).rejects.toMatchObject({ code: "CONTAINER_NOT_FOUND" });
  });
});

describe("memory", () => {
  const MIB = 1 << 20;
  test("a guest that dies of its limit is OOMKilled: 137", async () => {
    const container = await engine.create(guests.grow, {
      args: ["256"],
      limits: { memoryBytesMax: 32 * MIB },
    });
    await container.start();
    expect(await container.wait()).toMatchObject({ exitCode: 137, oomKilled: true });
    expect((await engine.containers.get(container.id)).oomKilled).toBe(true);
    await container.remove();
  });

  test("one that stays below its limit isn't", async () => {
    const result = await engine.run(guests.grow, { args: ["8"], limits: { memoryBytesMax: 32 * MIB } });
    expect(result).toMatchObject({ exitCode: 0, oomKilled: false });
  });

  test("a module that needs more than the limit isn't started, and both numbers are told", async () => {
    const run = engine.run(guests.exit, { limits: { memoryBytesMax: 65_536 } });
    await expect(run).rejects.toMatchObject({
      code: "MEMORY_LIMIT",
      message: expect.stringMatching(/needs at least \d+ bytes .* the limit is 65536/),
    });
    expect(await engine.containers.list({ all: true })).toEqual([]);
  });
});

describe("a container's files", () => {
  test("can be written before it starts, and read when it has ended", async () => {
    const container = await engine.create(FILES, { args: ["cat", "/in/question"] });
    const before = await container.files();
    before.mkdirSync("/in");
    before.writeFileSync("/in/question", "what is left?");
    await container.start();
    await expect(container.files()).rejects.toMatchObject({ code: "CONTAINER_RUNNING" });
    const result = await container.wait();
    expect(text(result.stdout)).toBe("what is left?");
    const after = await container.files();
    expect(after.readFileSync("/in/question", "utf8")).toBe("what is left?");
    await container.remove();
  });

  test("of a killed one are gone, and that is said", async () => {
    const result = await engine.run(guests.spin, { timeoutMs: 20 });
    await expect(result.container.files()).rejects.toMatchObject({ code: "CONTAINER_STATE" });
  });
});

test("a bind mount shows the host's files, and read-only means it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wpod-bind-"));
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "sub", "file"), "from the host");
  const mounts = [{ type: "bind" as const, source: folder, target: "/data", readOnly: true }];
  const { stdout } = await engine.run(FILES, { args: ["cat", "/data/sub/file"], mounts });
  expect(text(stdout)).toBe("from the host");
  expect(readFileSync(join(folder, "sub", "file"), "utf8")).toBe("from the host");
  rmSync(folder, { recursive: true });
});

describe("records", () => {
  test("of a run that removes itself are gone at its end, of another stay", async () => {
    const gone = await engine.run(guests.exit, { name: "gone" });
    await expect(engine.containers.get("gone")).rejects.toMatchObject({ code: "CONTAINER_NOT_FOUND" });
    expect(gone.container.status()).toBe("exited");
    await engine.run(guests.exit, { name: "stays", remove: false, args: ["3"] });
    const record = await engine.containers.get("stays");
    expect(record).toMatchObject({ name: "stays", status: "exited", exitCode: 3, pid: 0 });
    expect(await engine.containers.get(record.id.slice(0, 12))).toEqual(record);
    await expect(engine.run(guests.exit, { name: "stays" })).rejects.toMatchObject({ code: "NAME_IN_USE" });
    await engine.containers.remove("stays");
  });

  test("a program that isn't there leaves none", async () => {
    await expect(engine.run(guests.exit, { name: "none", entrypoint: ["/nope"] })).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
    });
    expect(await engine.containers.list({ all: true })).toEqual([]);
  });

  test("logs keep both streams, line by line", async () => {
    const container = await engine.create(guests.cat, { name: "talks", stdin: "one\ntwo\nthree" });
    await container.start();
    await container.wait();
    const lines: string[] = [];
    for await (const line of engine.containers.logs("talks"))
      lines.push(`${line.stream} ${text(line.bytes)}`);
    expect(lines).toEqual(["stdout one", "stdout two", "stdout three"]);
    await container.remove();
  });
});

test("an engine that was disposed of ends its guests and refuses new ones", async () => {
  const other = new Engine({ root: join(root, "other") });
  const container = await other.launch(guests.spin);
  await other[Symbol.asyncDispose]();
  expect(container.status()).not.toBe("running");
  await expect(other.run("hello")).rejects.toMatchObject({ code: "USAGE" });
});

test("a damaged layer is named and set aside, and loading the image again brings it back", async () => {
  const module = join(root, "module.wasm");
  writeFileSync(module, readFileSync(FILES));
  const image = await engine.images.import(module, "damaged");
  const diffId = image.layers[0]!.diffId;
  const tar = join(root, "layers", "sha256", `${diffId.slice("sha256:".length)}.tar`);
  truncateSync(tar, 1000);
  await expect(engine.run("damaged")).rejects.toMatchObject({
    code: "BLOB_CORRUPT",
    message: expect.stringContaining(diffId),
  });
  expect(existsSync(tar)).toBe(false);
  expect((await engine.images.get("damaged")).id).toBe(image.id);
  await engine.images.import(module, "damaged");
  expect((await engine.run("damaged", { args: ["ls", "/"] })).exitCode).toBe(0);
});

test("a name that nobody chose gives way to one that is taken", async () => {
  const first = await engine.create(guests.exit);
  // The same two words again, once: what a long list of containers would meet by chance.
  const random = vi.spyOn(Math, "random").mockReturnValue(0);
  const taken = await engine.create(guests.exit);
  random.mockReturnValueOnce(0).mockReturnValueOnce(0).mockReturnValue(0.5);
  const second = await engine.create(guests.exit);
  random.mockRestore();
  expect(new Set([first.name, taken.name, second.name]).size).toBe(3);
  for (const container of [first, taken, second]) await container.remove();
});

test.each([
  { preopens: "/nope=/nope", message: /has no directory "\/nope"/ },
  { preopens: "nothing", message: /"nothing" is not NAME=\/PATH/ },
])("preopens $preopens are refused before anything runs", async ({ preopens, message }) => {
  const run = engine.run(guests.exit, { annotations: { "wpod.preopens": preopens } });
  await expect(run).rejects.toMatchObject({ code: "USAGE", message: expect.stringMatching(message) });
});

test.each([
  { platform: "wasi/wasm", fits: true },
  { platform: "wasip1/wasm", fits: true },
  { platform: "linux/amd64", fits: false },
])("an image of the store for $platform: $fits", async ({ platform, fits }) => {
  await engine.images.import(FILES, "platforms");
  const run = engine.run("platforms", { platform, args: ["ls", "/"] });
  if (fits) expect((await run).exitCode).toBe(0);
  else await expect(run).rejects.toMatchObject({ code: "IMAGE_PLATFORM" });
});
