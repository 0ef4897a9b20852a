/** A second program comes to a running container: what the first works on moves to the kernel under it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import { guest } from "../fixtures/guests.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const MOMENTS = LONG ? 1000 : 24;
const MODES = ["calls", "wait", "busy", "mixed"] as const;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let root: string;
let engine: Engine;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "wpod-hand-over-"));
  engine = new Engine({ root, placement: "worker" });
  await engine.images.import(await guest("selfcheck"), "selfcheck");
}, 120_000);
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** A program that checks its own files until there is `/stop`; it runs when this answers. */
async function start(mode: string) {
  const ready = Promise.withResolvers<void>();
  let printed = "";
  const container = await engine.launch("selfcheck", {
    args: [mode, "/work"],
    timeoutMs: 60_000,
    stdout: (bytes) => {
      printed += text(bytes);
      ready.resolve();
    },
  });
  void container.wait().then(() => ready.resolve());
  await ready.promise;
  return { container, printed: () => printed };
}

test.each(MODES)(
  "nothing is lost or seen twice, at random moments: %s",
  async (mode) => {
    const program = (await engine.images.get("selfcheck")).config.config?.Entrypoint?.[0] ?? "";
    for (let round = 0; round < MOMENTS / MODES.length; round++) {
      const { container, printed } = await start(mode);
      // The moment is what is tried.
      const delayMs = Math.random() * 20;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      // It may be ended with the container, by what it did.
      await container.exec([program, "touch", "/stop"]);
      const end = await container.wait();
      expect({ round, delayMs, exit: end.exitCode, printed: printed() }).toMatchObject({
        exit: 0,
        printed: expect.stringMatching(/^ready\nok \d+\n$/),
      });
    }
  },
  LONG ? 900_000 : 60_000,
);

describe("two programs", () => {
  test("the second sees what the first wrote, and the first what the second did", async () => {
    const { container } = await start("wait");
    const program = container.inspect().path;
    const log = await container.exec([program, "print", "/work/log"]);
    expect({ status: log.exitCode, stderr: text(log.stderr) }).toEqual({ status: 0, stderr: "" });
    expect(text(log.stdout)).toMatch(/^(\d+\n)+$/);
    await container.exec([program, "touch", "/stop"]);
    const end = await container.wait();
    expect(end.exitCode).toBe(0);
    const files = await end.container.files();
    expect(files.readdirSync("/")).toEqual(expect.arrayContaining(["stop", "work"]));
    expect(String(files.readFileSync("/work/log")).startsWith(text(log.stdout))).toBe(true);
  });

  test("the second ends with the first", async () => {
    const { container } = await start("busy");
    const program = container.inspect().path;
    const second = container.exec([program, "calls", "/other"]);
    const third = container.exec([program, "touch", "/other-was-there"]);
    await third;
    await container.kill("SIGKILL");
    expect(await second).toMatchObject({ exitCode: 137, reason: "SIGKILL" });
    expect((await container.wait()).exitCode).toBe(137);
  });

  test("what a killed one wrote is there, once the kernel has its files", async () => {
    const { container } = await start("calls");
    await container.exec([container.inspect().path, "touch", "/mark"]);
    await container.kill("SIGKILL");
    const files = await (await container.wait()).container.files();
    expect(files.existsSync("/mark")).toBe(true);
  });

  test("a program that isn't there, or a container that doesn't run, is refused", async () => {
    const { container } = await start("calls");
    await expect(container.exec(["/nothing"])).rejects.toMatchObject({ code: "COMMAND_NOT_FOUND" });
    await expect(container.exec([])).rejects.toMatchObject({ code: "USAGE" });
    await expect(container.exec([container.inspect().path], { workdir: "/nowhere" })).rejects.toMatchObject({
      code: "WORKDIR_NOT_FOUND",
    });
    await container.kill("SIGKILL");
    await container.wait();
    await expect(container.exec([container.inspect().path])).rejects.toMatchObject({
      code: "CONTAINER_STATE",
    });
  });

  test("an aborted one ends, and its container goes on", async () => {
    const { container } = await start("wait");
    const program = container.inspect().path;
    const abort = new AbortController();
    const second = container.exec([program, "busy", "/other"], {
      signal: abort.signal,
      stdout: () => abort.abort(),
    });
    await expect(second).rejects.toMatchObject({ code: "ABORTED" });
    expect(container.status()).toBe("running");
    expect(await container.exec([program, "busy", "/third"], { timeoutMs: 30 })).toMatchObject({
      exitCode: 137,
      reason: "timeout",
    });
    await container.exec([program, "touch", "/stop"]);
    expect((await container.wait()).exitCode).toBe(0);
  });
});
