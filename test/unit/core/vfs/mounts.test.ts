/** Trees mounted on one another: what can be crossed, what can't, and what is left alone. */
import { describe, expect, test } from "vitest";
import { deviceTree } from "../../../../runtime/core/vfs/devices.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { OpenFile, Stat } from "../../../../shim/abi/system.ts";
import { plant } from "./case-file.ts";
import { dump, list, openPath, READ, readText } from "./inspect.ts";
import { plantMemory } from "./plant-memory.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const GUEST = { uid: 1000, gid: 1000, groups: [], umask: 0o022 };
const nowNs = () => 1_700_000_000_000_000_000n;
const KEEP = { kind: "keep" } as const;
const NOW = { kind: "now" } as const;

function treeOf(device: bigint, tree: Record<string, string>): FileSystem {
  const made = new FileSystem({ nowNs, device });
  plantMemory(made, plant({ name: "", tree, steps: [] }));
  return made;
}

function setUp(readOnly = false): { table: MountTable; root: OpenFile; inner: FileSystem } {
  const outer = treeOf(1n, {
    "m/": "",
    "m/hidden": "x",
    "d/": "",
    f: "outer",
    s: "-> m/s",
    "to/": "",
    "to/l": "-> ../m",
  });
  const inner = treeOf(2n, { a: "inner", "e/": "", "e/b": "deep", s: "-> ../f", up: "-> /f" });
  const table = new MountTable(outer);
  table.mount("/m", { tree: inner, readOnly });
  return { table, root: table.openRoot(ROOT), inner };
}

function deviceAt(root: OpenFile, path: string): bigint {
  const stat = {} as Stat;
  expect(root.statAt(path, true, stat)).toBe(0);
  return stat.device;
}

describe("a mount", () => {
  test("hides what was there, and shows its own", () => {
    const { root } = setUp();
    expect(list(root, "m").map(([name]) => name)).toEqual(["a", "e", "s", "up"]);
    expect(root.statAt("m/hidden", true, {} as Stat)).toBe(-Errno.ENOENT);
    expect(deviceAt(root, "m")).toBe(2n);
    expect(deviceAt(root, "m/e/..")).toBe(2n);
  });

  test("is left by two dots", () => {
    const { root } = setUp();
    expect(readText(root, "m/../f")).toBe("outer");
    expect(readText(root, "m/e/../../f")).toBe("outer");
    expect(readText(root, "m/e/b")).toBe("deep");
    expect(deviceAt(root, "m/..")).toBe(1n);
    const opened = openPath(root, "m/e");
    expect(readText(opened, "../../f")).toBe("outer");
  });

  test("is entered and left by links", () => {
    const { root } = setUp();
    expect(readText(root, "to/l/a")).toBe("inner");
    expect(readText(root, "m/s")).toBe("outer");
    expect(readText(root, "s")).toBe("outer");
    expect(readText(root, "m/up")).toBe("outer");
  });

  test("has the parent's number for two dots in a listing", () => {
    const { root } = setUp();
    const stat = {} as Stat;
    root.stat(stat);
    const seen: bigint[] = [];
    openPath(root, "m").readDirectory(0, (_cookie, inode) => seen.push(inode) < 2);
    expect(seen[1]).toBe(stat.inode);
  });

  test("can't be removed, renamed or replaced", () => {
    const { root } = setUp();
    expect(root.removeDirectoryAt("m")).toBe(-Errno.EBUSY);
    expect(root.renameAt("m", root, "n")).toBe(-Errno.EBUSY);
    expect(root.renameAt("d", root, "m")).toBe(-Errno.EBUSY);
    expect(root.unlinkAt("m")).toBe(-Errno.EISDIR);
    expect(readText(root, "m/a")).toBe("inner");
  });

  test("is not crossed by rename and link", () => {
    const { root } = setUp();
    expect(root.renameAt("f", root, "m/f")).toBe(-Errno.EXDEV);
    expect(root.renameAt("m/a", root, "a")).toBe(-Errno.EXDEV);
    expect(root.linkAt("f", false, root, "m/f")).toBe(-Errno.EXDEV);
    expect(root.renameAt("m/a", root, "m/e/a")).toBe(0);
  });

  test("moves with the directory that it stands in", () => {
    const outer = treeOf(1n, { "d/": "", "d/m/": "" });
    const table = new MountTable(outer);
    table.mount("/d/m", { tree: treeOf(2n, { a: "inner" }) });
    const root = table.openRoot(ROOT);
    expect(root.renameAt("d", root, "e")).toBe(0);
    expect(readText(root, "e/m/a")).toBe("inner");
    expect(deviceAt(root, "e/m/..")).toBe(1n);
  });

  test("on a mount, and on the same place again", () => {
    const { table, root } = setUp();
    table.mount("/m/e", { tree: treeOf(3n, { c: "third" }) });
    expect(dump(root, "m/e")).toEqual({ "m/e/c": "third" });
    expect(readText(root, "m/e/../a")).toBe("inner");
    expect(readText(root, "m/e/../../f")).toBe("outer");
    table.mount("/m", { tree: treeOf(4n, { z: "over" }) });
    expect(dump(root, "m")).toEqual({ "m/z": "over" });
    expect(readText(root, "m/../f")).toBe("outer");
  });
});

describe("a read-only mount", () => {
  const writes: { name: string; run: (root: OpenFile) => unknown }[] = [
    { name: "open for writing", run: (root) => root.openAt("m/a", { ...READ, write: true }) },
    { name: "truncate", run: (root) => root.openAt("m/a", { ...READ, truncate: true }) },
    { name: "create", run: (root) => root.openAt("m/n", { ...READ, create: true }) },
    { name: "mkdir", run: (root) => root.makeDirectoryAt("m/n", 0o755) },
    { name: "rmdir", run: (root) => root.removeDirectoryAt("m/e") },
    { name: "unlink", run: (root) => root.unlinkAt("m/a") },
    { name: "symlink", run: (root) => root.makeSymlinkAt("x", "m/n") },
    { name: "link", run: (root) => root.linkAt("m/a", false, root, "m/n") },
    { name: "rename", run: (root) => root.renameAt("m/a", root, "m/n") },
    { name: "utimes", run: (root) => root.setTimesAt("m/a", true, NOW, NOW) },
    { name: "futimes", run: (root) => openPath(root, "m/a").setTimes(KEEP, NOW) },
    { name: "futimes of a directory", run: (root) => openPath(root, "m/e").setTimes(NOW, NOW) },
  ];
  test.each(writes)("$name is EROFS, and nothing changes", ({ run }) => {
    const { root } = setUp(true);
    const before = dump(root);
    expect(run(root)).toBe(-Errno.EROFS);
    expect(dump(root)).toEqual(before);
  });

  test("names that are there or not there are told first", () => {
    const { root } = setUp(true);
    expect(root.makeDirectoryAt("m/e", 0o755)).toBe(-Errno.EEXIST);
    expect(root.unlinkAt("m/nothing")).toBe(-Errno.ENOENT);
    expect(openPath(root, "m/a", { create: true }).type).toBe(FileType.regularFile);
  });

  test("of a tree that is mounted for writing elsewhere launders nothing", () => {
    const { table, root, inner } = setUp();
    table.mount("/d", { tree: inner, readOnly: true });
    expect(root.linkAt("d/a", false, root, "m/b")).toBe(-Errno.EXDEV);
    expect(root.renameAt("d/a", root, "m/b")).toBe(-Errno.EXDEV);
    expect(root.openAt("d/a", { ...READ, write: true })).toBe(-Errno.EROFS);
    expect(typeof root.openAt("m/a", { ...READ, write: true })).toBe("object");
  });

  test("reading leaves atime", () => {
    const { root } = setUp(true);
    const opened = openPath(root, "m/a");
    const before = {} as Stat;
    opened.stat(before);
    opened.read(new Uint8Array(1));
    const after = {} as Stat;
    opened.stat(after);
    expect(after.atimeNs).toBe(before.atimeNs);
  });

  test("a read-only root still has mounts that can be written, and devices", () => {
    const table = new MountTable(treeOf(1n, { f: "x" }), { readOnly: true });
    table.mount("/tmp/deep", { tree: treeOf(2n, {}) });
    table.mount("/dev", {
      tree: deviceTree({ nowNs, device: 3n, random: (target) => target.fill(7) }),
      readOnly: true,
    });
    const root = table.openRoot(ROOT);
    expect(root.openAt("f", { ...READ, write: true })).toBe(-Errno.EROFS);
    expect(typeof root.openAt("tmp/deep/n", { ...READ, write: true, create: true })).toBe("object");
    expect(openPath(root, "dev/null", { write: true }).write(new Uint8Array(5))).toBe(5);
  });
});

describe("mounting", () => {
  test("one file over a file, and over nothing", () => {
    const { table, root } = setUp();
    const etc = treeOf(5n, { hosts: "localhost" });
    table.mount("/f", { tree: etc, path: "hosts" });
    table.mount("/etc/hosts", { tree: etc, path: "/hosts", readOnly: true });
    expect(readText(root, "f")).toBe("localhost");
    expect(readText(root, "etc/hosts")).toBe("localhost");
    expect(root.unlinkAt("f")).toBe(-Errno.EBUSY);
    expect(root.renameAt("f", root, "g")).toBe(-Errno.EBUSY);
    expect(root.openAt("etc/hosts", { ...READ, write: true })).toBe(-Errno.EROFS);
    openPath(root, "f", { write: true }).write(new TextEncoder().encode("LOCAL"));
    expect(readText(root, "etc/hosts")).toBe("LOCALhost");
  });

  test("a directory of a tree, which is not left", () => {
    const { table, root, inner } = setUp();
    table.mount("/d", { tree: inner, path: "e" });
    expect(dump(root, "d")).toEqual({ "d/b": "deep" });
    expect(readText(root, "d/../f")).toBe("outer");
  });

  const refused: { name: string; mount: (table: MountTable, tree: FileSystem) => void; says: RegExp }[] = [
    { name: "no absolute path", mount: (table, tree) => table.mount("m", { tree }), says: /absolute/ },
    { name: "two dots", mount: (table, tree) => table.mount("/d/../m", { tree }), says: /\.\./ },
    { name: "the root", mount: (table, tree) => table.mount("/", { tree }), says: /root/ },
    {
      name: "a directory over a file",
      mount: (table, tree) => table.mount("/f", { tree }),
      says: /it is a file/,
    },
    {
      name: "a file over a directory",
      mount: (table, tree) => table.mount("/d", { tree, path: "a" }),
      says: /it is a directory/,
    },
    {
      name: "under a file",
      mount: (table, tree) => table.mount("/f/x", { tree }),
      says: /\/f is no directory/,
    },
    {
      name: "a source that isn't there",
      mount: (table, tree) => table.mount("/d", { tree, path: "no" }),
      says: /no no/,
    },
    {
      name: "a source behind a link that leaves the tree",
      mount: (table, tree) => table.mount("/d", { tree, path: "s" }),
      says: /no s/,
    },
  ];
  test.each(refused)("$name is refused", ({ mount, says }) => {
    const { table, root } = setUp();
    const before = dump(root);
    expect(() => mount(table, treeOf(9n, { a: "x", s: "-> ../f" }))).toThrow(says);
    expect(dump(root)).toEqual(before);
  });

  test("a missing mount point is not made in what is mounted read-only", () => {
    const { table, root } = setUp(true);
    expect(() => table.mount("/m/new", { tree: treeOf(9n, {}) })).toThrow(/read-only/);
    expect(root.statAt("m/new", true, {} as Stat)).toBe(-Errno.ENOENT);
  });
});

describe("devices", () => {
  function devices(): OpenFile {
    const table = new MountTable(treeOf(1n, {}));
    const random = (target: Uint8Array) => target.fill(7);
    table.mount("/dev", {
      tree: deviceTree({ nowNs, device: 3n, random, openers: { tty: () => -Errno.ENXIO } }),
    });
    return table.openRoot(GUEST);
  }

  test.each([
    { name: "null", read: [], write: 5 },
    { name: "zero", read: [0, 0, 0], write: 5 },
    { name: "full", read: [0, 0, 0], write: -Errno.ENOSPC },
    { name: "random", read: [7, 7, 7], write: 5 },
    { name: "urandom", read: [7, 7, 7], write: 5 },
  ])("/dev/$name", ({ name, read, write }) => {
    const root = devices();
    const opened = openPath(root, `dev/${name}`, { write: true, truncate: true });
    const target = new Uint8Array(3).fill(9);
    const count = opened.read(target);
    expect([...target.subarray(0, count)]).toEqual(read);
    expect(opened.write(new Uint8Array(5))).toBe(write);
    expect(opened.type).toBe(FileType.characterDevice);
    expect(openPath(root, `dev/${name}`).write(new Uint8Array(5))).toBe(-Errno.EBADF);
    opened.close();
  });

  test("what has an opener is what it gives", () => {
    expect(devices().openAt("dev/tty", READ)).toBe(-Errno.ENXIO);
    expect(devices().openAt("dev/stdin", READ)).toBe(-Errno.ENOENT);
  });

  test("a guest adds none, and can use /dev/shm", () => {
    const root = devices();
    expect(root.openAt("dev/x", { ...READ, create: true })).toBe(-Errno.EACCES);
    expect(typeof root.openAt("dev/shm/x", { ...READ, create: true })).toBe("object");
  });
});
