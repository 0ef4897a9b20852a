import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { Mailbox } from "../../../../runtime/core/ipc/mailbox.ts";
import { Ring } from "../../../../runtime/core/ipc/ring.ts";
import {
  SharedDirectory,
  type SharedStream,
  STDIO_COUNT,
} from "../../../../runtime/core/kernel/remote/shared-files.ts";
import { RingSink, RingSource } from "../../../../runtime/core/kernel/ring-stream.ts";
import { KernelStreamFile } from "../../../../runtime/core/kernel/stream.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { PLAIN } from "../../../../runtime/core/vfs/open-options.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type OpenOptions, Readiness } from "../../../../shim/abi/system.ts";
import { KernelHere } from "../../../fixtures/kernel-here.ts";
import { threadsHere } from "../../../fixtures/threads-here.ts";

const ROOT = { uid: 0, gid: 0, groups: [], umask: 0o022 };
const CREATE: OpenOptions = { ...PLAIN, read: true, write: true, create: true, mode: 0o666 };

/** A program of two threads at a kernel that both have in their own thread. */
function program(handlesMax = 64) {
  const here = new KernelHere();
  const table = new MountTable(new FileSystem({ nowNs: () => 0n, device: 1n }));
  const bell = new Bell();
  const input = Ring.create(64, bell);
  const output = Ring.create(64, bell);
  const [one, other] = threadsHere(here, 2, {
    bell,
    stdio: [
      new KernelStreamFile(1n, { source: new RingSource(input) }),
      new KernelStreamFile(2n, { sink: new RingSink(output) }),
      new KernelStreamFile(3n, { sink: new RingSink(output) }),
    ],
    preopens: [{ name: "/", directory: table.openRoot(ROOT) }],
    handlesMax,
  }).map((thread) => ({ ...thread, root: thread.preopens[0]! }));
  return { here, bell, input, output, one: one!, other: other! };
}

type Threads = ReturnType<typeof program>;

/** The same file, as the other thread has it. */
function seenBy(thread: Threads["one"], file: OpenFile) {
  return thread.files.fileOf(thread.files.handleOf(file), file.type);
}

function open(at: OpenFile, path: string, options: Partial<OpenOptions> = {}): OpenFile {
  const file = at.openAt(path, { ...CREATE, ...options });
  if (isFailure(file)) throw new Error(`${path}: errno ${-file}`);
  return file;
}

const bytes = (text: string) => new TextEncoder().encode(text);
function readText(file: OpenFile, count: number): string {
  const target = new Uint8Array(count);
  const got = file.read(target);
  return got < 0 ? `errno ${-got}` : new TextDecoder().decode(target.subarray(0, got));
}

describe("files that threads of a program share", () => {
  test("have one position, whoever reads, writes and seeks", () => {
    const { one, other } = program();
    const mine = open(one.root, "file");
    const theirs = seenBy(other, mine);
    expect(theirs.type).toBe(FileType.regularFile);
    expect(mine.write(bytes("abc"))).toBe(3);
    expect(theirs.write(bytes("def"))).toBe(3);
    expect(mine.seek(0, "current")).toBe(6);
    expect(theirs.seek(1, "set")).toBe(1);
    expect(theirs.readableBytes()).toBe(5);
    expect(readText(mine, 2)).toBe("bc");
    expect(readText(theirs, 2)).toBe("de");
    expect(theirs.seek(-1, "current")).toBe(4);
    expect(mine.seek(-2, "end")).toBe(4);
    expect(mine.seek(-1, "set")).toBe(-Errno.EINVAL);
    expect(readText(theirs, 9)).toBe("ef");
    expect(readText(theirs, 9)).toBe("");
  });

  test("also for what takes several calls", () => {
    const { one, other } = program();
    const mine = open(one.root, "large");
    const content = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
    expect(mine.write(content)).toBe(300_000);
    const theirs = seenBy(other, mine);
    expect(theirs.seek(0, "set")).toBe(0);
    const got = new Uint8Array(400_000);
    expect(theirs.read(got)).toBe(300_000);
    expect(got.subarray(0, 300_000)).toEqual(content);
    expect(mine.seek(0, "current")).toBe(300_000);
  });

  test("that append do so for every thread", () => {
    const { one, other } = program();
    const mine = open(one.root, "log", { append: true });
    expect(mine.append).toBe(true);
    mine.write(bytes("one "));
    mine.seek(0, "set");
    seenBy(other, mine).write(bytes("two"));
    mine.seek(0, "set");
    expect(readText(mine, 20)).toBe("one two");
  });

  test("answer EBADF when another thread has closed them, and never what was opened since", () => {
    const { one, other } = program();
    const mine = open(one.root, "secret");
    const stale = seenBy(other, mine);
    mine.write(bytes("x"));
    mine.close();
    for (let round = 0; round < 20; round++) open(one.root, `next-${round}`).write(bytes("other"));
    const target = new Uint8Array(8);
    expect(stale.read(target)).toBe(-Errno.EBADF);
    expect(stale.readAt(target, 0)).toBe(-Errno.EBADF);
    expect(stale.write(target)).toBe(-Errno.EBADF);
    expect(stale.seek(0, "current")).toBe(-Errno.EBADF);
    expect(stale.truncate(0)).toBe(-Errno.EBADF);
    stale.close();
    expect([...target]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("in directories too: what one thread has opened, the other looks into", () => {
    const { one, other } = program();
    one.root.makeDirectoryAt("d", 0o777);
    const mine = open(one.root, "d", { create: false, directory: true, write: false });
    const theirs = seenBy(other, mine);
    expect(theirs).toBeInstanceOf(SharedDirectory);
    open(theirs, "inner").write(bytes("!"));
    const names: string[] = [];
    expect(
      mine.readDirectory(0, (_next, _inode, _type, name) => {
        names.push(name);
        return true;
      }),
    ).toBe(0);
    expect(names).toEqual([".", "..", "inner"]);
    expect(mine.renameAt("inner", mine, "outer")).toBe(0);
    expect(theirs.openAt("inner", { ...CREATE, create: false })).toBe(-Errno.ENOENT);
  });

  test("count against one limit, and are there until the last thread has gone", () => {
    const { here, one, other } = program(6);
    open(one.root, "1");
    const last = open(other.root, "2");
    expect(one.root.openAt("3", CREATE)).toBe(-Errno.EMFILE);
    expect(here.kernel.openCount).toBe(6);
    here.kernel.detach(0);
    expect(here.kernel.openCount).toBe(6);
    expect(last.write(bytes("still"))).toBe(5);
    here.kernel.detach(1);
    expect(here.kernel.openCount).toBe(0);
  });

  test("a thread of a program that has gone is none", () => {
    const { here } = program();
    here.kernel.detach(0);
    here.kernel.detach(1);
    expect(here.kernel.attachThread(2, Mailbox.create(), 0)).toBeUndefined();
    expect(here.kernel.clientCount).toBe(0);
  });
});

describe("standard streams at the kernel", () => {
  test("are read by whoever comes first, and answer EAGAIN in place of waiting", () => {
    const { one, other, input } = program();
    const [mine] = one.connection.stdio;
    const [theirs] = other.connection.stdio;
    input.write(bytes("abcd"));
    expect(readText(mine, 2)).toBe("ab");
    expect(readText(theirs, 9)).toBe("cd");
    (mine as SharedStream).adoptStatus(false, true);
    expect(mine.read(new Uint8Array(1))).toBe(-Errno.EAGAIN);
    expect(mine.readiness(Readiness.read)).toBe(0);
    input.end();
    expect(mine.readiness(Readiness.read)).toBe(Readiness.read | Readiness.hangup);
    expect(theirs.read(new Uint8Array(1))).toBe(0);
  });

  test("are not made to wait by what a program sets on them", () => {
    const { one } = program();
    const [stdin] = one.connection.stdio;
    expect(stdin.setStatus(false, false)).toBe(0);
    (stdin as SharedStream).adoptStatus(false, true);
    // The kernel is in this thread: if it waited, so would the test.
    expect(stdin.read(new Uint8Array(1))).toBe(-Errno.EAGAIN);
  });

  test("write what fits, and more when there is room", () => {
    const { one, output } = program();
    const [, stdout] = one.connection.stdio;
    (stdout as SharedStream).adoptStatus(false, true);
    expect(stdout.write(new Uint8Array(100).fill(97))).toBe(64);
    expect(stdout.write(bytes("b"))).toBe(-Errno.EAGAIN);
    output.read(new Uint8Array(10));
    expect(stdout.write(bytes("b"))).toBe(1);
    output.abandon();
    expect(stdout.write(bytes("b"))).toBe(-Errno.EPIPE);
  });

  test("closing one in a table leaves it to the others", () => {
    const { one, other, output } = program();
    expect(one.files.keptMax).toBe(STDIO_COUNT);
    expect(one.files.fileOf(1, FileType.unknown)).toBe(one.connection.stdio[1]);
    expect(other.connection.stdio[1].write(bytes("hi"))).toBe(2);
    expect(output.available()).toBe(2);
  });
});
