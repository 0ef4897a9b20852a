/** What a tree may hold: the last byte and the last name fit, the next don't, and what goes comes back. */
import { describe, expect, test } from "vitest";
import { CHUNK_BYTES } from "../../../../runtime/core/vfs/chunk.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import type { OpenFile } from "../../../../shim/abi/system.ts";
import { openPath, READ } from "./inspect.ts";
import { makeLayer } from "./layer-fixture.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const nowNs = () => 0n;
const NEW = { ...READ, write: true, create: true };

function limited(bytesMax: number, inodesMax = 1000): { tree: FileSystem; root: OpenFile } {
  const tree = new FileSystem({ nowNs, device: 1n, bytesMax, inodesMax });
  return { tree, root: new MountTable(tree).openRoot(ROOT) };
}

describe("bytes", () => {
  test.each([1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5000])(
    "%d bytes fit, and no more",
    (bytesMax) => {
      const { tree, root } = limited(bytesMax);
      const file = openPath(root, "a", NEW);
      expect(file.write(new Uint8Array(bytesMax + 10))).toBe(bytesMax);
      expect(file.write(new Uint8Array(1))).toBe(-Errno.ENOSPC);
      expect(tree.usage().bytes).toBe(bytesMax);
      expect(file.seek(0, "end")).toBe(bytesMax);
      // What is there can be written again.
      expect(file.writeAt(new Uint8Array(bytesMax).fill(1), 0)).toBe(bytesMax);
      expect(file.truncate(0)).toBe(0);
      expect(tree.usage().bytes).toBe(0);
    },
  );

  test("two files share them", () => {
    const { root } = limited(1000);
    expect(openPath(root, "a", NEW).write(new Uint8Array(600))).toBe(600);
    const b = openPath(root, "b", NEW);
    expect(b.write(new Uint8Array(600))).toBe(400);
    expect(root.unlinkAt("a")).toBe(0);
    expect(b.write(new Uint8Array(200))).toBe(-Errno.ENOSPC);
  });

  test("an unlinked file gives them back when it is closed", () => {
    const { tree, root } = limited(1000);
    const file = openPath(root, "a", NEW);
    file.write(new Uint8Array(1000));
    root.unlinkAt("a");
    expect(tree.usage()).toEqual({ bytes: 1000, inodes: 1 });
    file.close();
    expect(tree.usage()).toEqual({ bytes: 0, inodes: 0 });
  });

  test("a replaced file gives them back", () => {
    const { tree, root } = limited(1000);
    const file = openPath(root, "a", NEW);
    file.write(new Uint8Array(900));
    file.close();
    openPath(root, "b", NEW).close();
    expect(root.renameAt("b", root, "a")).toBe(0);
    expect(tree.usage()).toEqual({ bytes: 0, inodes: 1 });
  });

  test("a hole costs nothing, single bytes far apart cost a page each", () => {
    const { tree, root } = limited(10_000);
    const file = openPath(root, "a", NEW);
    expect(file.truncate(2 ** 40)).toBe(0);
    expect(tree.usage().bytes).toBe(0);
    expect(file.writeAt(new Uint8Array(1), 2 ** 39)).toBe(1);
    expect(file.writeAt(new Uint8Array(1), 2 ** 38)).toBe(1);
    expect(tree.usage().bytes).toBe(8192);
    expect(file.writeAt(new Uint8Array(1), 2 ** 37)).toBe(-Errno.ENOSPC);
    expect(file.writeAt(new Uint8Array(9000), 2 ** 39)).toBe(4096 + 10_000 - 8192);
  });

  test("the target of a symbolic link costs what it is long, when that is more than 60 bytes", () => {
    const { tree, root } = limited(200);
    for (const [name, target, bytes] of [
      ["a", "t".repeat(60), 0],
      ["b", "t".repeat(61), 61],
      ["c", "é".repeat(30), 61],
      ["d", "é".repeat(31), 123],
    ] as const) {
      expect(root.makeSymlinkAt(target, name)).toBe(0);
      expect(tree.usage().bytes).toBe(bytes);
    }
    expect(root.makeSymlinkAt("t".repeat(78), "e")).toBe(-Errno.ENOSPC);
    expect(tree.usage()).toEqual({ bytes: 123, inodes: 4 });
    expect(root.makeSymlinkAt("t".repeat(77), "e")).toBe(0);
    expect(root.renameAt("a", root, "e")).toBe(0);
    for (const name of ["b", "d", "c", "e"]) expect(root.unlinkAt(name)).toBe(0);
    expect(tree.usage()).toEqual({ bytes: 0, inodes: 0 });
  });

  test("copying up needs room; without it nothing changes", () => {
    const layer = makeLayer({ entries: [{ path: "a", content: new Uint8Array(1000).fill(1) }] });
    const tree = new FileSystem({ layers: [layer], nowNs, device: 1n, bytesMax: 999 });
    const file = openPath(new MountTable(tree).openRoot(ROOT), "a", { write: true });
    expect(file.writeAt(new Uint8Array(1), 5)).toBe(-Errno.ENOSPC);
    expect(file.writeAt(new Uint8Array(1000), 0)).toBe(-Errno.ENOSPC);
    const seen = new Uint8Array(1000);
    expect(file.readAt(seen, 0)).toBe(1000);
    expect(seen.every((byte) => byte === 1)).toBe(true);
    expect(file.truncate(999)).toBe(0);
    expect(file.writeAt(new Uint8Array(1), 5)).toBe(1);
  });

  test("what was allocated can be written when all else is full", () => {
    const { tree, root } = limited(1_000_000);
    const file = openPath(root, "a", NEW);
    expect(file.allocate(0, 1_000_001)).toBe(-Errno.ENOSPC);
    expect(tree.usage().bytes).toBe(0);
    expect(file.allocate(300_000, 300_000)).toBe(0);
    expect(file.seek(0, "end")).toBe(600_000);
    const other = openPath(root, "b", NEW);
    while (other.write(new Uint8Array(100_000)) > 0);
    expect(tree.usage().bytes).toBe(1_000_000);
    expect(file.writeAt(new Uint8Array(300_000), 300_000)).toBe(300_000);
    expect(file.allocate(300_000, 300_000)).toBe(0);
    expect(file.allocate(2 ** 50, 10)).toBe(-Errno.ENOSPC);
    expect(file.allocate(0, Number.MAX_SAFE_INTEGER)).toBe(-Errno.ENOSPC);
    file.close();
    root.unlinkAt("a");
    other.close();
    root.unlinkAt("b");
    expect(tree.usage()).toEqual({ bytes: 0, inodes: 0 });
  });

  test("a file ends where numbers stop being exact", () => {
    // The byte stands at the end of its chunk, which it takes with it.
    const { root } = limited(CHUNK_BYTES);
    const file = openPath(root, "a", NEW);
    const max = Number.MAX_SAFE_INTEGER;
    expect(file.writeAt(new Uint8Array(1), max - 1)).toBe(1);
    expect(file.writeAt(new Uint8Array(2), max - 1)).toBe(1);
    expect(file.writeAt(new Uint8Array(1), max)).toBe(-Errno.EFBIG);
    expect(file.seek(0, "end")).toBe(max);
    expect(file.seek(1, "end")).toBe(-Errno.EOVERFLOW);
    expect(file.truncate(max)).toBe(0);
    expect(file.truncate(2 ** 53)).toBe(-Errno.EFBIG);
  });
});

describe("names", () => {
  test("the last one fits", () => {
    const { tree, root } = limited(1000, 4);
    expect(root.makeDirectoryAt("d", 0o755)).toBe(0);
    openPath(root, "a", NEW).close();
    expect(root.makeSymlinkAt("a", "s")).toBe(0);
    expect(root.linkAt("a", false, root, "b")).toBe(0);
    expect(root.openAt("c", NEW)).toBe(-Errno.ENOSPC);
    expect(root.makeDirectoryAt("e", 0o755)).toBe(-Errno.ENOSPC);
    expect(root.makeSymlinkAt("a", "t")).toBe(-Errno.ENOSPC);
    expect(root.linkAt("a", false, root, "c")).toBe(-Errno.ENOSPC);
    expect(tree.usage().inodes).toBe(4);
    // A rename needs none.
    expect(root.renameAt("a", root, "d/a")).toBe(0);
    for (const name of ["d/a", "b", "s"]) expect(root.unlinkAt(name)).toBe(0);
    expect(root.removeDirectoryAt("d")).toBe(0);
    expect(tree.usage()).toEqual({ bytes: 0, inodes: 0 });
  });

  test("inode numbers aren't used again", () => {
    const { root } = limited(1000);
    const seen = new Set<bigint>();
    for (let index = 0; index < 100; index++) {
      const file = openPath(root, "a", NEW);
      const stat = {} as import("../../../../shim/abi/system.ts").Stat;
      file.stat(stat);
      seen.add(stat.inode);
      file.close();
      root.unlinkAt("a");
    }
    expect(seen.size).toBe(100);
  });

  test("removing what the image has gives nothing, and takes nothing", () => {
    const layer = makeLayer({ entries: [{ path: "a" }, { path: "d/b" }] });
    const tree = new FileSystem({ layers: [layer], nowNs, device: 1n, inodesMax: 0 });
    const root = new MountTable(tree).openRoot(ROOT);
    expect(root.linkAt("a", false, root, "c")).toBe(-Errno.ENOSPC);
    expect(root.unlinkAt("a")).toBe(0);
    expect(root.unlinkAt("d/b")).toBe(0);
    expect(root.removeDirectoryAt("d")).toBe(0);
    expect(tree.usage()).toEqual({ bytes: 0, inodes: 0 });
    expect(root.openAt("a", NEW)).toBe(-Errno.ENOSPC);
  });
});
