/**
 * Four containers with one volume, whose programs are ended at random points: what is in the volume then is what they did, and
 * no space is lost.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FilesSpec, ProcessSpec } from "../../runtime/core/kernel/spec.ts";
import { FileSystem } from "../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../runtime/core/vfs/mount-table.ts";
import { PLAIN } from "../../runtime/core/vfs/open-options.ts";
import { KernelHost } from "../../runtime/engine/kernel-host.ts";
import { rootThrough } from "../../runtime/engine/live-files.ts";
import { openLayerDirectory } from "../../runtime/node/layerdir/layer-directory.ts";
import { FileType } from "../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type OpenOptions, type Stat } from "../../shim/abi/system.ts";
import { CLIENT_PROCESS, type ClientThread, ClientThreads } from "../fixtures/kernel-client/client-thread.ts";
import { numbers } from "../fixtures/kernel-client/numbers.ts";
import { Stress } from "../fixtures/kernel-client/stress.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
/** Of all containers together: each has a program that is compared, and one that does what it likes. */
const LIVES = LONG ? 150 : 12;
const CONTAINERS = 4;
const STEPS_MAX = LONG ? 2000 : 400;
/** More than all of them write: a model knows nothing of a full disk. */
const VOLUME_BYTES = (LONG ? 4096 : 256) * 1024 * 1024;
const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
/** `/` is the volume. */
const PROCESS: ProcessSpec = { ...CLIENT_PROCESS, preopens: [{ name: "/", path: "/volume" }] };

const OPEN: OpenOptions = { ...PLAIN, read: true, followLast: false, mode: 0o644 };

let scratch: string;
let folder: string;
let kernel: KernelHost;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "wpod-volume-stress-"));
  folder = join(scratch, "volume");
  kernel = new KernelHost();
});
afterEach(async () => {
  await kernel[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

function filesWithVolume(): FilesSpec {
  return {
    layers: [],
    snapshot: undefined,
    folders: [],
    mounts: [
      {
        kind: "volume",
        source: "stressed",
        target: "/volume",
        readOnly: false,
        sizeBytesMax: VOLUME_BYTES,
        mode: 0o755,
        // Little, so that most of it is written, and read again.
        keep: { kind: "folder", path: folder, identity: "", residentBytesMax: 2 * 1024 * 1024 },
        whenEmpty: "leave",
      },
    ],
    etcFiles: [],
    readOnly: false,
    diskBytesMax: 2 ** 30,
    inodesMax: 100_000,
  };
}

/** What a program had done, for certain, when it was ended. */
interface Life {
  seed: number;
  stepCount: number;
}

async function live(threads: ClientThreads, seed: number, stepsMin: number): Promise<Life> {
  const [own, wild] = await Promise.all([threads.start("model", seed), threads.start("work", seed)]);
  await until(own, stepsMin);
  // In either order: the one that is left goes on meanwhile.
  const both = seed % 2 === 0 ? [own, wild] : [wild, own];
  for (const client of both) await client.end();
  return { seed, stepCount: own.control[1]! };
}

/** It has done so many steps, or has failed. */
async function until({ worker, control }: ClientThread, count: number): Promise<void> {
  const failed = new Promise<never>((_, reject) => worker.once("error", reject));
  for (;;) {
    const seen = Atomics.load(control, 1);
    if (seen >= count) return;
    await Promise.race([Atomics.waitAsync(control, 1, seen).value, failed]);
  }
}

/** @returns everything that every container did, when all have ended */
async function stress(seed: number): Promise<Life[]> {
  const next = numbers(seed);
  const threads = await ClientThreads.open(kernel, "none", PROCESS);
  const lives: Life[] = [];
  let left = LIVES;
  const container = async (index: number): Promise<void> => {
    while (left-- > 0) {
      const tree = `container-${index}-${left}`;
      const own = seed * 100_000 + left * 7 + 1;
      const steps = 1 + next(STEPS_MAX);
      await kernel.openTree(tree, filesWithVolume(), ROOT);
      lives.push(await live(threads.of(tree), own, steps));
      // The others have the volume still, or nobody has.
      await kernel.closeTree(tree, false);
    }
  };
  await Promise.all(Array.from({ length: CONTAINERS }, (_, index) => container(index)));
  return lives;
}

/** What the same program leaves where it is alone: after so many steps, or in the middle of the next one. */
function statesAfter({ seed, stepCount }: Life): string[] {
  const fileSystem = new FileSystem({ nowNs: () => 0n, device: 1n });
  const root = new MountTable(fileSystem).openRoot(ROOT);
  root.makeDirectoryAt("shared", 0o777);
  const states: string[] = [];
  const look = () => states.push(describe(root, `model-${seed}`));
  let count = 0;
  const program = new Stress(root, seed, numbers(seed));
  if (stepCount === 0) look();
  program.runOwn(
    stepCount + 1,
    (done) => {
      count = done;
      if (done >= stepCount) look();
    },
    () => {
      if (count === stepCount) look();
    },
  );
  return states;
}

function entries(root: OpenFile, path: string): Map<string, FileType> {
  const found = new Map<string, FileType>();
  const directory = root.openAt(path, { ...OPEN, directory: true });
  if (isFailure(directory)) throw new Error(`${path} can't be listed: ${directory}`);
  let cookie = 0;
  for (let isOver = false; !isOver; ) {
    isOver = true;
    directory.readDirectory(cookie, (following, _inode, type, name) => {
      isOver = false;
      cookie = following;
      if (name !== "." && name !== "..") found.set(name, type);
      return true;
    });
  }
  directory.close();
  return found;
}

/** Names, links and contents below a directory, as one text. */
function describe(root: OpenFile, path: string): string {
  const lines: string[] = [];
  for (const [name, type] of [...entries(root, path)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const full = `${path}/${name}`;
    const stat = {} as Stat;
    expect(root.statAt(full, false, stat)).toBe(0);
    lines.push(`${full} ${type} ${type === FileType.directory ? "" : stat.linkCount}`);
    if (type === FileType.directory) lines.push(describe(root, full));
    if (type !== FileType.regularFile) continue;
    const file = root.openAt(full, OPEN);
    if (isFailure(file)) throw new Error(`${full} can't be opened: ${file}`);
    const bytes = new Uint8Array(stat.sizeBytes);
    expect(file.readAt(bytes, 0)).toBe(bytes.length);
    file.close();
    lines.push(
      Buffer.from(bytes)
        .toString("latin1")
        .replace(/(.)\1*/gs, (run) => `${run.charCodeAt(0)}x${run.length} `),
    );
  }
  return lines.join("\n");
}

function removeAll(root: OpenFile, path: string): void {
  for (const [name, type] of entries(root, path)) {
    const full = path === "." ? name : `${path}/${name}`;
    if (type === FileType.directory) {
      removeAll(root, full);
      expect(root.removeDirectoryAt(full)).toBe(0);
    } else expect(root.unlinkAt(full)).toBe(0);
  }
}

function expectModels(root: OpenFile, lives: readonly Life[]): void {
  for (const life of lives) {
    const found = describe(root, `model-${life.seed}`);
    const states = statesAfter(life);
    if (states.includes(found)) continue;
    const without = (text: string, other: string) =>
      text
        .split("\n")
        .filter((line) => !other.split("\n").includes(line))
        .join("\n");
    const differences = states.map(
      (state) => `found alone:\n${without(found, state)}\nwanted alone:\n${without(state, found)}`,
    );
    expect.fail(`after ${life.stepCount} steps of ${life.seed}:\n${differences.join("\nor\n")}`);
  }
}

/** The volume is open all the time: `container` has it, whatever becomes of the others. */
async function holdVolume(container: string): Promise<{ root: OpenFile; letGo: () => Promise<void> }> {
  await kernel.openTree(container, filesWithVolume(), ROOT);
  const seat = await kernel.seat(container, PROCESS);
  const root = rootThrough(seat);
  expect(root.makeDirectoryAt("shared", 0o777)).toBe(0);
  return {
    root,
    letGo: async () => {
      await kernel.leave(seat);
      await kernel.closeTree(container, false);
    },
  };
}

test(
  "opened alone afterwards, it has what they did, and nothing that nobody can reach",
  async () => {
    const { letGo } = await holdVolume("first");
    const lives = await stress(3);
    await letGo();
    expect(lives).toHaveLength(LIVES);
    const alone = openLayerDirectory(folder, { nowNs: () => 0n, device: 1n, identity: "" });
    try {
      const root = new MountTable(alone.fileSystem).openRoot(ROOT);
      expectModels(root, lives);
      removeAll(root, ".");
      expect(alone.fileSystem.usage()).toEqual({ bytes: 0, inodes: 0 });
    } finally {
      alone.close();
    }
  },
  LONG ? 1_800_000 : 120_000,
);

test(
  "while one container still has it, it has what the others did, and all of its space is there again",
  async () => {
    const { root, letGo } = await holdVolume("last");
    const lives = await stress(4);
    expectModels(root, lives);
    removeAll(root, ".");
    const file = root.openAt("all", { ...OPEN, write: true, create: true });
    if (isFailure(file)) throw new Error(`${file}`);
    expect(file.allocate(0, VOLUME_BYTES)).toBe(0);
    expect(file.allocate(0, VOLUME_BYTES + 1)).toBeLessThan(0);
    file.close();
    expect(await kernel.counts()).toMatchObject({ trees: 1, clients: 1, open: 1 });
    await letGo();
  },
  LONG ? 1_800_000 : 120_000,
);
