/** Advisory locks of clients of one kernel, and of a program that has its files for itself. */

import { beforeEach, describe, expect, test } from "vitest";
import { LOCK_KINDS } from "../../../../runtime/core/kernel/lock-call.ts";
import { CallFlag, Operation, Place } from "../../../../runtime/core/kernel/protocol.ts";
import type { RemoteFile } from "../../../../runtime/core/kernel/remote/remote-file.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { PLAIN } from "../../../../runtime/core/vfs/open-options.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { isFailure, type OpenFile, type OpenOptions } from "../../../../shim/abi/system.ts";
import { type Joined, KernelHere } from "../../../fixtures/kernel-here.ts";
import { makeLayer } from "../vfs/layer-fixture.ts";

const SUPERUSER = { uid: 0, gid: 0, groups: [], umask: 0 };
const READ: OpenOptions = { ...PLAIN, read: true, mode: 0o644 };

let here: KernelHere;
let fileSystem: FileSystem;
let table: MountTable;
let one: Joined;
let other: Joined;

beforeEach(() => {
  here = new KernelHere();
  fileSystem = new FileSystem({ nowNs: () => 0n, device: 1n });
  fileSystem.makeFile("file", 0o644, new Uint8Array(3));
  table = new MountTable(fileSystem);
  table.makeDirectory("/folder", 0o755);
  one = here.join(table.openRoot(SUPERUSER));
  other = here.join(table.openRoot(SUPERUSER));
});

function open(at: OpenFile, path: string, options: Partial<OpenOptions> = {}): OpenFile {
  const file = at.openAt(path, { ...READ, ...options });
  if (isFailure(file)) throw new Error(`open ${path}: ${file}`);
  return file;
}

describe.each(["file", "folder", "."])("of %s", (path) => {
  const options = { directory: path !== "file" };

  test("one client's keeps another's away, until it is given back", () => {
    const mine = open(one.root, path, options);
    const theirs = open(other.root, path, options);
    expect(mine.lock!("exclusive", true)).toBe(0);
    expect(theirs.lock!("shared", false)).toBe(-Errno.EAGAIN);
    expect(mine.lock!("none", true)).toBe(0);
    expect(theirs.lock!("shared", false)).toBe(0);
    expect(mine.lock!("shared", false)).toBe(0);
    expect(mine.lock!("exclusive", false)).toBe(-Errno.EAGAIN);
  });

  test.each(["close", "detach"] as const)("goes with a %s", (how) => {
    const mine = open(one.root, path, options);
    expect(mine.lock!("exclusive", true)).toBe(0);
    const theirs = open(other.root, path, options);
    expect(theirs.lock!("exclusive", false)).toBe(-Errno.EAGAIN);
    if (how === "close") mine.close();
    else here.kernel.detach(one.client);
    expect(theirs.lock!("exclusive", false)).toBe(0);
    here.kernel.detach(other.client);
    expect(fileSystem.locks.count).toBe(0);
  });

  test.each([
    { where: "at a kernel", root: () => one.root as OpenFile },
    { where: "in the program's own thread", root: () => table.openRoot(SUPERUSER) },
  ])("$where: two descriptions of one program are two, and it doesn't wait for itself", ({ root }) => {
    const first = open(root(), path, options);
    const second = open(root(), path, options);
    expect(first.lock!("exclusive", true)).toBe(0);
    expect(second.lock!("exclusive", false)).toBe(-Errno.EAGAIN);
    expect(second.lock!("exclusive", true)).toBe(-Errno.EDEADLK);
    first.close();
    expect(second.lock!("exclusive", true)).toBe(0);
    second.close();
    expect(fileSystem.locks.count).toBe(0);
  });
});

test("it is of the file, whatever its name, and of what has none any more", () => {
  const mine = open(one.root, "file");
  expect(mine.lock!("exclusive", true)).toBe(0);
  expect(other.root.linkAt("file", false, other.root, "second")).toBe(0);
  expect(open(other.root, "second").lock!("shared", false)).toBe(-Errno.EAGAIN);
  expect(other.root.renameAt("file", other.root, "renamed")).toBe(0);
  const renamed = open(other.root, "renamed");
  expect(renamed.lock!("shared", false)).toBe(-Errno.EAGAIN);
  expect(other.root.unlinkAt("renamed")).toBe(0);
  expect(other.root.unlinkAt("second")).toBe(0);
  expect(renamed.lock!("shared", false)).toBe(-Errno.EAGAIN);
  open(other.root, "file", { create: true, write: true }).lock!("exclusive", false);
});

test("a locked file is read, written and removed by anybody: the lock is advice", () => {
  expect(open(one.root, "file").lock!("exclusive", true)).toBe(0);
  const file = open(other.root, "file", { write: true });
  expect(file.write(new Uint8Array(5))).toBe(5);
  expect(file.truncate(0)).toBe(0);
  expect(other.root.unlinkAt("file")).toBe(0);
});

describe("a file of an image, which a client opens without asking twice", () => {
  const READ_BYTES = 4;

  function joinImage() {
    const layer = makeLayer({
      entries: [
        { path: "", type: "directory", mode: 0o777 },
        { path: "file", content: new Uint8Array(READ_BYTES), mode: 0o666 },
      ],
    });
    const image = new FileSystem({ nowNs: () => 0n, device: 1n, layers: [layer] });
    const mounts = new MountTable(image);
    here.kernel.addTree("image", {
      root: image,
      table: mounts,
      fileSystems: [image],
      movedNode: () => undefined,
      openRoot: (who) => mounts.openRoot(who),
      openCapability: () => expect.fail("not asked for"),
    });
    const join = () => here.join(mounts.openRoot(SUPERUSER), 1024, () => layer.blob);
    return { image, one: join(), other: join() };
  }

  test("has a lock for each description", () => {
    const { image, one: mine, other: theirs } = joinImage();
    const files = [1, 2, 3].map(() => open(mine.root, "file"));
    const [first, second, third] = files as [OpenFile, OpenFile, OpenFile];
    for (const file of files) expect(file.read(new Uint8Array(READ_BYTES))).toBe(READ_BYTES);
    expect(first.lock!("shared", false)).toBe(0);
    expect(second.lock!("shared", false)).toBe(0);
    expect(third.lock!("exclusive", false)).toBe(-Errno.EAGAIN);
    expect(image.locks.count).toBe(2);
    first.close();
    expect(image.locks.count).toBe(1);
    expect(third.lock!("exclusive", true)).toBe(-Errno.EDEADLK);
    expect(open(theirs.root, "file").lock!("exclusive", false)).toBe(-Errno.EAGAIN);
    second.close();
    expect(third.lock!("exclusive", true)).toBe(0);
    // What has no lock of its own takes nobody's along.
    open(mine.root, "file").close();
    expect(open(theirs.root, "file").lock!("shared", false)).toBe(-Errno.EAGAIN);
    third.close();
    expect(image.locks.count).toBe(0);
  });
});

test("a lock that goes with a close is free at once, also for who waits for it", () => {
  const mine = open(one.root, "file", { write: true });
  expect(mine.lock!("exclusive", false)).toBe(0);
  const { mailbox, bell } = other.connection;
  const theirs = open(other.root, "file") as RemoteFile;
  mailbox.numbers[Place.mode] = LOCK_KINDS.indexOf("shared");
  expect(other.connection.call(Operation.lock, theirs.handle, CallFlag.wait)).toBe(-Errno.EAGAIN);
  const seen = bell.now();
  mine.close();
  // Nobody else has called the kernel since.
  expect(bell.now()).toBe(seen + 1);
  expect(theirs.lock!("shared", false)).toBe(0);
});
