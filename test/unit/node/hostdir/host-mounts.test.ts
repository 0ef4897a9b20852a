/** Bind mounts in each other and under other mounts, parts of a directory, and single files. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Tree } from "../../../../runtime/core/vfs/dentry.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { type HostTree, openHostTree } from "../../../../runtime/node/hostdir/host-tree.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import type { OpenFile, Stat } from "../../../../shim/abi/system.ts";
import { CREATE, DIRECTORY, READ } from "../../../fixtures/hostile-client.ts";
import { list, openPath, readText } from "../../core/vfs/inspect.ts";

const SUPERUSER = { uid: 0, gid: 0, groups: [], umask: 0 };
const nowNs = () => 0n;

let base: string;
let table: MountTable;
let root: OpenFile;
let trees: HostTree[];
let descriptors: number;
const onLinux = process.platform === "linux";
const openDescriptors = () => (onLinux ? readdirSync("/proc/self/fd").length : 0);

beforeEach(() => {
  descriptors = openDescriptors();
  base = mkdtempSync(join(tmpdir(), "wpod-mounts-"));
  for (const folder of ["a/sub/deep", "a/x", "b/sub"]) mkdirSync(join(base, folder), { recursive: true });
  for (const file of [
    "a/file",
    "a/other",
    "a/sub/file",
    "a/sub/deep/file",
    "b/file",
    "b/sub/file",
    "single",
  ]) {
    writeFileSync(join(base, file), file);
  }
  trees = [];
  table = new MountTable(new FileSystem({ nowNs, device: 1n }));
  root = table.openRoot(SUPERUSER);
});
afterEach(() => {
  root.close();
  for (const tree of trees) tree.close();
  rmSync(base, { recursive: true, force: true });
  expect(openDescriptors(), "descriptors that are left open").toBe(descriptors);
});

function host(source: string, readOnly = false): HostTree {
  const device = BigInt(trees.length + 2);
  const tree = openHostTree(join(base, source), { readOnly, device, uid: 0, gid: 0 });
  trees.push(tree);
  return tree;
}
const memory = (): Tree => new FileSystem({ nowNs, device: 100n });
const names = (path: string) => list(root, path).map(([name]) => name).sort(); // biome-ignore format: one line
const statAt = (path: string) => root.statAt(path, true, {} as Stat);
function deviceAt(path: string): bigint {
  const stat = {} as Stat;
  expect(root.statAt(path, true, stat)).toBe(0);
  return stat.device;
}
function made(path: string): number {
  const file = root.openAt(path, CREATE);
  if (typeof file === "number") return file;
  file.close();
  return 0;
}

describe("in each other", () => {
  test("a directory in a directory hides what is there, and dots lead back", () => {
    table.mount("/m", { tree: host("a") });
    table.mount("/m/sub", { tree: host("b") });
    expect(readText(root, "m/sub/file")).toBe("b/file");
    expect(names("m/sub")).toEqual(["file", "sub"]);
    expect(readText(root, "m/sub/../file")).toBe("a/file");
    expect(readText(root, "m/sub/sub/../../sub/file")).toBe("b/file");
    expect(statAt("m/sub/deep")).toBe(-Errno.ENOENT);
    expect(deviceAt("m/sub/..")).toBe(2n);
    expect(deviceAt("m/sub")).toBe(3n);
    const inner = openPath(root, "m/sub/sub");
    expect(readText(inner, "../../file")).toBe("a/file");
    inner.close();
  });

  test("a tmpfs, and a file over a file", () => {
    table.mount("/m", { tree: host("a") });
    table.mount("/m/sub/deep", { tree: memory() });
    table.mount("/m/file", { tree: host("single") });
    expect(names("m/sub/deep")).toEqual([]);
    expect(made("m/sub/deep/new")).toBe(0);
    expect(existsSync(join(base, "a/sub/deep/new"))).toBe(false);
    expect(readText(root, "m/file")).toBe("single");
    expect(readText(root, "m/other")).toBe("a/other");
    expect(names("m")).toEqual(["file", "other", "sub", "x"]);
  });

  test("the last of two on one place is seen", () => {
    table.mount("/m", { tree: host("a") });
    table.mount("/m/sub", { tree: host("b") });
    table.mount("/m/sub", { tree: memory() });
    expect(names("m/sub")).toEqual([]);
    expect(readText(root, "m/sub/../file")).toBe("a/file");
  });

  test.each([
    { name: "what is mounted on", path: "m/sub" },
    { name: "a file that is mounted on", path: "m/file" },
  ])("$name is busy: not removed, not renamed, not replaced", ({ path }) => {
    table.mount("/m", { tree: host("a") });
    table.mount("/m/sub", { tree: host("b") });
    table.mount("/m/file", { tree: host("single") });
    const isDirectory = path === "m/sub";
    expect(isDirectory ? root.removeDirectoryAt(path) : root.unlinkAt(path)).toBe(-Errno.EBUSY);
    expect(root.renameAt(path, root, "m/moved")).toBe(isDirectory ? -Errno.EBUSY : -Errno.EBUSY);
    expect(root.renameAt(isDirectory ? "m/x" : "m/other", root, path)).toBe(-Errno.EBUSY);
    expect(root.linkAt("m/file", false, root, "m/linked")).toBe(-Errno.EXDEV);
  });

  test("a mount goes with the directory that it is in, whoever renames that", () => {
    table.mount("/m", { tree: host("a") });
    table.mount("/m/sub/deep", { tree: host("b") });
    expect(root.renameAt("m/sub", root, "m/x/sub")).toBe(0);
    expect(readText(root, "m/x/sub/deep/file")).toBe("b/file");
    expect(readText(root, "m/x/sub/deep/../file")).toBe("a/sub/file");
    renameSync(join(base, "a/x/sub/deep"), join(base, "a/deep"));
    expect(readText(root, "m/deep/file")).toBe("b/file");
    expect(readText(root, "m/deep/../file")).toBe("a/file");
  });

  test.runIf(onLinux)(
    "a directory that is new on the host is not under the mount of one that was removed",
    () => {
      table.mount("/m", { tree: host("a") });
      table.mount("/m/x", { tree: host("b") });
      for (let round = 0; round < 20; round++) {
        rmSync(join(base, "a/x"), { recursive: true });
        mkdirSync(join(base, "a/x"));
        expect(statAt("m/x")).toBe(0);
        expect(deviceAt("m/x")).toBe(2n);
      }
    },
  );

  test("what is missing of a mount point is made on the host, but not in a read-only mount", () => {
    table.mount("/m", { tree: host("a") });
    table.mount("/m/new/point", { tree: memory() });
    table.mount("/m/new/file", { tree: host("single") });
    expect(readdirSync(join(base, "a/new")).sort()).toEqual(["file", "point"]);
    expect(readFileSync(join(base, "a/new/file"), "utf8")).toBe("");
    table.mount("/r", { tree: host("b", true), readOnly: true });
    expect(() => table.mount("/r/new", { tree: memory() })).toThrow(/read-only mount/);
    expect(readdirSync(join(base, "b")).sort()).toEqual(["file", "sub"]);
  });

  test("a mount point is found through links inside, never through those that lead out", () => {
    symlinkSync("sub", join(base, "a/inside"));
    symlinkSync(join(base, "b"), join(base, "a/outside"));
    table.mount("/m", { tree: host("a") });
    table.mount("/m/inside/deep", { tree: memory() });
    expect(names("m/sub/deep")).toEqual([]);
    expect(() => table.mount("/m/outside/sub", { tree: memory() })).toThrow(/can't mount on/);
    expect(readdirSync(join(base, "b/sub"))).toEqual(["file"]);
  });
});

describe("read-only and not", () => {
  test("a writable one in a read-only one, and the reverse", () => {
    table.mount("/r", { tree: host("a", true), readOnly: true });
    table.mount("/r/sub", { tree: host("b") });
    expect(made("r/new")).toBe(-Errno.EROFS);
    expect(made("r/sub/new")).toBe(0);
    expect(made("r/sub/../new")).toBe(-Errno.EROFS);
    table.mount("/w", { tree: host("b") });
    table.mount("/w/sub", { tree: host("a", true), readOnly: true });
    expect(made("w/other")).toBe(0);
    expect(made("w/sub/new")).toBe(-Errno.EROFS);
    expect(root.linkAt("w/sub/file", false, root, "w/linked")).toBe(-Errno.EXDEV);
    expect(root.renameAt("w/sub/file", root, "w/moved")).toBe(-Errno.EXDEV);
    expect(existsSync(join(base, "a/new"))).toBe(false);
  });

  test("the same directory twice: what is read-only is so through its own mount alone", () => {
    table.mount("/r", { tree: host("a", true), readOnly: true });
    table.mount("/w", { tree: host("a") });
    expect(made("r/new")).toBe(-Errno.EROFS);
    expect(made("w/new")).toBe(0);
    expect(statAt("r/new")).toBe(0);
    expect(root.unlinkAt("r/new")).toBe(-Errno.EROFS);
  });

  test("a tree that is read-only can't be mounted otherwise", () => {
    table.mount("/r", { tree: host("a", true), readOnly: false });
    expect(made("r/new")).toBe(-Errno.EROFS);
  });
});

describe("a part of a directory", () => {
  test("is its own root: dots lead to where it is mounted, links that go farther up stay in the container", () => {
    symlinkSync("../file", join(base, "a/sub/up"));
    table.mount("/p", { tree: host("a"), path: "sub" });
    expect(names("p")).toEqual(["deep", "file", "up"]);
    expect(readText(root, "p/file")).toBe("a/sub/file");
    expect(statAt("p/../file")).toBe(-Errno.ENOENT);
    expect(statAt("p/up")).toBe(-Errno.ENOENT);
    const deep = openPath(root, "p/deep");
    expect(deep.statAt("../../file", true, {} as Stat)).toBe(-Errno.ENOENT);
    expect(deep.statAt("../../p/file", true, {} as Stat)).toBe(0);
    deep.close();
  });

  test("a link in the path of the part can't lead out of the tree", () => {
    symlinkSync(join(base, "b"), join(base, "a/out"));
    symlinkSync("sub", join(base, "a/in"));
    expect(() => table.mount("/p", { tree: host("a"), path: "out" })).toThrow(/has no out/);
    expect(() => table.mount("/p", { tree: host("a"), path: "../b" })).toThrow(/has no \.\.\/b/);
    table.mount("/p", { tree: host("a"), path: "in/deep" });
    expect(readText(root, "p/file")).toBe("a/sub/deep/file");
  });

  test.runIf(onLinux)("stays the same directory, or file, when its name goes to another one", () => {
    const tree = host("a");
    table.mount("/p", { tree, path: "sub" });
    table.mount("/f", { tree, path: "file" });
    renameSync(join(base, "a/sub"), join(base, "a/aside"));
    mkdirSync(join(base, "a/sub"));
    writeFileSync(join(base, "a/new"), "new");
    renameSync(join(base, "a/new"), join(base, "a/file"));
    expect(readText(root, "p/file")).toBe("a/sub/file");
    expect(readText(root, "f")).toBe("a/file");
    expect(made("p/new")).toBe(0);
    expect(readdirSync(join(base, "a/sub"))).toEqual([]);
    // Also when nothing else keeps it alive.
    rmSync(join(base, "a/aside"), { recursive: true });
    expect(names("p")).toEqual([]);
    expect(made("p/late")).toBe(-Errno.ENOENT);
  });

  test("beside the whole of it: the same directories, whichever way they were opened", () => {
    const tree = host("a");
    table.mount("/m", { tree });
    table.mount("/p", { tree, path: "sub", readOnly: true });
    const deep = openPath(root, "p/deep");
    expect(readText(root, "m/sub/deep/../file")).toBe("a/sub/file");
    expect(readText(deep, "../file")).toBe("a/sub/file");
    // One up is the mount's root, of which the parent is the container's root.
    expect(deep.statAt("../../p", true, {} as Stat)).toBe(0);
    expect(deep.statAt("../../x", true, {} as Stat)).toBe(-Errno.ENOENT);
    const file = deep.openAt("../new", CREATE);
    expect(file).toBe(-Errno.EROFS);
    deep.close();
  });

  test("a directory that is moved out of the part has no parent there", () => {
    const tree = host("a");
    table.mount("/m", { tree });
    table.mount("/p", { tree, path: "sub" });
    const deep = openPath(root, "p/deep");
    expect(root.renameAt("m/sub/deep", root, "m/x/deep")).toBe(0);
    expect(readText(deep, "file")).toBe("a/sub/deep/file");
    expect(deep.openAt("../../file", READ)).toBe(-Errno.ENOENT);
    expect(deep.openAt("..", DIRECTORY)).toBe(-Errno.ENOENT);
    const seen: bigint[] = [];
    deep.readDirectory(0, (_cookie, inode) => seen.push(inode) < 2);
    expect(seen[1]).toBe(seen[0]);
    expect(root.renameAt("m/x/deep", root, "m/sub/deep")).toBe(0);
    expect(readText(deep, "../file")).toBe("a/sub/file");
    deep.close();
  });

  test("of a tree in memory, too", () => {
    const tree = memory() as FileSystem;
    table.mount("/m", { tree });
    for (const path of ["m/sub", "m/sub/deep", "m/x"]) expect(root.makeDirectoryAt(path, 0o755)).toBe(0);
    expect(made("m/secret")).toBe(0);
    table.mount("/p", { tree, path: "sub" });
    const deep = openPath(root, "p/deep");
    expect(root.renameAt("m/sub/deep", root, "m/x/deep")).toBe(0);
    expect(deep.openAt("../../secret", READ)).toBe(-Errno.ENOENT);
    deep.close();
  });
});

describe("a single file", () => {
  test.each([true, false])("read-only %s: nothing of its directory is seen", (readOnly) => {
    table.mount("/f", { tree: host("single", readOnly), readOnly });
    expect(readText(root, "f")).toBe("single");
    expect(statAt("f/..")).toBe(-Errno.ENOTDIR);
    expect(statAt("f/../a")).toBe(-Errno.ENOTDIR);
    const opened = root.openAt("f", { ...READ, write: true });
    if (readOnly) expect(opened).toBe(-Errno.EROFS);
    else (opened as OpenFile).close();
    expect(root.unlinkAt("f")).toBe(-Errno.EBUSY);
    expect(root.renameAt("f", root, "g")).toBe(-Errno.EBUSY);
  });

  test.runIf(onLinux)("is the one that was mounted, also when an editor has put another in its place", () => {
    table.mount("/f", { tree: host("single") });
    writeFileSync(join(base, "single.new"), "new");
    renameSync(join(base, "single.new"), join(base, "single"));
    expect(readText(root, "f")).toBe("single");
    rmSync(join(base, "single"));
    expect(readText(root, "f")).toBe("single");
  });

  test("behind a link of the host: where it leads now", () => {
    symlinkSync("single", join(base, "alias"));
    table.mount("/f", { tree: host("alias") });
    rmSync(join(base, "alias"));
    symlinkSync("b/file", join(base, "alias"));
    expect(readText(root, "f")).toBe("single");
  });

  test("with a second name is not mounted under that name", () => {
    linkSync(join(base, "a/file"), join(base, "a/second"));
    table.mount("/m", { tree: host("a") });
    table.mount("/m/file", { tree: host("single") });
    expect(readText(root, "m/file")).toBe("single");
    expect(readText(root, "m/second")).toBe("a/file");
  });
});
