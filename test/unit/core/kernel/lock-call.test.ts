import { expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { LOCK_KINDS, lockFor, reopenFor } from "../../../../runtime/core/kernel/lock-call.ts";
import { OpenHandles } from "../../../../runtime/core/kernel/open-handles.ts";
import { openPipe } from "../../../../runtime/core/kernel/pipe.ts";
import { openPipeFor } from "../../../../runtime/core/kernel/pipe-call.ts";
import { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MountTable } from "../../../../runtime/core/vfs/mount-table.ts";
import { PLAIN } from "../../../../runtime/core/vfs/open-options.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { isFailure, type OpenFile } from "../../../../shim/abi/system.ts";

const fileSystem = new FileSystem({ nowNs: () => 0n, device: 1n });
fileSystem.makeFile("file", 0o644, new Uint8Array(3));
const table = new MountTable(fileSystem);

/** So many threads of one program, and the file as often as it says. */
function program(threadCount: number, fileCount: number, handlesMax = 100): OpenHandles {
  const handles = new OpenHandles(new Bell(), handlesMax);
  for (let index = 0; index < threadCount; index++) handles.join();
  for (let index = 0; index < fileCount; index++) handles.set(index, open());
  return handles;
}

function open(): OpenFile {
  const root = table.openRoot({ uid: 0, gid: 0, groups: [], umask: 0 });
  const file = root.openAt("file", { ...PLAIN, read: true });
  if (isFailure(file)) throw new Error(`open: ${file}`);
  return file;
}

const lock = (handles: OpenHandles, handle: number, kind: (typeof LOCK_KINDS)[number], wait: boolean) =>
  lockFor(handles, handles.get(handle)!, kind, wait);

test.each([
  { threads: 1, answer: -Errno.EDEADLK, why: "it would wait for itself" },
  { threads: 2, answer: -Errno.EAGAIN, why: "another thread may give it back" },
])("of $threads threads: $why", ({ threads, answer }) => {
  const handles = program(threads, 2);
  expect(lock(handles, 0, "exclusive", true)).toBe(0);
  expect(lock(handles, 1, "shared", true)).toBe(answer);
  expect(lock(handles, 1, "shared", false)).toBe(-Errno.EAGAIN);
  expect(lock(handles, 0, "none", true)).toBe(0);
  // It is told, when it waits.
  expect(handles.bell.now()).toBe(threads === 1 ? 0 : 1);
  for (let index = 0; index < threads; index++) handles.leave();
  expect(fileSystem.locks.count).toBe(0);
});

test("somebody else has it too: then it waits", () => {
  const mine = program(1, 2);
  const theirs = program(1, 1);
  expect(lock(mine, 0, "shared", true)).toBe(0);
  expect(lock(theirs, 0, "shared", true)).toBe(0);
  expect(lock(mine, 1, "exclusive", true)).toBe(-Errno.EAGAIN);
  theirs.leave();
  expect(mine.bell.now()).toBe(1);
  expect(lock(mine, 1, "exclusive", true)).toBe(-Errno.EDEADLK);
  mine.leave();
  expect(fileSystem.locks.count).toBe(0);
});

test("what a client sends that is no kind, or no file to be locked, is EINVAL", () => {
  const handles = program(1, 1);
  for (const kind of [-1, 3, 2 ** 31 - 1]) {
    expect(lockFor(handles, handles.get(0)!, LOCK_KINDS[kind], true)).toBe(-Errno.EINVAL);
  }
  handles.set(1, openPipe().reader);
  expect(lock(handles, 1, "shared", true)).toBe(-Errno.EINVAL);
  handles.leave();
});

test.each([
  { what: "a handle that is in use", handle: 0, room: 5, answer: -Errno.EBADF },
  { what: "no room", handle: 7, room: 1, answer: -Errno.EMFILE },
  { what: "room for one", handle: 7, room: 2, answer: 0 },
])("a file once more: $what", ({ handle, room, answer }) => {
  const handles = program(1, 1, room);
  expect(reopenFor(handles, handles.get(0)!, handle)).toBe(answer);
  expect(handles.count).toBe(answer === 0 ? 2 : 1);
  handles.leave();
});

test.each([
  { what: "one handle for both ends", reader: 5, writer: 5, room: 9, answer: -Errno.EBADF },
  { what: "the reader's in use", reader: 0, writer: 5, room: 9, answer: -Errno.EBADF },
  { what: "the writer's in use", reader: 5, writer: 0, room: 9, answer: -Errno.EBADF },
  { what: "room for one end", reader: 5, writer: 6, room: 2, answer: -Errno.EMFILE },
  { what: "room for both", reader: 5, writer: 6, room: 3, answer: 0 },
])("a pipe: $what", ({ reader, writer, room, answer }) => {
  const handles = program(1, 1, room);
  expect(openPipeFor(handles, reader, writer)).toBe(answer);
  expect(handles.count).toBe(answer === 0 ? 3 : 1);
  handles.leave();
});
