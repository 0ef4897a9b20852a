/** Writable layers on disk: what a container wrote is there when it has ended, however it did. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine, type RunOptions } from "../../runtime/engine/index.ts";
import { guest } from "../fixtures/guests.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Several times what may be in memory. */
const BIG_MIB = process.env.WPOD_TEST_LONG === "1" ? 1024 : 160;

let root: string;
let disk: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "wpod-lasting-"));
  disk = await guest("disk");
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe.each(["worker", "kernel"] as const)("placement %s:", (placement) => {
  let engine: Engine;
  beforeAll(() => {
    engine = new Engine({ root, placement });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  /** With a record that stays. */
  async function kept(args: string[], options: RunOptions = {}) {
    const container = await engine.create(disk, { args, log: false, ...options });
    await container.start();
    return container;
  }

  test("a container that stays has its files on disk after its end", async () => {
    const container = await kept(["put", "/tmp/note", "hello"]);
    expect((await container.wait()).exitCode).toBe(0);
    const folder = join(root, "containers", container.id, "layer");
    expect(readdirSync(folder).sort()).toEqual(["data.1", "journal"]);
    const files = await container.files();
    expect(files.readFileSync("/tmp/note", "utf8")).toBe("hello");
    await container.remove();
    expect(existsSync(folder)).toBe(false);
  });

  test("and when it was killed, what was synced", async () => {
    const spinning = Promise.withResolvers<void>();
    const container = await kept(["put", "/tmp/note", "synced", "sync", "/tmp/note", "spin"], {
      stdout: () => spinning.resolve(),
    });
    await spinning.promise;
    await container.kill("SIGKILL");
    expect((await container.wait()).exitCode).toBe(137);
    expect((await container.files()).readFileSync("/tmp/note", "utf8")).toBe("synced");
    await container.remove();
  });

  test.each(["spin", "wait"])("and when it was killed in a %s, what it wrote last, too", async (last) => {
    const busy = Promise.withResolvers<void>();
    const container = await kept(["put", "/tmp/note", "a", "put", "/tmp/note", "not synced", last], {
      stdin: new PassThrough(),
      stdout: () => busy.resolve(),
    });
    await busy.promise;
    await container.kill("SIGKILL");
    expect((await container.wait()).exitCode).toBe(137);
    expect((await container.files()).readFileSync("/tmp/note", "utf8")).toBe("not synced");
    await container.remove();
  });

  test("one that wrote nothing leaves nothing there", async () => {
    const container = await kept(["own", "/tmp"]);
    expect((await container.wait()).exitCode).toBe(0);
    const folder = join(root, "containers", container.id, "layer");
    expect(existsSync(folder)).toBe(false);
    // What it was run with is seen nevertheless.
    expect((await container.files()).existsSync("/tmp")).toBe(true);
    await container.remove();
  });

  test("what an embedder put there before the start is seen, and stays", async () => {
    const container = await engine.create(disk, {
      args: ["get", "/given", "put", "/tmp/note", "mine"],
      log: false,
    });
    (await container.files()).writeFileSync("/given", "from outside");
    await container.start();
    const result = await container.wait();
    expect(text(result.stdout)).toBe("from outside\n");
    const files = await container.files();
    expect(files.readFileSync("/given", "utf8")).toBe("from outside");
    expect(files.readFileSync("/tmp/note", "utf8")).toBe("mine");
    await container.remove();
  });

  test.each([
    ["that stays", false],
    ["that goes", true],
  ])("a container %s writes more than its memory, and reads it back", async (_name, remove) => {
    const result = await engine.run(disk, {
      args: ["fill", "/tmp/big", `${BIG_MIB}`, "check", "/tmp/big", `${BIG_MIB}`],
      limits: { memoryBytesMax: 64 << 20 },
      remove,
      log: false,
    });
    expect(text(result.stdout)).toBe("");
    expect(result.exitCode).toBe(0);
    const files = await result.container.files();
    expect(files.statSync("/tmp/big").size).toBe(BIG_MIB * 2 ** 20);
    await result.container.remove();
    expect(existsSync(join(root, "tmp")) ? readdirSync(join(root, "tmp")) : []).toEqual([]);
  });
});
