import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";
import { PROC } from "../../../../shim/extension/proc.ts";
import { createImports } from "../../../../shim/imports.ts";
import { type Call, TestGuest, type TestGuestOptions } from "../test-guest.ts";

const PTR = 256;
const IOVEC_PTR = 512;
const COUNT_PTR = 520;
const DATA_PTR = 1024;
const MEMORY_BYTES = 2 * 65_536;
const GUARD = 0xee;

function start(options: TestGuestOptions = {}): { guest: TestGuest; pipe: Call } {
  const guest = new TestGuest(options);
  const asked = PROC.map(({ name }) => ({ module: "wpod_proc", name, kind: "function" }));
  guest.bytes.fill(GUARD);
  return { guest, pipe: createImports(guest.guest, asked).wpod_proc!.pipe as Call };
}

/** As `readv` and `writev` with one buffer. */
function transfer(
  guest: TestGuest,
  name: "fd_read" | "fd_write",
  fd: number,
  length: number,
): [errno: number, count: number] {
  guest.view.setUint32(IOVEC_PTR, DATA_PTR, true);
  guest.view.setUint32(IOVEC_PTR + 4, length, true);
  const errno = guest.call(name, fd, IOVEC_PTR, 1, COUNT_PTR);
  return [errno, guest.view.getUint32(COUNT_PTR, true)];
}

test("two descriptors: one reads what the other writes, until that is closed", () => {
  const { guest, pipe } = start();
  expect(pipe(PTR)).toBe(0);
  const [reader, writer] = [guest.view.getUint32(PTR, true), guest.view.getUint32(PTR + 4, true)];
  expect([reader, writer]).toEqual([4, 5]);
  guest.put(DATA_PTR, "hello");
  expect(transfer(guest, "fd_write", writer, 5)).toEqual([0, 5]);
  guest.bytes.fill(0, DATA_PTR, DATA_PTR + 5);
  expect(transfer(guest, "fd_read", reader, 100)).toEqual([0, 5]);
  expect(guest.text(DATA_PTR, 5)).toBe("hello");
  expect(transfer(guest, "fd_read", reader, 100)[0]).toBe(Errno.EDEADLK);
  expect(transfer(guest, "fd_write", reader, 1)[0]).toBe(Errno.EBADF);
  expect(transfer(guest, "fd_read", writer, 1)[0]).toBe(Errno.EBADF);
  expect(guest.call("fd_close", writer)).toBe(0);
  expect(transfer(guest, "fd_read", reader, 100)).toEqual([0, 0]);
});

test("nobody reads: EPIPE", () => {
  const { guest, pipe } = start();
  expect(pipe(PTR)).toBe(0);
  expect(guest.call("fd_close", guest.view.getUint32(PTR, true))).toBe(0);
  expect(transfer(guest, "fd_write", guest.view.getUint32(PTR + 4, true), 1)[0]).toBe(Errno.EPIPE);
});

test.each([
  { what: "no room for either descriptor", options: { descriptorsMax: 4 }, ptr: PTR, errno: Errno.EMFILE },
  { what: "room for one", options: { descriptorsMax: 5 }, ptr: PTR, errno: Errno.EMFILE },
  { what: "a pointer one byte too far", options: {}, ptr: MEMORY_BYTES - 7, errno: Errno.EFAULT },
  { what: "the largest pointer", options: {}, ptr: -1, errno: Errno.EFAULT },
  { what: "no pipes at all", options: { withoutPipes: true }, ptr: PTR, errno: Errno.ENOTSUP },
])("$what: nothing is opened or written", ({ options, ptr, errno }) => {
  const { guest, pipe } = start(options);
  expect(pipe(ptr)).toBe(errno);
  expect(guest.bytes.every((byte) => byte === GUARD)).toBe(true);
  for (const fd of [4, 5]) expect(guest.call("fd_close", fd)).toBe(Errno.EBADF);
});

test("as many as there may be, to the last descriptor and the last byte of memory", () => {
  const { guest, pipe } = start({ descriptorsMax: 6 });
  expect(pipe(MEMORY_BYTES - 8)).toBe(0);
  expect(guest.guest.descriptors.hasRoom()).toBe(false);
  expect(guest.bytes.subarray(0, MEMORY_BYTES - 8).every((byte) => byte === GUARD)).toBe(true);
});

describe("the header for C", () => {
  test("declares what there is", () => {
    const header = readFileSync(new URL("../../../../shim/extension/wpod_proc.h", import.meta.url), "utf8");
    const names = [...header.matchAll(/import_module\("wpod_proc"\), import_name\("(\w+)"\)/g)].map(
      ([, name]) => name,
    );
    expect(names).toEqual(PROC.map(({ name }) => name));
  });
});
