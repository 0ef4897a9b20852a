import { describe, expect, test } from "vitest";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { PLAIN } from "../../../../runtime/core/vfs/open-options.ts";
import { TextFile, textTree } from "../../../../runtime/core/vfs/text-tree.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type Stat } from "../../../../shim/abi/system.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0o022 };
const NOBODY = { ...ROOT, uid: 65_534, gid: 65_534 };
const READ = { ...PLAIN, read: true };

function mounted(sources: Record<string, () => string>) {
  let looks = 0;
  const tree = textTree({ nowNs: () => 7n, device: 9n }, () => {
    looks++;
    return Object.entries(sources);
  });
  const table = new MountTable(new FileSystem({ nowNs: () => 1n, device: 1n }));
  table.mount("/sys", { tree, readOnly: true });
  return { table, looks: () => looks };
}

function open(table: MountTable, path: string, who = ROOT): OpenFile {
  const file = table.open(path, READ, who);
  if (isFailure(file)) throw new Error(`${path}: ${file}`);
  return file;
}

function readAll(file: OpenFile, sizeBytes: number): string {
  const buffer = new Uint8Array(sizeBytes);
  let text = "";
  for (let count = file.read(buffer); count > 0; count = file.read(buffer)) {
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

describe("a tree of texts", () => {
  test("is made when somebody looks into it, once", () => {
    const { table, looks } = mounted({ "a/b": () => "x" });
    expect(looks()).toBe(0);
    open(table, "/").close();
    expect(looks()).toBe(0);
    expect(readAll(open(table, "/sys/a/b"), 16)).toBe("x");
    expect(readAll(open(table, "/sys/a/b"), 16)).toBe("x");
    expect(looks()).toBe(1);
  });

  test("has a text made at each open, which then stays", () => {
    let count = 0;
    const { table } = mounted({ count: () => `${++count} time(s)\n` });
    const first = open(table, "/sys/count");
    const second = open(table, "/sys/count");
    expect(readAll(second, 3)).toBe("2 time(s)\n");
    expect(readAll(first, 1)).toBe("1 time(s)\n");
    expect(count).toBe(2);
  });

  test("shows its names and directories, which are root's and read-only", () => {
    const { table } = mounted({
      "fs/cgroup/cpu.max": () => "max 100000\n",
      "fs/cgroup/pids.max": () => "max\n",
    });
    const names: string[] = [];
    open(table, "/sys/fs/cgroup").readDirectory(0, (_, __, ___, name) => names.push(name) > 0);
    expect(names).toEqual([".", "..", "cpu.max", "pids.max"]);
    const stat = {} as Stat;
    const root = open(table, "/");
    expect(root.statAt("/sys/fs/cgroup/cpu.max", true, stat)).toBe(0);
    expect(stat).toMatchObject({ type: FileType.regularFile, mode: 0o444, uid: 0, sizeBytes: 0, device: 9n });
    expect(root.statAt("/sys/fs", true, stat)).toBe(0);
    expect(stat).toMatchObject({ type: FileType.directory, mode: 0o555 });
  });

  test("is read by anybody, and changed by nobody", () => {
    const { table } = mounted({ "a/text": () => "x" });
    expect(readAll(open(table, "/sys/a/text", NOBODY), 4)).toBe("x");
    expect(table.open("/sys/a/text", { ...PLAIN, write: true }, ROOT)).toBe(-Errno.EROFS);
    expect(table.open("/sys/a/text", { ...READ, write: true, truncate: true }, ROOT)).toBe(-Errno.EROFS);
    expect(table.open("/sys/a/text", { ...PLAIN, write: true }, NOBODY)).toBeLessThan(0);
    expect(table.open("/sys/a/new", { ...PLAIN, write: true, create: true }, ROOT)).toBe(-Errno.EROFS);
    const root = table.openRoot(ROOT);
    expect(root.unlinkAt("sys/a/text")).toBe(-Errno.EROFS);
    expect(root.renameAt("sys/a/text", root, "sys/b")).toBe(-Errno.EROFS);
    expect(root.makeDirectoryAt("sys/c", 0o755)).toBe(-Errno.EROFS);
    expect(root.linkAt("sys/a/text", false, root, "link")).toBe(-Errno.EXDEV);
    expect(table.open("/sys/none", READ, ROOT)).toBe(-Errno.ENOENT);
    expect(table.open("/sys/a/text/under", READ, ROOT)).toBe(-Errno.ENOTDIR);
  });

  // [offset, whence, where that leads]
  test.each([
    { name: "its start", seek: [0, "set", 0], rest: "0123456789" },
    { name: "its middle", seek: [4, "set", 4], rest: "456789" },
    { name: "its last byte", seek: [-1, "end", 9], rest: "9" },
    { name: "its end", seek: [0, "end", 10], rest: "" },
    { name: "behind its end", seek: [5, "end", 15], rest: "" },
    { name: "before its start", seek: [-1, "set", -Errno.EINVAL], rest: "0123456789" },
    { name: "beyond all files", seek: [2 ** 53, "set", -Errno.EOVERFLOW], rest: "0123456789" },
  ] as const)("is read from $name on", ({ seek: [offset, whence, at], rest }) => {
    const { table } = mounted({ digits: () => "0123456789" });
    const file = open(table, "/sys/digits");
    expect(file.seek(offset, whence)).toBe(at);
    expect(file.readableBytes()).toBe(rest.length);
    expect(readAll(file, 64)).toBe(rest);
    const buffer = new Uint8Array(3);
    expect(file.readAt(buffer, 8)).toBe(2);
    expect(file.readAt(buffer, -1)).toBe(-Errno.EINVAL);
    expect(file.readAt(buffer, 1e9)).toBe(0);
  });

  test("takes nothing that an open file could be asked for", () => {
    const { table } = mounted({ text: () => "x" });
    const file = open(table, "/sys/text");
    expect(file).toBeInstanceOf(TextFile);
    expect(file.write(new Uint8Array(1))).toBe(-Errno.EBADF);
    expect(file.writeAt(new Uint8Array(1), 0)).toBe(-Errno.EBADF);
    expect(file.truncate(0)).toBe(-Errno.EINVAL);
    expect(file.allocate(0, 1)).toBe(-Errno.EBADF);
    expect(file.setTimes({ kind: "now" }, { kind: "now" })).toBe(-Errno.EROFS);
    expect(file.sync(false)).toBe(-Errno.EINVAL);
    const stat = {} as Stat;
    expect(file.stat(stat)).toBe(0);
    expect(stat).toMatchObject({ type: FileType.regularFile, sizeBytes: 0, linkCount: 1 });
  });
});
