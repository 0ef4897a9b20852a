/** A run of operations on a file system, and what it looked like after each of them. */
import * as fc from "fast-check";
import { FileSystem } from "../../../../../runtime/core/vfs/file-system.ts";
import { type Journal, openJournal } from "../../../../../runtime/core/vfs/journal/journal.ts";
import type { MemoryNode } from "../../../../../runtime/core/vfs/memory-node.ts";
import { MountTable } from "../../../../../runtime/core/vfs/mount-table.ts";
import { buffersOf, restoreSnapshot, takeSnapshot } from "../../../../../runtime/core/vfs/snapshot.ts";
import type { StoreFolder } from "../../../../../runtime/core/vfs/store-folder.ts";
import { FileType } from "../../../../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type Stat } from "../../../../../shim/abi/system.ts";
import { list, READ } from "../inspect.ts";
import { makeLayer } from "../layer-fixture.ts";
import { USED_MEMORY } from "../used-memory.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const NAMES = ["a", "b", "c"];
const text = (value: string) => new TextEncoder().encode(value);

const layers = [
  makeLayer({
    entries: [
      { path: "a/a", content: text("lower") },
      { path: "a/b/c", content: text("deep") },
      { path: "b/a", hardLink: "a/a" },
      { path: "c", target: "a" },
    ],
  }),
  makeLayer({ entries: [{ path: "b/c", content: text("upper") }] }),
];

const path = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join("/"));
/** Most things happen at few places; a chunk's edge is one of them. */
const place = fc.oneof(fc.nat(60), fc.integer({ min: 262_100, max: 262_190 }), fc.nat(9000));

/** A long one counts. */
const target = fc.oneof(
  path,
  path.map((short) => short + "/.".repeat(40)),
);

export const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant("mkdir" as const), path }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("rmdir" as const), path }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("unlink" as const), path }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("write" as const), path, at: place, size: place }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("truncate" as const), path, size: place }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("allocate" as const), path, size: place }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("rename" as const), path, to: path }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("link" as const), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("symlink" as const), path, to: target }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("times" as const), path }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("sync" as const), path }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("later" as const), path }) },
);
export type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

export interface Kept {
  fileSystem: FileSystem;
  journal: Journal;
  root: OpenFile;
  /** Moves the clock. */
  clock: { ns: bigint };
}

/** @param rebuildBytes journals and data are made anew when so much of them is not needed */
export function openKept(
  folder: StoreFolder,
  residentBytesMax = 1 << 20,
  identity = "one",
  rebuildBytes = 1 << 20,
): Kept {
  const clock = { ns: 0n };
  const fileSystem = new FileSystem({
    layers,
    nowNs: () => ++clock.ns,
    device: 1n,
    bytesMax: 4e6,
    inodesMax: 1000,
  });
  const journal = openJournal(fileSystem, folder, {
    identity,
    residentBytesMax,
    deadBytesMin: rebuildBytes,
    growthBytesMin: rebuildBytes,
  });
  journal.pages.memory = USED_MEMORY;
  return { fileSystem, journal, root: new MountTable(fileSystem).openRoot(ROOT), clock };
}

/** As when a program's files go to another thread: the state goes along, and the folder is opened there. */
export function moveKept(
  kept: Kept,
  folder: StoreFolder,
  open: readonly MemoryNode[] = [],
): Kept & { nodes: readonly MemoryNode[] } {
  const isWritten = kept.journal.release();
  const state = takeSnapshot(kept.fileSystem, open);
  const moved = structuredClone(state, { transfer: buffersOf(state) });
  const fileSystem = new FileSystem({
    layers,
    nowNs: () => ++kept.clock.ns,
    device: 1n,
    bytesMax: 4e6,
    inodesMax: 1000,
  });
  const { nodes } = restoreSnapshot(fileSystem, moved);
  const options = { identity: "one", residentBytesMax: 300_000, deadBytesMin: 500, growthBytesMin: 500 };
  const journal = openJournal(fileSystem, folder, options, { nodes, isWritten });
  return { fileSystem, journal, root: new MountTable(fileSystem).openRoot(ROOT), clock: kept.clock, nodes };
}

let fillByte = 0;

/**
 * @param between called where it is two calls of a guest
 * @returns true: a sync was asked for, and answered
 */
export function apply({ root, clock }: Kept, one: Operation, between = () => {}): boolean {
  switch (one.op) {
    case "mkdir":
      root.makeDirectoryAt(one.path, 0o755);
      return false;
    case "rmdir":
      root.removeDirectoryAt(one.path);
      return false;
    case "unlink":
      root.unlinkAt(one.path);
      return false;
    case "rename":
      root.renameAt(one.path, root, one.to);
      return false;
    case "link":
      root.linkAt(one.path, false, root, one.to);
      return false;
    case "symlink":
      root.makeSymlinkAt(one.to, one.path);
      return false;
    case "times":
      root.setTimesAt(one.path, false, { kind: "set", ns: 77n }, { kind: "set", ns: clock.ns * 3n });
      return false;
    case "later":
      clock.ns += 6_000_000_000n;
      return false;
    default: {
      const file = root.openAt(one.path, { ...READ, write: true, create: true });
      if (isFailure(file)) return false;
      between();
      let isSynced = false;
      if (one.op === "write") file.writeAt(new Uint8Array(one.size).fill(++fillByte & 0xff || 1), one.at);
      else if (one.op === "truncate") file.truncate(one.size);
      else if (one.op === "allocate") file.allocate(0, one.size);
      else isSynced = file.sync(false) === 0;
      file.close();
      return isSynced;
    }
  }
}

/** All that a guest can see but the times of access, as one text. */
export function fingerprint({ fileSystem, root }: Pick<Kept, "fileSystem" | "root">): string {
  const lines: string[] = [JSON.stringify(fileSystem.usage())];
  describe(root, ".", lines);
  return lines.join("\n");
}

function describe(root: OpenFile, at: string, lines: string[]): void {
  for (const [name, type] of list(root, at)) {
    const full = at === "." ? name : `${at}/${name}`;
    const stat = {} as Stat;
    root.statAt(full, false, stat);
    let what = "";
    if (type === FileType.symbolicLink) what = String(root.readLinkAt(full));
    if (type === FileType.regularFile) what = contentOf(root, full, stat.sizeBytes);
    lines.push(
      `${full} ${type} ${stat.inode} ${stat.linkCount} ${stat.mode} ${stat.sizeBytes} ${stat.mtimeNs} ${stat.ctimeNs} ${what}`,
    );
    if (type === FileType.directory) describe(root, full, lines);
  }
}

/** Runs of equal bytes. */
function contentOf(root: OpenFile, full: string, sizeBytes: number): string {
  // A forged record may say anything; no operation here makes as much.
  if (sizeBytes > 10_000_000) return "large";
  const file = root.openAt(full, READ);
  if (isFailure(file)) return `errno ${-file}`;
  const bytes = new Uint8Array(sizeBytes);
  const count = file.read(bytes);
  file.close();
  if (count !== sizeBytes) return `read ${count}`;
  const runs: string[] = [];
  for (let start = 0; start < sizeBytes; ) {
    let end = start + 1;
    while (end < sizeBytes && bytes[end] === bytes[start]) end++;
    runs.push(`${bytes[start]}x${end - start}`);
    start = end;
  }
  return runs.join(",");
}
