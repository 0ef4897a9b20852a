/** A directory of the host, attacked from within by a guest and changed from outside by others. */

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { PLAIN } from "../../../../runtime/core/vfs/open-options.ts";
import { type HostTree, openHostTree } from "../../../../runtime/node/hostdir/host-tree.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import type { Failure, OpenFile, OpenOptions, Stat } from "../../../../shim/abi/system.ts";

const SUPERUSER = { uid: 0, gid: 0, groups: [], umask: 0 };
const READ: OpenOptions = { ...PLAIN, read: true, mode: 0o644 };
const DIRECTORY = { ...READ, directory: true };
const CREATE = { ...READ, write: true, create: true };
const KEEP = { kind: "keep" } as const;
const THEN = { kind: "set", ns: 1n } as const;
const ON_POSIX = process.platform !== "win32";

let base: string;
let root: OpenFile;
let trees: HostTree[];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "wpod-hostdir-"));
  mkdirSync(join(base, "in", "sub"), { recursive: true });
  mkdirSync(join(base, "out"));
  writeFileSync(join(base, "in", "file"), "inside");
  writeFileSync(join(base, "in", "sub", "file"), "deep");
  writeFileSync(join(base, "out", "secret"), "outside");
  trees = [];
  root = mountAt({ "/m": "in" });
});
afterEach(() => {
  root.close();
  for (const tree of trees) tree.close();
  rmSync(base, { recursive: true, force: true });
});

/** A container's root with these directories of `base` mounted. */
function mountAt(mounts: Record<string, string>, readOnly = false): OpenFile {
  const table = new MountTable(new FileSystem({ nowNs: () => 0n, device: 1n }));
  for (const [target, source] of Object.entries(mounts)) {
    const device = BigInt(trees.length + 2);
    const tree = openHostTree(join(base, source), { readOnly, device, uid: 0, gid: 0 });
    trees.push(tree);
    table.mount(target, { tree, readOnly });
  }
  return table.openRoot(SUPERUSER);
}

function opened(file: OpenFile | Failure): OpenFile {
  if (typeof file === "number") throw new Error(`it answered ${file}`);
  return file;
}

/** Content, or what opening answered. */
function content(at: OpenFile, path: string): string | number {
  const file = at.openAt(path, READ);
  if (typeof file === "number") return file;
  const bytes = new Uint8Array(100);
  const count = file.read(bytes);
  file.close();
  return count < 0 ? count : new TextDecoder().decode(bytes.subarray(0, count));
}

const statAt = (at: OpenFile, path: string) => at.statAt(path, true, {} as Stat);

describe("what leads out of the mount stays in the container", () => {
  const leads = [
    { name: "an absolute link of the host", target: () => join(base, "out", "secret") },
    { name: "a relative link of the host", target: () => "../out/secret" },
    { name: "many dots", target: () => `${"../".repeat(30)}${join(base, "out", "secret").slice(1)}` },
    { name: "a link of /proc", target: () => `/proc/self/root${join(base, "out", "secret")}` },
    { name: "the mount's own descriptor", target: () => "/proc/self/fd/3/../out/secret" },
  ];

  test.each(leads)("$name, made by the host or by the guest", ({ target }) => {
    symlinkSync(target(), join(base, "in", "host"));
    expect(content(root, "m/host")).toBe(-Errno.ENOENT);
    expect(root.makeSymlinkAt(target(), "m/guest")).toBe(0);
    expect(content(root, "m/guest")).toBe(-Errno.ENOENT);
    expect(typeof root.openAt("m/guest", { ...CREATE, truncate: true })).toBe("number");
    expect(readFileSync(join(base, "out", "secret"), "utf8")).toBe("outside");
  });

  test("a link to a directory outside: nothing is made, removed, renamed or linked through it", () => {
    symlinkSync(join(base, "out"), join(base, "in", "door"));
    const dot: Stat = {} as Stat;
    expect(root.openAt("m/door/new", CREATE)).toBe(-Errno.ENOENT);
    expect(root.makeDirectoryAt("m/door/new", 0o755)).toBe(-Errno.ENOENT);
    expect(root.makeSymlinkAt("x", "m/door/new")).toBe(-Errno.ENOENT);
    expect(root.unlinkAt("m/door/secret")).toBe(-Errno.ENOENT);
    expect(root.renameAt("m/file", root, "m/door/file")).toBe(-Errno.ENOENT);
    expect(root.renameAt("m/door/secret", root, "m/stolen")).toBe(-Errno.ENOENT);
    expect(root.linkAt("m/door/secret", false, root, "m/stolen")).toBe(-Errno.ENOENT);
    expect(root.linkAt("m/file", false, root, "m/door/file")).toBe(-Errno.ENOENT);
    expect(root.setTimesAt("m/door/secret", true, THEN, THEN)).toBe(-Errno.ENOENT);
    expect(root.statAt("m/door/secret", true, dot)).toBe(-Errno.ENOENT);
    expect(readdirSync(join(base, "out"))).toEqual(["secret"]);
    expect(readdirSync(join(base, "in")).sort()).toEqual(["door", "file", "sub"]);
  });

  test("dots after a link go up from where it leads, and at the mount's root to the container", () => {
    mkdirSync(join(base, "in", "a", "b"), { recursive: true });
    symlinkSync("a/b", join(base, "in", "link"));
    writeFileSync(join(base, "in", "a", "x"), "a");
    expect(content(root, "m/link/../x")).toBe("a");
    expect(content(root, "m/link/../../../out/secret")).toBe(-Errno.ENOENT);
    expect(content(root, "m/../out/secret")).toBe(-Errno.ENOENT);
  });

  test("times are set on a link, not on what it leads to", () => {
    symlinkSync(join(base, "out", "secret"), join(base, "in", "host"));
    const before = statSync(join(base, "out", "secret")).mtimeMs;
    expect(root.setTimesAt("m/host", false, THEN, THEN)).toBe(0);
    expect(statSync(join(base, "out", "secret")).mtimeMs).toBe(before);
  });

  test("a hard link takes the link itself; a second mount is another device", () => {
    symlinkSync(join(base, "out", "secret"), join(base, "in", "host"));
    expect(root.linkAt("m/host", false, root, "m/again")).toBe(0);
    expect(readlinkSync(join(base, "in", "again"))).toBe(join(base, "out", "secret"));
    const both = mountAt({ "/m": "in", "/n": "in" });
    expect(both.linkAt("m/file", false, both, "n/linked")).toBe(-Errno.EXDEV);
    expect(both.renameAt("m/file", both, "n/moved")).toBe(-Errno.EXDEV);
    both.close();
  });
});

describe.runIf(ON_POSIX)("while others change the directory", () => {
  test("a directory that was moved out is the one that is open, and its parent is still in the mount", () => {
    const sub = opened(root.openAt("m/sub", DIRECTORY));
    renameSync(join(base, "in", "sub"), join(base, "out", "sub"));
    expect(content(sub, "../secret")).toBe(-Errno.ENOENT);
    expect(content(sub, "../file")).toBe("inside");
    expect(content(sub, "../../out/secret")).toBe(-Errno.ENOENT);
    expect(content(root, "m/sub/file")).toBe(-Errno.ENOENT);
    sub.close();
  });

  test("a directory in whose place a link stands is not entered by the name that was looked up", () => {
    expect(content(root, "m/sub/file")).toBe("deep");
    renameSync(join(base, "in", "sub"), join(base, "in", "aside"));
    writeFileSync(join(base, "out", "file"), "outside");
    symlinkSync(join(base, "out"), join(base, "in", "sub"));
    expect(content(root, "m/sub/file")).toBe(-Errno.ENOENT);
    expect(content(root, "m/aside/file")).toBe("deep");
  });

  test("two directories that are turned round make no ring", () => {
    const both = mountAt({ "/m": "in", "/n": "in" });
    expect(both.makeDirectoryAt("m/x", 0o755)).toBe(0);
    expect(both.makeDirectoryAt("m/x/y", 0o755)).toBe(0);
    const x = opened(both.openAt("m/x", DIRECTORY));
    const y = opened(both.openAt("m/x/y", DIRECTORY));
    // Through the other mount, which stands for somebody on the host.
    expect(both.renameAt("n/x/y", both, "n/y")).toBe(0);
    expect(both.renameAt("n/x", both, "n/y/x")).toBe(0);
    expect(statAt(y, "x")).toBe(-Errno.ESTALE);
    expect(y.makeDirectoryAt("z", 0o755)).toBe(0);
    expect(y.renameAt("z", y, "zz")).toBe(0);
    for (const file of [x, y, both]) file.close();
  });

  test("a name that is a directory, then a link out, again and again, never shows what is outside", async () => {
    writeFileSync(join(base, "out", "file"), "outside");
    const stop = new SharedArrayBuffer(8);
    const flags = new Int32Array(stop);
    const swapper = new Worker(SWAPPER, { eval: true, workerData: { base, stop } });
    const seen = new Set<string | number>();
    try {
      while (Atomics.load(flags, 1) < 20) await new Promise((resolve) => setImmediate(resolve));
      const deadline = performance.now() + (process.env.WPOD_TEST_LONG === "1" ? 20_000 : 1_000);
      while (performance.now() < deadline) {
        seen.add(content(root, "m/sub/file"));
        const made = root.openAt("m/sub/made", CREATE);
        if (typeof made !== "number") made.close();
        root.unlinkAt("m/sub/made");
        root.setTimesAt("m/sub/file", true, KEEP, THEN);
      }
    } finally {
      Atomics.store(flags, 0, 1);
      await new Promise((resolve) => swapper.once("exit", resolve));
    }
    expect(seen).toContain("deep");
    expect(seen).not.toContain("outside");
    expect(readdirSync(join(base, "out")).filter((name) => name === "made")).toEqual([]);
    expect(statSync(join(base, "out", "file")).mtimeMs).toBeGreaterThan(1_000);
  });
});

/** Has `sub` be the directory, a link to another one, and nothing, in turn. */
const SWAPPER = `
const { renameSync, symlinkSync, unlinkSync } = require("node:fs");
const { base, stop } = require("node:worker_threads").workerData;
const flags = new Int32Array(stop);
const sub = base + "/in/sub";
while (Atomics.load(flags, 0) === 0) {
  renameSync(sub, base + "/in/aside");
  symlinkSync(base + "/out", sub);
  unlinkSync(sub);
  renameSync(base + "/in/aside", sub);
  Atomics.add(flags, 1, 1);
}`;

describe.runIf(ON_POSIX)("what could block or act is not opened", () => {
  test.each([
    { name: "a FIFO", make: (path: string) => void execFileSync("mkfifo", [path]) },
    {
      name: "a socket",
      make: (path: string) => new Promise<void>((resolve) => SERVER.listen(path, resolve)),
    },
  ])("$name: EACCES at once, and it can be asked about and removed", async ({ make }) => {
    await make(join(base, "in", "special"));
    for (const options of [
      READ,
      { ...READ, read: false, write: true },
      CREATE,
      { ...CREATE, truncate: true },
    ]) {
      expect(root.openAt("m/special", options)).toBe(-Errno.EACCES);
    }
    expect(root.openAt("m/special", DIRECTORY)).toBe(-Errno.ENOTDIR);
    expect(statAt(root, "m/special")).toBe(0);
    expect(root.unlinkAt("m/special")).toBe(0);
    await new Promise((resolve) => SERVER.close(resolve));
  });

  test("devices of the host", () => {
    const tree = openHostTree("/dev", { readOnly: false, device: 9n, uid: 0, gid: 0 });
    trees.push(tree);
    const table = new MountTable(new FileSystem({ nowNs: () => 0n, device: 1n }));
    table.mount("/m", { tree });
    const at = table.openRoot(SUPERUSER);
    for (const name of ["null", "zero", "tty"]) expect(at.openAt(`m/${name}`, READ)).toBe(-Errno.EACCES);
    at.close();
  });
});
const SERVER = createServer();

describe("mounted read-only", () => {
  const writes: readonly { name: string; call: (at: OpenFile) => number | OpenFile }[] = [
    { name: "open to write", call: (at) => at.openAt("m/file", { ...READ, write: true }) },
    { name: "open to truncate", call: (at) => at.openAt("m/file", { ...READ, truncate: true }) },
    { name: "create", call: (at) => at.openAt("m/new", CREATE) },
    { name: "create what is there", call: (at) => at.openAt("m/file", { ...CREATE, truncate: true }) },
    { name: "times by path", call: (at) => at.setTimesAt("m/file", true, THEN, THEN) },
    { name: "times of what is open", call: (at) => opened(at.openAt("m/file", READ)).setTimes(THEN, THEN) },
    { name: "times of a directory that is open", call: (at) => opened(at.openAt("m/sub", DIRECTORY)).setTimes(THEN, THEN) },
    { name: "mkdir", call: (at) => at.makeDirectoryAt("m/new", 0o755) },
    { name: "rmdir", call: (at) => at.removeDirectoryAt("m/empty") },
    { name: "unlink", call: (at) => at.unlinkAt("m/file") },
    { name: "symlink", call: (at) => at.makeSymlinkAt("x", "m/new") },
    { name: "link", call: (at) => at.linkAt("m/file", false, at, "m/new") },
    { name: "rename", call: (at) => at.renameAt("m/file", at, "m/new") },
    { name: "rename over", call: (at) => at.renameAt("m/file", at, "m/sub/file") },
    { name: "rename from a directory that is open", call: (at) => opened(at.openAt("m/sub", DIRECTORY)).renameAt("file", at, "m/new") },
    { name: "through a link of the container", call: (at) => at.makeSymlinkAt("m", "alias") || at.unlinkAt("alias/file") },
  ]; // biome-ignore format: a line for each

  test.each(writes)("$name: EROFS, and nothing has changed", ({ call }) => {
    mkdirSync(join(base, "in", "empty"));
    const at = mountAt({ "/m": "in" }, true);
    const picture = () => execFileSync("ls", ["-laR", "--full-time", join(base, "in")]).toString();
    const before = picture();
    expect(call(at)).toBe(-Errno.EROFS);
    expect(picture()).toBe(before);
    at.close();
  });

  test("what is open to read can't be written or cut", () => {
    const at = mountAt({ "/m": "in" }, true);
    const file = opened(at.openAt("m/file", READ));
    expect(file.write(new Uint8Array(1))).toBe(-Errno.EBADF);
    expect(file.truncate(0)).toBe(-Errno.EINVAL);
    expect(file.allocate(0, 100)).toBe(-Errno.EBADF);
    file.close();
    at.close();
    expect(readFileSync(join(base, "in", "file"), "utf8")).toBe("inside");
  });
});

describe("without bounds", () => {
  test("10,000 directories in each other overflow no stack, up or down", () => {
    let at = opened(root.openAt("m", DIRECTORY));
    for (let depth = 0; depth < 10_000; depth++) {
      expect(at.makeDirectoryAt("d", 0o755)).toBe(0);
      const next = opened(at.openAt("d", DIRECTORY));
      at.close();
      at = next;
    }
    expect(statAt(at, Array(300).fill("..").join("/"))).toBe(0);
    opened(at.openAt("../../new", CREATE)).close();
    expect(statAt(root, `m/${Array(2040).fill("d").join("/")}`)).toBe(0);
    expect(at.renameAt("../../new", root, "m/new")).toBe(0);
    at.close();
    expect(existsSync(join(base, "in", "new"))).toBe(true);
    execFileSync("rm", ["-rf", join(base, "in", "d")]);
  }, 60_000);

  test("thousands of directories hold a bounded number of descriptors", () => {
    for (let index = 0; index < 300; index++) {
      expect(root.makeDirectoryAt(`m/d${index}`, 0o755)).toBe(0);
      expect(root.makeDirectoryAt(`m/d${index}/e`, 0o755)).toBe(0);
      expect(statAt(root, `m/d${index}/e/.`)).toBe(0);
    }
    expect(trees[0]!.descriptors.openCount).toBeLessThanOrEqual(64);
  });

  test("a byte at the end of all positions", () => {
    const file = opened(root.openAt("m/sparse", CREATE));
    const answer = file.writeAt(Uint8Array.of(1), 2 ** 52);
    expect(answer === 1 || answer === -Errno.EFBIG).toBe(true);
    expect(file.writeAt(Uint8Array.of(1), Number.MAX_SAFE_INTEGER)).toBe(-Errno.EFBIG);
    expect(file.truncate(2 ** 62)).toBeLessThan(0);
    file.close();
  });

  test("a file that nobody may read is told so, also to a guest that is root", () => {
    if (process.getuid?.() === 0) return expect(content(root, "m/file")).toBe("inside");
    chmodSync(join(base, "in", "file"), 0);
    linkSync(join(base, "in", "file"), join(base, "in", "again"));
    return expect(content(root, "m/again")).toBe(-Errno.EACCES);
  });
});
