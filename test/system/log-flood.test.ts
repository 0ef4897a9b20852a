/** Guests that print without end: their logs stay small, and it is they who wait for them. */
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BURST_NS } from "../../runtime/core/quota/rate-limit.ts";
import { LOG_BPS_MAX, LOG_FILE_BYTES_MAX, LOG_FILES_MAX } from "../../runtime/engine/limits.ts";
import type { Container, RunOptions } from "../../runtime/engine/types.ts";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
const MIB = 1 << 20;
const BURST_MS = Number(BURST_NS) / 1e6;
/** Of a record, beside its text. */
const RECORD_BYTES = "1970-01-01T00:00:00.000000000Z stdout F \n".length;

let setUp: Awaited<ReturnType<typeof engineForTest>>;
let flood: string;
let threads: string;
beforeAll(async () => {
  setUp = await engineForTest();
  [flood, threads] = await Promise.all([guest("flood"), guest("threads")]);
}, 120_000);
afterAll(async () => {
  await setUp[Symbol.asyncDispose]();
  cli.dispose();
});

/** With a log, and its output to nowhere else. */
async function print(program: string, args: string[], limits: RunOptions["limits"] = {}) {
  const startMs = performance.now();
  const options = { args, limits, log: true, remove: false, stdout: "ignore", timeoutMs: 60_000 } as const;
  const container = await setUp.engine.launch(program, options);
  const result = await container.wait();
  expect(result).toMatchObject({ exitCode: 0 });
  return { container, ms: performance.now() - startMs };
}

function filesOf(container: Container): { name: string; sizeBytes: number }[] {
  const folder = dirname(container.inspect().logPath!);
  const names = readdirSync(folder).filter((name) => name.startsWith("ctr.log"));
  return names.sort().map((name) => ({ name, sizeBytes: statSync(join(folder, name)).size }));
}

/** Of its standard output. */
async function linesOf(container: Container): Promise<string[]> {
  const lines: string[] = [];
  for await (const { stream, bytes } of setUp.engine.containers.logs(container.id)) {
    if (stream === "stdout") lines.push(new TextDecoder().decode(bytes));
  }
  return lines;
}

describe("a log", { timeout: 60_000 }, () => {
  test.each([
    { what: "many lines", args: ["lines", "400000"] },
    { what: "nothing but newlines, each of which is a record", args: ["empty", "1000000"] },
    { what: "a write of 100 MiB", args: ["once", `${100 * MIB}`] },
  ])("of $what has as many files as it may, and each is as long as it may be", async ({ args }) => {
    const { container } = await print(flood, args);
    const files = filesOf(container);
    expect(files).toHaveLength(LOG_FILES_MAX);
    for (const { sizeBytes } of files) expect(sizeBytes).toBeLessThanOrEqual(LOG_FILE_BYTES_MAX);
  });

  test("has the last of what was printed, as many files of it as somebody wants", async () => {
    const limits = { logFileBytesMax: 32_768, logFilesMax: 2, logBps: 0 };
    const { container } = await print(flood, ["lines", "20000"], limits);
    expect(filesOf(container).map(({ name }) => name)).toEqual(["ctr.log", "ctr.log.1"]);
    const perFile = Math.floor(32_768 / (RECORD_BYTES + 99));
    const kept = await linesOf(container);
    expect(kept.length).toBeGreaterThanOrEqual(perFile);
    expect(kept.length).toBeLessThanOrEqual(2 * perFile);
    expect(kept.map(Number)).toEqual(kept.map((_, index) => 20_000 - kept.length + index));
  });

  test("takes 64 MiB a second, and who prints more waits for it", async () => {
    const { ms } = await print(flood, ["once", `${64 * MIB}`]);
    expect(ms).toBeGreaterThanOrEqual((64 * MIB * 1000) / LOG_BPS_MAX - BURST_MS);
  });

  test.each([
    { what: "a program", program: () => flood, args: ["lines", "1000"], lineBytes: 99 },
    { what: "one with threads", program: () => threads, args: ["print", "4", "250"], lineBytes: 15 },
  ])("that is slow has all that $what printed", async ({ program, args, lineBytes }) => {
    const logBps = 2 * 1000 * (RECORD_BYTES + lineBytes);
    const { container, ms } = await print(program(), args, { logBps });
    expect(ms).toBeGreaterThanOrEqual(500 - BURST_MS);
    expect(await linesOf(container)).toHaveLength(1000);
  });

  test.each([
    { what: "a program", program: () => flood, args: ["lines", "300"], lineBytes: 99 },
    { what: "one with threads", program: () => threads, args: ["print", "3", "100"], lineBytes: 15 },
  ])("that is slow has all that $what shows on its terminal", async ({ program, args, lineBytes }) => {
    // With the returns that a terminal adds.
    const logBps = 2 * 300 * (RECORD_BYTES + lineBytes + 1);
    const startMs = performance.now();
    const options = { log: true, remove: false, tty: true, stdout: "ignore", timeoutMs: 60_000 } as const;
    const container = await setUp.engine.launch(program(), { args, limits: { logBps }, ...options });
    expect(await container.wait()).toMatchObject({ exitCode: 0 });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(500 - BURST_MS);
    expect((await linesOf(container)).length).toBeGreaterThanOrEqual(300);
  });

  test("that is not waited for has as much as it takes, and tells how much is missing", async () => {
    const limits = { logBps: 1000, logMode: "non-blocking" } as const;
    const { container } = await print(flood, ["lines", "50000"], limits);
    const kept = await linesOf(container);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(50_000);
    expect(Number(kept[0])).toBe(0);
  });

  test("is no reason that a program can't be ended", async () => {
    const options = { args: ["once", "1000000"], log: true, remove: false, stdout: "ignore" } as const;
    const container = await setUp.engine.launch(flood, { ...options, limits: { logBps: 1 } });
    while ((await container.stats()).log.writtenBytes === 0) await new Promise(setImmediate);
    await container.kill("SIGKILL");
    expect(await container.wait()).toMatchObject({ exitCode: 137 });
  });
});

test.each([
  {
    limits: { logFileBytesMax: 32_767 },
    message: "a log's file of 32767 bytes is too small: it has 32768 or more",
  },
  { limits: { logFilesMax: 0 }, message: "a log has 1 to 100 files, not 0" },
  { limits: { logFilesMax: 101 }, message: "a log has 1 to 100 files, not 101" },
  { limits: { logBps: -1 }, message: "the limit logBps of -1 is no whole number from 0 on" },
])("$limits is refused", async ({ limits, message }) => {
  await expect(setUp.engine.create(flood, { limits })).rejects.toMatchObject({ code: "USAGE", message });
});

test("wpod run takes docker's options, shows them, and keeps to them", async () => {
  const options = ["--log-opt", "max-size=64k", "--log-opt", "max-file=1", "--log-opt", "mode=non-blocking"];
  await cli.must(["run", "--name", "loud", ...options, flood, "lines", "5000"]);
  const [{ HostConfig, LogPath }] = JSON.parse(await cli.must(["inspect", "loud"]));
  expect(HostConfig.LogConfig).toEqual({
    Type: "k8s-file",
    Config: { "max-size": "65536", "max-file": "1", mode: "non-blocking" },
  });
  expect(statSync(LogPath).size).toBeLessThanOrEqual(65_536);
  expect(readdirSync(dirname(LogPath)).filter((name) => name.startsWith("ctr.log"))).toEqual(["ctr.log"]);
  expect((await cli.must(["logs", "--tail", "2", "loud"])).length).toBeGreaterThan(0);
  const refused = await cli.wpod(["run", "--log-opt", "max-size=1k", flood]);
  expect(refused).toMatchObject({
    exitCode: 125,
    stderr: 'Error: invalid --log-opt "max-size=1k": a file has 32768 bytes or more\n',
  });
});
