/** What programs read and write: counted, and slowed down to what the container may, wherever its files are. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BURST_NS } from "../../runtime/core/quota/rate-limit.ts";
import { Engine } from "../../runtime/engine/index.ts";
import type { Container, ContainerUsage, Placement, RunOptions } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
const MIB = 1 << 20;
/** A block of the guest's. */
const BLOCK_BYTES = 65_536;
const BURST_MS = Number(BURST_NS) / 1e6;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let folder: string;
const engines = new Map<Placement, Engine>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wpod-io-"));
  const [disk, threads] = await Promise.all([guest("disk"), guest("threads")]);
  for (const placement of ["worker", "kernel"] as const) {
    const engine = new Engine({ root: join(folder, placement), placement });
    engines.set(placement, engine);
    await engine.images.import(disk, "disk");
    await engine.images.import(threads, "threads");
  }
}, 120_000);
afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
  cli.dispose();
});

describe.each(["worker", "kernel"] as const)("files with the %s", { timeout: 60_000 }, (placement) => {
  /** Does it, and then waits for its input, so that it can be looked at. Answers how long it took at least. */
  async function look(args: string[], options: RunOptions = {}): Promise<ContainerUsage & { ms: number }> {
    const stdin = new PassThrough();
    const startMs = performance.now();
    const waiting = Promise.withResolvers<number>();
    const container = await engines.get(placement)!.launch("disk", {
      args: [...args, "wait"],
      stdin,
      stdout(bytes) {
        if (text(bytes).includes("waiting")) waiting.resolve(performance.now() - startMs);
      },
      timeoutMs: 60_000,
      ...options,
    });
    const ended = container.wait();
    const ms = await Promise.race([waiting.promise, ended.then(() => Number.NaN)]);
    const stats = await container.stats();
    stdin.end("go\n");
    expect(await ended).toMatchObject({ exitCode: 0 });
    return { ...stats, ms };
  }

  test("are counted: bytes and operations, of regular files alone", async () => {
    const { io, disk } = await look(["fill", "/a", "1", "check", "/a", "1", "get", "/a"]);
    expect(io).toMatchObject({
      writeBytes: MIB,
      writeCount: 16,
      readCount: expect.any(Number),
      waitedUs: 0,
    });
    expect(disk).toMatchObject({ usedBytes: MIB, bytesHitCount: 0, inodesHitCount: 0 });
    expect(io.readBytes).toBeGreaterThanOrEqual(MIB);
    expect(disk.inodes).toBeGreaterThan(0);
  });

  test.each([
    { limits: { writeBps: 8 * MIB }, args: ["fill", "/a", "4"], leastMs: 500 },
    { limits: { writeIops: 128 }, args: ["fill", "/a", "4"], leastMs: 500 },
    { limits: { readBps: 8 * MIB }, args: ["fill", "/a", "4", "check", "/a", "4"], leastMs: 500 },
    { limits: { readIops: 128 }, args: ["fill", "/a", "4", "check", "/a", "4"], leastMs: 500 },
  ])("$limits: $args takes its time", async ({ limits, args, leastMs }) => {
    const { ms, io } = await look(args, { limits });
    expect(ms).toBeGreaterThanOrEqual(leastMs - BURST_MS);
    expect(io.waitedUs).toBeGreaterThan(0);
    expect(Object.values(io)).toContain(Object.values(limits)[0]);
  });

  test.each([
    { what: "a tmpfs", mounts: (): RunOptions["mounts"] => [{ type: "tmpfs", target: "/data" }] },
    { what: "a volume", mounts: (): RunOptions["mounts"] => [{ type: "volume", target: "/data" }] },
    {
      what: "a directory of the host",
      mounts: (): RunOptions["mounts"] => [
        { type: "bind", source: mkdtempSync(join(folder, "bound-")), target: "/data" },
      ],
    },
  ])("$what is one of them", async ({ mounts }) => {
    const limits = { writeBps: 2 * MIB };
    const { ms, io } = await look(["fill", "/data/a", "1"], { limits, mounts: mounts()! });
    expect(ms).toBeGreaterThanOrEqual(500 - BURST_MS);
    expect(io).toMatchObject({ writeBytes: MIB, writeCount: 16 });
    expect(io.waitedUs).toBeGreaterThan(0);
  });

  test("all programs of a container have one rate together", async () => {
    const limits = { writeBps: 8 * MIB };
    const container = await engines
      .get(placement)!
      .launch("disk", { args: ["wait"], stdin: new PassThrough(), limits, stdout: "ignore" });
    const startMs = performance.now();
    const ended = await Promise.all(
      ["/a", "/b", "/c"].map((path) => container.exec(["/disk.wasm", "fill", path, "2"])),
    );
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(750 - BURST_MS);
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect((await container.stats()).io.writeBytes).toBe(6 * MIB);
    await container.kill("SIGKILL");
    await container.wait();
  });

  test("threads of a program wait too", async () => {
    const startMs = performance.now();
    const { stdout } = await engines
      .get(placement)!
      .run("threads", { args: ["lines", "6", "100"], limits: { writeIops: 1000 }, timeoutMs: 60_000 });
    expect(text(stdout)).toBe(`${6 * 100 * 16}\n`);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(600 - BURST_MS);
  });

  /** Owes more than a day when its first block is written. */
  async function launchIndebted(): Promise<Container> {
    const container = await engines
      .get(placement)!
      .launch("disk", { args: ["fill", "/a", "1"], limits: { writeBps: 1 } });
    while ((await container.stats()).io.waitedUs === 0) await new Promise(setImmediate);
    return container;
  }

  test("who waits is ended at once", async () => {
    const container = await launchIndebted();
    expect((await container.stats()).io).toMatchObject({ writeBytes: BLOCK_BYTES, writeCount: 1 });
    await container.kill("SIGKILL");
    expect(await container.wait()).toMatchObject({ exitCode: 137, reason: "SIGKILL" });
  });

  test("a second program joins one that waits, and reads what nobody limits", async () => {
    const container = await launchIndebted();
    const second = await container.exec(["/disk.wasm", "own", "/a"]);
    expect(text(second.stdout)).toBe(`${BLOCK_BYTES} bytes\n`);
    expect(await container.stats()).toMatchObject({
      disk: { usedBytes: BLOCK_BYTES, bytesHitCount: 0 },
      io: { writeCount: 1 },
    });
    await container.kill("SIGKILL");
    await container.wait();
  });
});

test.each([
  { limits: { readBps: -1 }, message: "the limit readBps of -1 is no whole number from 0 on" },
  { limits: { writeIops: 1.5 }, message: "the limit writeIops of 1.5 is no whole number from 0 on" },
  {
    limits: { inodesMax: Number.NaN },
    message: "the limit inodesMax of NaN is no whole number from 0 on",
  },
  {
    limits: { diskBytesMax: 2 ** 60 },
    message: "the limit diskBytesMax of 1152921504606847000 is no whole number from 0 on",
  },
])("$limits is refused before anything starts", async ({ limits, message }) => {
  await expect(engines.get("worker")!.create("disk", { limits })).rejects.toMatchObject({
    code: "USAGE",
    message,
  });
});

test("inspect shows the limits as docker does, and a device is warned of", async () => {
  const flags = [
    "--device-read-bps",
    "/dev/sda:1mb",
    "--device-write-iops",
    "10",
    "--storage-opt",
    "size=1g",
  ];
  const { exitCode, stderr } = await cli.wpod(["run", "--name", "slow", ...flags, await guest("exit"), "0"]);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 0,
    stderr:
      "Warning: --device-read-bps holds for all files of the container together, whatever device it names\n",
  });
  const [{ HostConfig }] = JSON.parse(await cli.must(["inspect", "slow"]));
  expect(HostConfig).toMatchObject({
    BlkioDeviceReadBps: [{ Path: "/", Rate: MIB }],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [{ Path: "/", Rate: 10 }],
    StorageOpt: { size: `${2 ** 30}` },
  });
});

test.each([
  ["--device-read-bps", "x"],
  ["--device-write-iops", "-1"],
  ["--storage-opt", "size=0"],
])("wpod run %s %s makes nothing, and says why", async (flag, value) => {
  const { exitCode, stderr } = await cli.wpod(["run", flag, value, "-v", "unmade:/data", "nothing"]);
  expect(exitCode).toBe(125);
  expect(stderr).toMatch(new RegExp(`^Error: invalid ${flag} "${value}": .+\\n$`));
  expect(await cli.must(["volume", "ls", "-q"])).toBe("");
});
