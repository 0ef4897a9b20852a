/** Bind mounts: nothing outside is reached, nothing blocks, and no descriptor stays. The cases of all trees run elsewhere. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { type HostTree, openHostTree } from "../../../../runtime/node/hostdir/host-tree.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import type { OpenFile, Stat } from "../../../../shim/abi/system.ts";
import { dump, openPath, READ, readText } from "../../core/vfs/inspect.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0 };
const nowNs = () => BigInt(Date.now()) * 1_000_000n;
const MKFIFO = "mkfifo"; // POSIX: Node has no call for it
const onLinux = process.platform === "linux";

let folder: string;
let tree: HostTree | undefined;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "wpod-bind-"));
  fs.mkdirSync(join(folder, "in/d"), { recursive: true });
  fs.writeFileSync(join(folder, "in/a"), "inside");
  fs.writeFileSync(join(folder, "in/d/b"), "deep");
  fs.mkdirSync(join(folder, "out"));
  fs.writeFileSync(join(folder, "out/a"), "secret");
});
afterEach(() => {
  tree?.close();
  tree = undefined;
  fs.rmSync(folder, { recursive: true, force: true });
});

function mount(source = "in", readOnly = false): OpenFile {
  tree = openHostTree(join(folder, source), { readOnly, device: 9n, uid: 1000, gid: 1000 });
  const table = new MountTable(new FileSystem({ nowNs, device: 1n }));
  table.mount("/m", { tree });
  return table.openRoot(ROOT);
}

describe("escapes", () => {
  test.each([
    { name: "a link up", target: "../out/a" },
    { name: "an absolute link of the host", target: "@/out/a" },
    { name: "a link to a directory outside", target: "../out", behind: "/a" },
    { name: "a link to the descriptors of this process", target: "/proc/self/fd/0" },
    { name: "a link up, many times", target: "../../../../../../../../etc/passwd" },
  ])("$name leads nowhere", ({ target, behind = "" }) => {
    fs.symlinkSync(target.replace("@", folder), join(folder, "in/s"));
    const root = mount();
    expect(root.statAt(`m/s${behind}`, true, {} as Stat)).toBe(-Errno.ENOENT);
    expect(root.openAt(`m/s${behind}`, READ)).toBe(-Errno.ENOENT);
  });

  test("dots lead into the container, not up the host", () => {
    const root = mount();
    expect(root.openAt("m/../out/a", READ)).toBe(-Errno.ENOENT);
    expect(root.openAt("m/d/../../out/a", READ)).toBe(-Errno.ENOENT);
    expect(Object.keys(dump(root))).toEqual(["m/", "m/a", "m/d/", "m/d/b"]);
  });

  test.runIf(onLinux)("an open directory that is swapped for a link stays what it was", () => {
    const root = mount();
    const opened = openPath(root, "m/d", { directory: true });
    fs.renameSync(join(folder, "in/d"), join(folder, "in/moved"));
    fs.symlinkSync("../out", join(folder, "in/d"));
    expect(readText(opened, "b")).toBe("deep");
    expect(opened.openAt("a", READ)).toBe(-Errno.ENOENT);
    expect(root.openAt("m/d/a", READ)).toBe(-Errno.ENOENT);
    opened.close();
  });

  test.runIf(onLinux)("what is swapped between look-up and open isn't opened", () => {
    mount();
    const looked = tree!.root.lookUp("a");
    if (typeof looked === "number") throw new Error("a is there");
    const credentials = ROOT;
    fs.unlinkSync(join(folder, "in/a"));
    fs.symlinkSync("../out/a", join(folder, "in/a"));
    expect(looked.openFile(READ, { readOnly: false }, credentials)).toBe(-Errno.ELOOP);
    fs.unlinkSync(join(folder, "in/a"));
    fs.linkSync(join(folder, "out/a"), join(folder, "in/a"));
    expect(looked.openFile({ ...READ, write: true, truncate: true }, { readOnly: false }, credentials)).toBe(
      -Errno.ESTALE,
    );
    expect(fs.readFileSync(join(folder, "out/a"), "utf8")).toBe("secret");
    const directory = tree!.root.lookUp("d");
    if (typeof directory === "number") throw new Error("d is there");
    fs.renameSync(join(folder, "in/d"), join(folder, "in/e"));
    fs.symlinkSync("../out", join(folder, "in/d"));
    expect(directory.lookUp("a")).toBe(-Errno.ESTALE);
  });

  test("nothing is written through a read-only tree, however it is mounted", () => {
    const root = mount("in", true);
    expect(root.openAt("m/a", { ...READ, write: true })).toBe(-Errno.EROFS);
    expect(root.openAt("m/a", { ...READ, truncate: true })).toBe(-Errno.EROFS);
    expect(root.makeDirectoryAt("m/n", 0o755)).toBe(-Errno.EROFS);
    expect(root.unlinkAt("m/a")).toBe(-Errno.EROFS);
    expect(fs.readFileSync(join(folder, "in/a"), "utf8")).toBe("inside");
  });
});

describe.runIf(onLinux)("what could block", () => {
  test("a FIFO is shown, and not opened", () => {
    execFileSync(MKFIFO, [join(folder, "in/p")]);
    const root = mount();
    expect(root.statAt("m/p", true, {} as Stat)).toBe(0);
    expect(root.openAt("m/p", READ)).toBe(-Errno.EACCES);
    expect(root.openAt("m/p", { ...READ, write: true })).toBe(-Errno.EACCES);
    expect(root.unlinkAt("m/p")).toBe(0);
  });

  test("a file that becomes a FIFO after the look-up is not waited for", () => {
    mount();
    const looked = tree!.root.lookUp("a");
    if (typeof looked === "number") throw new Error("a is there");
    fs.unlinkSync(join(folder, "in/a"));
    execFileSync(MKFIFO, [join(folder, "in/a")]);
    expect(looked.openFile(READ, { readOnly: false }, ROOT)).toBe(-Errno.ESTALE);
  });

  test("a socket is not opened", async () => {
    const server = createServer().listen(join(folder, "in/sock"));
    await new Promise((resolve) => server.once("listening", resolve));
    expect(mount().openAt("m/sock", READ)).toBe(-Errno.EACCES);
    await new Promise((resolve) => server.close(resolve));
  });
});

test("owners: one's own files are the guest's, others' are nobody's", () => {
  const root = mount();
  const stat = {} as Stat;
  root.statAt("m/a", true, stat);
  expect(stat).toMatchObject({ uid: 1000, gid: 1000, device: 9n });
  if (process.getuid?.() !== 0) return;
  fs.chownSync(join(folder, "in/a"), 4000, 4000);
  root.statAt("m/a", true, stat);
  expect(stat).toMatchObject({ uid: 65_534, gid: 65_534 });
});

describe("a single file", () => {
  test("is mounted alone, read and written", () => {
    const root = mount("in/a");
    expect(readText(root, "m")).toBe("inside");
    openPath(root, "m", { write: true }).write(new TextEncoder().encode("IN"));
    expect(fs.readFileSync(join(folder, "in/a"), "utf8")).toBe("INside");
    expect(root.openAt("m/../a", READ)).toBe(-Errno.ENOTDIR);
    expect(root.openAt("m/..", READ)).toBe(-Errno.ENOTDIR);
    expect(root.unlinkAt("m")).toBe(-Errno.EBUSY);
  });

  test.runIf(onLinux)("stays the one that was mounted, when another gets its name", () => {
    const root = mount("in/a");
    fs.writeFileSync(join(folder, "in/new"), "other");
    fs.renameSync(join(folder, "in/new"), join(folder, "in/a"));
    expect(readText(root, "m")).toBe("inside");
  });

  test("a source that isn't there is the caller's error", () => {
    expect(() => mount("nothing")).toThrow(/ENOENT/);
  });
});

describe.runIf(onLinux)("descriptors", () => {
  const count = () => fs.readdirSync("/proc/self/fd").length;

  test("are bounded in a wide tree, and all given back", () => {
    for (let index = 0; index < 300; index++)
      fs.mkdirSync(join(folder, `in/w${index}/x`), { recursive: true });
    const before = count();
    const root = mount();
    for (let index = 0; index < 300; index++) expect(root.statAt(`m/w${index}/x`, true, {} as Stat)).toBe(0);
    dump(root);
    expect(count()).toBeLessThanOrEqual(before + 66);
    root.close();
    tree!.close();
    tree = undefined;
    expect(count()).toBe(before);
  });

  test("a tree deeper than the cache is walked, and renamed in", () => {
    const deep = Array.from({ length: 90 }, (_, index) => `d${index}`).join("/");
    fs.mkdirSync(join(folder, "in", deep), { recursive: true });
    fs.mkdirSync(join(folder, "in/e", deep), { recursive: true });
    fs.writeFileSync(join(folder, "in", deep, "f"), "far");
    const root = mount();
    expect(root.renameAt(`m/${deep}/f`, root, `m/e/${deep}/g`)).toBe(0);
    expect(root.linkAt(`m/e/${deep}/g`, false, root, `m/${deep}/h`)).toBe(0);
    expect(readText(root, `m/${deep}/h`)).toBe("far");
  });

  test("failures leave none", () => {
    const root = mount();
    const before = count();
    for (const path of ["m/nothing", "m/a/x", "m/d/nothing"]) root.openAt(path, READ);
    root.openAt("m/a", { ...READ, directory: true });
    root.openAt("m/d", { ...READ, write: true });
    root.openAt("m/a", { ...READ, create: true, exclusive: true, write: true });
    expect(count()).toBeLessThanOrEqual(before + 1);
  });
});

test("a mount inside a mount of the host is seen by every path", () => {
  const root = mount();
  const table = new MountTable(new FileSystem({ nowNs, device: 1n }));
  table.mount("/m", { tree: tree! });
  const inner = new FileSystem({ nowNs, device: 3n });
  inner.makeFile("x", 0o644, new TextEncoder().encode("inner"));
  table.mount("/m/d", { tree: inner });
  const other = table.openRoot(ROOT);
  expect(readText(other, "m/d/x")).toBe("inner");
  expect(readText(other, "m/d/../a")).toBe("inside");
  expect(other.removeDirectoryAt("m/d")).toBe(-Errno.EBUSY);
  expect(other.renameAt("m/d", other, "m/e")).toBe(-Errno.EBUSY);
  other.close();
  root.close();
});
