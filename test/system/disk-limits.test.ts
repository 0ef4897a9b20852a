/** Guests that hoard files of every kind: each limit is met exactly, kept over a restart, and what the host spends is in proportion. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { INODE_BYTES } from "../../runtime/core/vfs/inode-memory.ts";
import { Engine } from "../../runtime/engine/index.ts";
import type { Limits, MountSpec, Placement, RunOptions } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
const MIB = 1 << 20;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const LIMITS: Limits = { diskBytesMax: MIB, inodesMax: 1000 };

let folder: string;
const engines = new Map<Placement, Engine>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wpod-disk-"));
  for (const placement of ["worker", "kernel"] as const) {
    const engine = new Engine({ root: join(folder, placement), placement });
    engines.set(placement, engine);
    await engine.images.import(await guest("hoard"), "hoard");
  }
}, 120_000);
afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
  cli.dispose();
});

/** What all files there take on the host. */
function bytesIn(path: string): number {
  const names = readdirSync(path, { recursive: true }) as string[];
  return names.map((name) => statSync(join(path, name)).size).reduce((sum, size) => sum + size, 0);
}

describe.each(["worker", "kernel"] as const)("with the %s", { timeout: 60_000 }, (placement) => {
  /** @returns lines: what, how many, why no more; and what it used then */
  async function hoard(args: string[], options: RunOptions = {}) {
    const waiting = Promise.withResolvers<void>();
    const stdin = new PassThrough();
    let printed = "";
    const container = await engines.get(placement)!.launch("hoard", {
      args: [...args, "wait"],
      stdin,
      stdout(bytes) {
        printed += text(bytes);
        if (printed.includes("waiting")) waiting.resolve();
      },
      timeoutMs: 60_000,
      ...options,
    });
    const ended = container.wait();
    await Promise.race([waiting.promise, ended]);
    const { disk } = await container.stats();
    stdin.end("x");
    expect(await ended).toMatchObject({ exitCode: 0 });
    const lines = printed.split("\n").slice(0, -2);
    return { container, lines, disk };
  }

  const countOf = (line: string | undefined) => Number(line?.split(" ")[1]);

  test.each(["files", "names", "folders", "nested"])("%s: as many as there are inodes", async (what) => {
    const { lines, disk } = await hoard([what, "/", "5000"], { limits: LIMITS });
    const count = countOf(lines[0]);
    expect(lines).toEqual([`${what} ${count} ENOSPC`]);
    // The root, and what else the runtime puts there.
    expect(count).toBeGreaterThan(980);
    expect(disk).toMatchObject({ inodes: 1000, inodesHitCount: 1, bytesHitCount: 0 });
    expect(disk.usedBytes).toBe(what === "files" ? count : 0);
  });

  test("links: each is an inode more", async () => {
    const { lines, disk } = await hoard(["links", "/", "5000", "files", "/", "1"], { limits: LIMITS });
    expect(lines[0]).toMatch(/^links 9[89]\d ENOSPC$/);
    expect(lines[1]).toBe("files 0 ENOSPC");
    expect(disk).toMatchObject({ usedBytes: 0, inodes: 1000, inodesHitCount: 2 });
  });

  test("symlinks: their targets are bytes", async () => {
    const { lines, disk } = await hoard(["symlinks", "/", "5000"], { limits: LIMITS });
    const count = Math.floor(MIB / 4095);
    expect(lines).toEqual([`symlinks ${count} ENOSPC`]);
    expect(disk).toMatchObject({ usedBytes: count * 4095, bytesHitCount: 1, inodesHitCount: 0 });
  });

  test("holes: each byte in one takes a page", async () => {
    const { lines, disk } = await hoard(["holes", "/", "5000"], { limits: LIMITS });
    const count = countOf(lines[0]);
    expect(lines).toEqual([`holes ${count} ENOSPC`]);
    expect(count).toBeLessThanOrEqual(MIB / 4096);
    expect(disk.usedBytes).toBeLessThanOrEqual(MIB);
    expect(disk.usedBytes).toBeGreaterThanOrEqual(count * 4096);
  });

  test("what was removed is there again, however often", async () => {
    const args = ["churn", "/", "20000", "files", "/", "5000"];
    const { lines, disk } = await hoard(args, { limits: LIMITS });
    expect(lines[0]).toBe("churn 20000 ok");
    expect(lines[1]).toMatch(/^files 9[89]\d ENOSPC$/);
    expect(disk).toMatchObject({ inodes: 1000, bytesHitCount: 0, inodesHitCount: 1 });
  });

  test.each([
    { args: ["rewrite", "/", "100"], hostBytesMax: 12 * MIB },
    { args: ["churn", "/", "20000"], hostBytesMax: 12 * MIB },
    { args: ["symlinks", "/", "5000"], hostBytesMax: 4 * MIB },
    { args: ["names", "/", "5000"], hostBytesMax: 4 * MIB },
    { args: ["holes", "/", "5000"], hostBytesMax: 4 * MIB },
  ])(
    "$args takes of the host's disk what it was charged for, times a few",
    async ({ args, hostBytesMax }) => {
      const limits = { ...LIMITS, diskBytesMax: 2 * MIB };
      const { container } = await hoard(args, { limits, remove: false });
      const path = join(engines.get(placement)!.root, "containers", container.id);
      expect(bytesIn(path)).toBeLessThanOrEqual(hostBytesMax);
      await container.remove();
    },
  );

  test.each(["names", "folders", "links"])(
    "%s beyond a thousand are memory of the container",
    async (what) => {
      const { lines, disk } = await hoard([what, "/", "50000"], { limits: { memoryBytesMax: 8 * MIB } });
      const count = countOf(lines[0]);
      // A file that is opened takes some, too.
      expect(lines[0]).toMatch(/ENO(SPC|MEM)$/);
      // The guest itself has some.
      expect(count).toBeLessThanOrEqual(1024 + (8 * MIB) / INODE_BYTES);
      expect(count).toBeGreaterThan(2000);
      expect(disk).toMatchObject({ bytesHitCount: 0, inodesHitCount: 0 });
    },
  );

  /** The same volume in one container after the other. */
  async function withVolume(name: string, args: string[]): Promise<string[]> {
    const mounts: MountSpec[] = [{ type: "volume", source: name, target: "/data" }];
    return (await hoard(args, { mounts, remove: true })).lines;
  }

  test("a volume has as many bytes and inodes as it was made with, in every container", async () => {
    const { volumes } = engines.get(placement)!;
    await volumes.create({ name: "small", options: { size: "40950", inodes: "100" } });
    expect(await withVolume("small", ["symlinks", "/data", "7"])).toEqual(["symlinks 7 ok"]);
    expect(await withVolume("small", ["names", "/data", "80"])).toEqual(["names 80 ok"]);
    expect(await withVolume("small", ["folders", "/data", "50"])).toEqual(["folders 13 ENOSPC"]);
  });

  test("and each byte that was taken in one is taken in the next", async () => {
    const { volumes } = engines.get(placement)!;
    await volumes.create({ name: "full", options: { size: `${10 * 4095 + 5}` } });
    expect(await withVolume("full", ["symlinks", "/data", "6"])).toEqual(["symlinks 6 ok"]);
    expect(await withVolume("full", ["files", "/data", "5"])).toEqual(["files 5 ok"]);
    // 16380 bytes are left, and each byte in a hole takes 4096.
    expect(await withVolume("full", ["holes", "/data", "9"])).toEqual(["holes 3 ENOSPC"]);
    expect(await withVolume("full", ["folders", "/data", "1", "symlinks", "/data/folders0", "9"])).toEqual([
      "folders 1 ok",
      "symlinks 0 ENOSPC",
    ]);
  });

  test("a tmpfs has as many inodes as it was given, and the writable layer its own", async () => {
    const mounts: MountSpec[] = [{ type: "tmpfs", target: "/data", inodesMax: 10 }];
    const { lines, disk } = await hoard(["names", "/data", "50", "files", "/", "50"], { mounts });
    expect(lines).toEqual(["names 10 ENOSPC", "files 50 ok"]);
    expect(disk).toMatchObject({ usedBytes: 50, inodesHitCount: 0 });
  });
});

test("wpod volume create takes a size, shows it, and keeps to it", async () => {
  const hoardGuest = await guest("hoard");
  await cli.must(["volume", "create", "-o", "size=100,inodes=7", "tiny"]);
  const [{ Options }] = JSON.parse(await cli.must(["volume", "inspect", "tiny"]));
  expect(Options).toEqual({ size: "100", inodes: "7" });
  const run = (...args: string[]) => cli.must(["run", "--rm", "-v", "tiny:/d", hoardGuest, ...args]);
  expect(await run("files", "/d", "5")).toBe("files 5 ok\n");
  expect(await run("folders", "/d", "5")).toBe("folders 2 ENOSPC\n");
  const tmpfs = ["run", "--rm", "--tmpfs", "/t:nr_inodes=3,size=64k", hoardGuest, "files", "/t", "9"];
  expect(await cli.must(tmpfs)).toBe("files 3 ENOSPC\n");
  const own = ["run", "--rm", "--storage-opt", "size=3", hoardGuest, "files", "/", "9"];
  expect(await cli.must(own)).toBe("files 3 ENOSPC\n");
});

test.each([
  { option: "size=0", why: "a size is a number with a unit, such as 64m or 1g" },
  { option: "inodes=-1", why: "inodes are a whole number from 1 on" },
  { option: "o=size=x", why: "a size is a number with a unit, such as 64m or 1g" },
])("wpod volume create -o $option makes nothing, and says why", async ({ option, why }) => {
  const { exitCode, stderr } = await cli.wpod(["volume", "create", "-o", option, "unmade"]);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 125,
    stderr: `Error: invalid volume option ${option.replace(/^o=/, "")}: ${why}\n`,
  });
  expect(await cli.must(["volume", "ls", "-q", "--filter", "name=unmade"])).toBe("");
});
