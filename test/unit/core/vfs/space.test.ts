/** Who else sees what a tree holds, and says what it may. */
import { describe, expect, test } from "vitest";
import { type IoLimits, IoPage } from "../../../../runtime/core/quota/io-page.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { openPath, READ } from "./inspect.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const NEW = { ...READ, write: true, create: true };
const LIMITS: IoLimits = {
  readBps: 0,
  writeBps: 0,
  readIops: 0,
  writeIops: 0,
  diskBytesMax: 1000,
  diskInodesMax: 3,
};

function reporting() {
  const page = IoPage.create(LIMITS);
  const tree = new FileSystem({ nowNs: () => 0n, device: 1n, bytesMax: 5, inodesMax: 1 });
  const root = new MountTable(tree).openRoot(ROOT);
  const before = openPath(root, "before", NEW);
  expect(before.write(new Uint8Array(5))).toBe(5);
  tree.space.reportTo(page);
  return { page, tree, root };
}

test("is told what there was before, and all that comes and goes", () => {
  const { page, tree, root } = reporting();
  expect(page.usage).toMatchObject({ diskBytes: 5, diskInodes: 1 });
  const file = openPath(root, "a", NEW);
  file.write(new Uint8Array(700));
  expect(page.usage).toMatchObject({ diskBytes: 705, diskInodes: 2 });
  root.unlinkAt("a");
  file.close();
  expect(page.usage).toMatchObject({ diskBytes: 5, diskInodes: 1 });
  expect(tree.usage()).toEqual({ bytes: 5, inodes: 1 });
});

test("isn't told of what is set aside for what may come", () => {
  const { page, tree } = reporting();
  tree.space.setAside(500, 1);
  expect([tree.space.freeBytes, tree.space.freeInodes]).toEqual([495, 1]);
  tree.space.bytes += 1;
  expect(page.usage).toMatchObject({ diskBytes: 6, diskInodes: 1 });
  tree.space.setAside(-500, -1);
  expect(tree.usage()).toEqual({ bytes: 6, inodes: 1 });
});

describe("a limit that changes", () => {
  test("upwards gives room at once", () => {
    const { page, root } = reporting();
    const file = openPath(root, "a", NEW);
    expect(file.write(new Uint8Array(2000))).toBe(995);
    expect(file.write(new Uint8Array(1))).toBe(-Errno.ENOSPC);
    page.limits = { ...LIMITS, diskBytesMax: 1002 };
    expect(file.write(new Uint8Array(2000))).toBe(2);
    expect(page.usage).toMatchObject({ diskBytes: 1002, diskBytesHits: 1 });
  });

  test("downwards takes nothing away, and lets nothing more in", () => {
    const { page, root } = reporting();
    const file = openPath(root, "a", NEW);
    file.write(new Uint8Array(500));
    page.limits = { ...LIMITS, diskBytesMax: 100, diskInodesMax: 1 };
    expect(file.write(new Uint8Array(1))).toBe(-Errno.ENOSPC);
    expect(file.allocate(500, 1)).toBe(-Errno.ENOSPC);
    expect(file.writeAt(new Uint8Array(500), 0)).toBe(500);
    expect(root.makeDirectoryAt("d", 0o755)).toBe(-Errno.ENOSPC);
    expect(file.truncate(50)).toBe(0);
    expect(file.writeAt(new Uint8Array(100), 50)).toBe(45);
    expect(page.usage).toMatchObject({ diskBytes: 100, diskBytesHits: 2, diskInodesHits: 1 });
  });
});

describe("what is refused is counted by what there was too little of", () => {
  test.each([
    {
      what: "a byte",
      refused: (root: Root) => openPath(root, "before", NEW).writeAt(new Uint8Array(2000), 1000),
    },
    { what: "an allocation", refused: (root: Root) => openPath(root, "before", NEW).allocate(0, 1001) },
    { what: "a long target", refused: (root: Root) => root.makeSymlinkAt("t".repeat(1000), "s") },
  ])("bytes: $what", ({ refused }) => {
    const { page, root } = reporting();
    expect(refused(root)).toBe(-Errno.ENOSPC);
    expect(page.usage).toMatchObject({ diskBytesHits: 1, diskInodesHits: 0 });
  });

  test.each([
    { what: "a file", refused: (root: Root) => root.openAt("c", NEW) },
    { what: "a directory", refused: (root: Root) => root.makeDirectoryAt("c", 0o755) },
    { what: "a link", refused: (root: Root) => root.linkAt("before", false, root, "c") },
    { what: "a symbolic link", refused: (root: Root) => root.makeSymlinkAt("t", "c") },
  ])("inodes: $what", ({ refused }) => {
    const { page, root } = reporting();
    for (const name of ["a", "b"]) openPath(root, name, NEW).close();
    expect(refused(root)).toBe(-Errno.ENOSPC);
    expect(page.usage).toMatchObject({ diskBytesHits: 0, diskInodesHits: 1 });
  });
});

type Root = ReturnType<MountTable["openRoot"]>;
