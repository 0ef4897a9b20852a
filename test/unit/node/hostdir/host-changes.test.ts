/** A bind mount whose directory others use at the same time: what is seen, and when; and what two writers make of a file. */
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HostTree, openHostTree } from "../../../../runtime/node/hostdir/host-tree.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { OpenFile, OpenOptions, Stat } from "../../../../shim/abi/system.ts";
import { CREATE, DIRECTORY, READ, rootOver, WRITE } from "../../../fixtures/hostile-client.ts";
import { KernelHere } from "../../../fixtures/kernel-here.ts";
import { list, openPath, readText } from "../../core/vfs/inspect.ts";

const APPEND: OpenOptions = { ...CREATE, append: true };
const onLinux = process.platform === "linux";
const isRoot = process.getuid?.() === 0;
const bytes = (text: string) => new TextEncoder().encode(text);

let folder: string;
let tree: HostTree;
let root: OpenFile;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wpod-changes-"));
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "file"), "first");
  tree = openHostTree(folder, { readOnly: false, device: 2n, uid: 0, gid: 0 });
  root = rootOver(tree);
});
afterEach(() => {
  root.close();
  tree.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);
const names = (path: string) => list(root, path).map(([name]) => name).sort(); // biome-ignore format: one line
function opened(path: string, options: OpenOptions): OpenFile {
  const file = root.openAt(path, options);
  if (typeof file === "number") throw new Error(`it answered ${file}`);
  return file;
}
function sizeOf(path: string): bigint | number {
  const stat = {} as Stat;
  const answer = root.statAt(path, true, stat);
  return answer < 0 ? answer : stat.sizeBytes;
}
function textOf(file: OpenFile, offset = 0): string {
  const target = new Uint8Array(1000);
  return Buffer.from(target.subarray(0, Math.max(0, file.readAt(target, offset)))).toString();
}

describe.each(["in its own worker", "behind a kernel"])("the next look-up sees, %s,", (placement) => {
  beforeEach(() => {
    // Nothing that a client remembers of its kernel's files may hold for those of the host.
    if (placement === "behind a kernel") root = new KernelHere().join(root).root;
  });

  test("what is new, gone, replaced, grown and cut", () => {
    expect(readText(root, "m/file")).toBe("first");
    writeFileSync(at("new"), "new");
    expect(readText(root, "m/new")).toBe("new");
    expect(names("m")).toEqual(["file", "new", "sub"]);
    rmSync(at("new"));
    expect(sizeOf("m/new")).toBe(-Errno.ENOENT);
    expect(names("m")).toEqual(["file", "sub"]);
    appendFileSync(at("file"), " and more");
    expect(sizeOf("m/file")).toBe(14);
    truncateSync(at("file"), 2);
    expect(readText(root, "m/file")).toBe("fi");
    writeFileSync(at("other"), "replaced");
    renameSync(at("other"), at("file"));
    expect(readText(root, "m/file")).toBe("replaced");
  });

  test("another kind of file under the same name", () => {
    rmSync(at("file"));
    mkdirSync(at("file"));
    writeFileSync(at("file/inner"), "inner");
    expect(readText(root, "m/file/inner")).toBe("inner");
    rmSync(at("file"), { recursive: true });
    symlinkSync("sub", at("file"));
    expect(root.readLinkAt("m/file")).toBe("sub");
    expect(names("m/file")).toEqual([]);
  });

  test("other rights", () => {
    const stat = {} as Stat;
    chmodSync(at("file"), 0o640);
    expect(root.statAt("m/file", true, stat)).toBe(0);
    expect(stat.mode).toBe(0o640);
    const sub = openPath(root, "m/sub");
    chmodSync(at("sub"), 0o711);
    expect(sub.stat(stat)).toBe(0);
    expect(stat.mode).toBe(0o711);
    sub.close();
  });
});

describe("an open file", () => {
  test("grows and is cut under its reader, and stays itself when its name goes to another", () => {
    const file = opened("m/file", READ);
    const target = new Uint8Array(100);
    expect(file.read(target)).toBe(5);
    expect(file.read(target)).toBe(0);
    appendFileSync(at("file"), "!");
    expect(file.read(target)).toBe(1);
    writeFileSync(at("other"), "other");
    renameSync(at("other"), at("file"));
    expect(textOf(file)).toBe("first!");
    rmSync(at("file"));
    expect(textOf(file)).toBe("first!");
    file.close();
  });

  test("was opened on the host as the guest asked: to append, or not", () => {
    if (!onLinux) return;
    const flagsOf = (options: OpenOptions) => {
      const before = new Set(readdirSync("/proc/self/fd"));
      const file = opened("m/file", options);
      const [fd] = readdirSync("/proc/self/fd").filter((name) => !before.has(name) && isFile(name));
      const flags = Number.parseInt(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8").match(/flags:\s*(\d+)/)![1]!, 8);
      file.close();
      return flags;
    };
    expect(flagsOf({ ...WRITE, append: true }) & constants.O_APPEND).toBe(constants.O_APPEND);
    expect(flagsOf(WRITE) & constants.O_APPEND).toBe(0);
    expect(flagsOf(READ) & 3).toBe(constants.O_RDONLY);
    expect(flagsOf({ ...WRITE, read: false }) & 3).toBe(constants.O_WRONLY);
  }); // biome-ignore format: one line
});

/** Of a descriptor of this process, that may be gone. */
function isFile(fd: string): boolean {
  try {
    return fstatSync(Number(fd)).isFile();
  } catch {
    return false;
  }
}

describe("appending", () => {
  test("goes behind what others have appended, and the position is behind its own bytes", () => {
    const file = opened("m/log", { ...APPEND, read: true });
    expect(file.write(bytes("one\n"))).toBe(4);
    appendFileSync(at("log"), "host\n");
    expect(file.write(bytes("two\n"))).toBe(4);
    appendFileSync(at("log"), "host\n");
    if (onLinux) expect(file.seek(0, "current")).toBe(13);
    expect(readFileSync(at("log"), "utf8")).toBe("one\nhost\ntwo\nhost\n");
    expect(file.seek(0, "end")).toBe(18);
    expect(file.seek(4, "set")).toBe(4);
    const target = new Uint8Array(5);
    expect(file.read(target)).toBe(5);
    expect(Buffer.from(target).toString()).toBe("host\n");
    file.close();
  });

  test("pwrite appends too, as Linux's does, and leaves the position", () => {
    const file = opened("m/file", { ...WRITE, append: true });
    expect(file.seek(2, "set")).toBe(2);
    expect(file.writeAt(bytes("+"), 0)).toBe(1);
    expect(readFileSync(at("file"), "utf8")).toBe("first+");
    expect(file.seek(0, "current")).toBe(2);
    expect(file.writeAt(bytes("+"), -1)).toBe(-Errno.EINVAL);
    file.close();
  });

  test("is switched on and off while the file is open", () => {
    const file = opened("m/file", WRITE);
    expect(file.write(bytes("F"))).toBe(1);
    expect(file.setStatus(true, false)).toBe(0);
    appendFileSync(at("file"), ".");
    expect(file.write(bytes("!"))).toBe(1);
    expect(file.setStatus(false, false)).toBe(0);
    if (onLinux) expect(file.seek(0, "current")).toBe(7);
    expect(file.writeAt(bytes("I"), 1)).toBe(1);
    expect(readFileSync(at("file"), "utf8")).toBe("FIrst.!");
    file.close();
  });

  test("works on a file that was made without the right to write it, or has no name any more", () => {
    const made = opened("m/made", { ...APPEND, mode: 0o444 });
    expect(made.write(bytes("one "))).toBe(4);
    expect(statSync(at("made")).mode & 0o777).toBe(0o444);
    expect(made.setStatus(false, false)).toBe(0);
    expect(made.setStatus(true, false)).toBe(0);
    expect(made.write(bytes("two"))).toBe(3);
    expect(readFileSync(at("made"), "utf8")).toBe("one two");
    rmSync(at("made"), { force: true });
    expect(made.setStatus(false, false)).toBe(0);
    expect(made.setStatus(true, false)).toBe(0);
    expect(made.write(bytes("!"))).toBe(1);
    made.close();
  });

  test.runIf(onLinux)("loses no line and cuts none, with a process of the host that appends as well", async () => {
    const lines = process.env.WPOD_TEST_LONG === "1" ? 50_000 : 2_000;
    const file = opened("m/log", APPEND);
    const other = spawn(process.execPath, ["-e", APPENDER, at("log"), String(lines)], { stdio: "inherit" });
    const ended = new Promise((resolve) => other.once("exit", resolve));
    // Both at once: the other one has begun.
    while (!existsSync(at("log")) || statSync(at("log")).size === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let line = 0; line < lines; line++) expect(file.write(bytes(`guest ${line} ${"g".repeat(line % 90)}\n`))).toBeGreaterThan(0);
    await ended;
    file.close();
    const seen = readFileSync(at("log"), "utf8").trimEnd().split("\n");
    const expected = (who: string) => Array.from({ length: lines }, (_, line) => `${who} ${line} ${who[0]!.repeat(line % 90)}`);
    expect(seen.filter((line) => line.startsWith("guest"))).toEqual(expected("guest"));
    expect(seen.filter((line) => line.startsWith("host"))).toEqual(expected("host"));
    expect(seen.length).toBe(2 * lines);
  }); // biome-ignore format: one line each
});

const APPENDER = `
const { openSync, writeSync } = require("node:fs");
const fd = openSync(process.argv[1], "a");
for (let line = 0; line < Number(process.argv[2]); line++) writeSync(fd, "host " + line + " " + "h".repeat(line % 90) + "\\n");
`;

describe("a listing while others change the directory", () => {
  test("has each name once, and all that were there the whole time", () => {
    for (let index = 0; index < 200; index++) writeFileSync(at(`sub/keep-${index}`), "");
    for (let index = 0; index < 200; index++) writeFileSync(at(`sub/gone-${index}`), "");
    const directory = openPath(root, "m/sub");
    const seen: string[] = [];
    let cookie = 0;
    for (let round = 0; ; round++) {
      let taken = 0;
      directory.readDirectory(cookie, (next, _inode, _type, name) => {
        if (taken++ >= 20) return false;
        cookie = next;
        seen.push(name);
        return true;
      });
      if (taken === 0) break;
      rmSync(at(`sub/gone-${round}`), { force: true });
      writeFileSync(at(`sub/new-${round}`), "");
      renameSync(at(`sub/keep-${round}`), at(`sub/keep-x${round}`));
      renameSync(at(`sub/keep-x${round}`), at(`sub/keep-${round}`));
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((name) => name.startsWith("keep-")).length).toBe(200);
    // From the start again it is today's.
    const again: string[] = [];
    directory.readDirectory(0, (_cookie, _inode, _type, name) => again.push(name) > 0);
    expect([...again].sort()).toEqual([".", "..", ...readdirSync(at("sub"))].sort());
    directory.close();
  });

  test("a directory that is removed while it is open: no entries, and nothing can be made in it", () => {
    const directory = openPath(root, "m/sub");
    rmSync(at("sub"), { recursive: true });
    const seen: string[] = [];
    expect(directory.readDirectory(0, (_cookie, _inode, _type, name) => seen.push(name) > 0)).toBe(0);
    expect(seen).toEqual([".", ".."]);
    expect(directory.openAt("new", CREATE)).toBe(-Errno.ENOENT);
    expect(directory.makeDirectoryAt("new", 0o755)).toBe(-Errno.ENOENT);
    directory.close();
  });

  test("the mount's own directory, removed or replaced on the host", () => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    writeFileSync(at("new"), "new");
    if (onLinux) {
      expect(names("m")).toEqual([]);
      expect(root.openAt("m/new", READ)).toBe(-Errno.ENOENT);
    }
  });
});

describe.runIf(onLinux)("special files", () => {
  const specials: readonly { name: string; make: (path: string) => void; needsRoot?: boolean }[] = [
    { name: "a FIFO", make: (path) => void execFileSync("mkfifo", [path]) },
    { name: "a character device", make: (path) => void execFileSync("mknod", [path, "c", "1", "5"]), needsRoot: true },
    { name: "a block device", make: (path) => void execFileSync("mknod", [path, "b", "7", "200"]), needsRoot: true },
  ]; // biome-ignore format: a line for each

  test.each(specials)(
    "$name is refused, by its own name, through a link and as the mount itself",
    (special) => {
      if (special.needsRoot === true && !isRoot) return;
      special.make(at("special"));
      symlinkSync("special", at("alias"));
      for (const path of ["m/special", "m/alias"]) {
        for (const options of [READ, WRITE, CREATE, APPEND, { ...WRITE, truncate: true }]) {
          expect(root.openAt(path, options)).toBe(-Errno.EACCES);
        }
        expect(root.openAt(path, DIRECTORY)).toBe(-Errno.ENOTDIR);
      }
      const seen = list(root, "m").find(([name]) => name === "special");
      expect(seen).toBeDefined();
      expect([FileType.regularFile, FileType.directory, FileType.symbolicLink]).not.toContain(seen![1]);
      const single = openHostTree(at("special"), { readOnly: false, device: 3n, uid: 0, gid: 0 });
      const other = rootOver(single);
      expect(other.openAt("m", READ)).toBe(-Errno.EACCES);
      other.close();
      single.close();
    },
  );

  test("a FIFO that takes a file's place again and again is never opened: its writer goes on waiting", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    // `open` of a writer returns as soon as anybody opens the other end.
    const writer = spawn("sh", ["-c", 'exec 3>"$1"; echo opened', "sh", at("fifo")], { stdio: ["ignore", "pipe", "inherit"] });
    let told = "";
    writer.stdout.on("data", (text) => {
      told += text;
    });
    const flags = new Int32Array(new SharedArrayBuffer(8));
    const swapper = new Worker(FIFO_SWAPPER, { eval: true, workerData: { folder, flags } });
    while (Atomics.load(flags, 1) < 10) await new Promise((resolve) => setImmediate(resolve));
    let isOpened = false;
    let isRefused = false;
    const rounds = process.env.WPOD_TEST_LONG === "1" ? 100_000 : 5_000;
    for (let round = 0; round < rounds || ((!isOpened || !isRefused) && round < 100 * rounds); round++) {
      const file = root.openAt("m/file", round % 2 === 0 ? READ : { ...WRITE, append: true });
      if (typeof file === "number") isRefused = true;
      else {
        isOpened = true;
        file.close();
      }
    }
    Atomics.store(flags, 0, 1);
    await new Promise((resolve) => swapper.once("exit", resolve));
    expect(told).toBe("");
    expect({ isOpened, isRefused }).toEqual({ isOpened: true, isRefused: true });
    // The test can see it: somebody opens it now.
    closeSync(openSync(at(existsSync(at("fifo")) ? "fifo" : "file"), constants.O_RDONLY | constants.O_NONBLOCK));
    await new Promise((resolve) => writer.once("exit", resolve));
    expect(told).toBe("opened\n");
  }, 120_000); // biome-ignore format: long lines
});

const FIFO_SWAPPER = `
const { renameSync } = require("node:fs");
const { folder, flags } = require("node:worker_threads").workerData;
while (Atomics.load(flags, 0) === 0) {
  renameSync(folder + "/file", folder + "/aside");
  renameSync(folder + "/fifo", folder + "/file");
  renameSync(folder + "/file", folder + "/fifo");
  renameSync(folder + "/aside", folder + "/file");
  Atomics.add(flags, 1, 1);
}`;

test("a file that is saved again and again, by a new one in its place, can always be opened", { timeout: 60_000 }, async () => {
  if (process.platform === "win32") return;
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const saver = new Worker(SAVER, { eval: true, workerData: { folder, flags } });
  while (Atomics.load(flags, 1) < 10) await new Promise((resolve) => setImmediate(resolve));
  const answers = new Set<string>();
  for (let round = 0; round < 3_000; round++) {
    const file = root.openAt("m/file", READ);
    const stat = {} as Stat;
    answers.add(`stat ${root.statAt("m/file", true, stat)}`);
    if (typeof file === "number") {
      answers.add(`open ${file}`);
      continue;
    }
    answers.add(textOf(file).slice(0, 5));
    file.close();
  }
  Atomics.store(flags, 0, 1);
  await new Promise((resolve) => saver.once("exit", resolve));
  answers.delete("first"); // before the first time
  expect([...answers].sort()).toEqual(["saved", "stat 0"]);
}); // biome-ignore format: long lines

const SAVER = `
const { renameSync, writeFileSync } = require("node:fs");
const { folder, flags } = require("node:worker_threads").workerData;
while (Atomics.load(flags, 0) === 0) {
  writeFileSync(folder + "/.saved", "saved " + flags[1]);
  renameSync(folder + "/.saved", folder + "/file");
  Atomics.add(flags, 1, 1);
}`;
