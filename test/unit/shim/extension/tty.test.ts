import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { Ring } from "../../../../runtime/core/ipc/ring.ts";
import { ControlBlock } from "../../../../runtime/core/terminal/control-block.ts";
import { writeRecord } from "../../../../runtime/core/terminal/record-ring.ts";
import { TerminalFile } from "../../../../runtime/core/terminal/terminal-file.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { TTY } from "../../../../shim/extension/tty.ts";
import { createImports } from "../../../../shim/imports.ts";
import { type Call, TestGuest } from "../test-guest.ts";

const PTR = 256;
const MEMORY_BYTES = 2 * 65_536;
const GUARD = 0xee;
/** 0 is the terminal, 1 a pipe, 3 a directory. */
const CLOSED = 60;

let input: Ring;
let control: ControlBlock;
let guest: TestGuest;
let tty: Record<string, Call>;

beforeEach(() => {
  const bell = new Bell();
  input = Ring.create(64, bell);
  control = ControlBlock.create({ columns: 258, rows: 3 });
  const buffers = { control: control.buffer, input: input.buffer, output: Ring.create(64, bell).buffer };
  guest = new TestGuest({ stdinFile: new TerminalFile(1n, buffers, bell), descriptorsMax: 5 });
  const asked = TTY.map(({ name }) => ({ module: "wpod_tty", name, kind: "function" }));
  tty = createImports(guest.guest, asked).wpod_tty as Record<string, Call>;
  guest.bytes.fill(GUARD);
});

describe.each([
  { name: "get_size", sizeBytes: 4 },
  { name: "get_mode", sizeBytes: 4 },
  { name: "size_changes", sizeBytes: 4 },
])("$name", ({ name, sizeBytes }) => {
  test.each([
    { what: "a pipe", fd: 1, ptr: PTR, errno: Errno.ENOTTY },
    { what: "a directory", fd: 3, ptr: PTR, errno: Errno.ENOTTY },
    { what: "nothing", fd: CLOSED, ptr: PTR, errno: Errno.EBADF },
    { what: "a negative number", fd: -1, ptr: PTR, errno: Errno.EBADF },
    { what: "a pointer one byte too far", fd: 0, ptr: MEMORY_BYTES - sizeBytes + 1, errno: Errno.EFAULT },
    { what: "the largest pointer", fd: 0, ptr: -1, errno: Errno.EFAULT },
  ])("$what: nothing is written", ({ fd, ptr, errno }) => {
    expect(tty[name]!(fd, ptr)).toBe(errno);
    expect(guest.bytes.every((byte) => byte === GUARD)).toBe(true);
    expect(guest.guest.descriptors.hasRoom()).toBe(true);
  });

  test("at the very end of memory, and not a byte beside", () => {
    expect(tty[name]!(0, MEMORY_BYTES - sizeBytes)).toBe(0);
    expect(guest.bytes.subarray(0, MEMORY_BYTES - sizeBytes).every((byte) => byte === GUARD)).toBe(true);
  });
});

test("the size, as two u16", () => {
  expect(tty.get_size!(0, PTR)).toBe(0);
  expect([...guest.bytes.subarray(PTR, PTR + 5)]).toEqual([2, 1, 3, 0, GUARD]);
});

test("the mode: what was set is what is there", () => {
  expect([tty.get_mode!(0, PTR), guest.u32(PTR)]).toEqual([0, 31]);
  expect([tty.set_mode!(0, 6), tty.get_mode!(0, PTR), guest.u32(PTR)]).toEqual([0, 0, 6]);
  for (const mode of [32, -1, 0x8000_0000 | 0]) expect(tty.set_mode!(0, mode)).toBe(Errno.EINVAL);
  expect([tty.set_mode!(1, 0), tty.set_mode!(CLOSED, 0), control.settingsBits]).toEqual([
    Errno.ENOTTY,
    Errno.EBADF,
    6,
  ]);
});

test("changes of the size: a descriptor that poll and read know; EMFILE when there is no room for it", () => {
  expect([tty.size_changes!(0, PTR), guest.u32(PTR)]).toEqual([0, 4]);
  expect(tty.size_changes!(0, PTR)).toBe(Errno.EMFILE);
  control.resize({ columns: 7, rows: 8 });
  guest.iovecs(PTR, [[PTR + 16, 4]]);
  expect([guest.call("fd_read", 4, PTR, 1, PTR + 8), guest.u32(PTR + 8)]).toEqual([0, 4]);
  expect([...guest.bytes.subarray(PTR + 16, PTR + 20)]).toEqual([7, 0, 8, 0]);
  expect(guest.call("fd_write", 4, PTR, 1, PTR + 8)).toBe(Errno.EBADF);
  expect(guest.call("fd_close", 4)).toBe(0);
  expect(tty.size_changes!(0, PTR)).toBe(0);
});

test("a read into two buffers gets one line, also when it fills the first one", () => {
  for (const line of ["abc\n", "d\n"]) writeRecord(input, Buffer.from(line));
  guest.iovecs(PTR, [
    [PTR + 64, 4],
    [PTR + 80, 16],
  ]);
  expect([guest.call("fd_read", 0, PTR, 2, PTR + 32), guest.u32(PTR + 32)]).toEqual([0, 4]);
  expect([guest.call("fd_read", 0, PTR, 2, PTR + 32), guest.u32(PTR + 32), guest.text(PTR + 64, 2)]).toEqual([
    0,
    2,
    "d\n",
  ]);
});

test("a terminal on 0 can be written too, a pipe on 1 not read", () => {
  guest.iovecs(PTR, [[PTR + 64, 1]]);
  expect(guest.call("fd_write", 0, PTR, 1, PTR + 32)).toBe(0);
  expect(guest.call("fd_read", 1, PTR, 1, PTR + 32)).toBe(Errno.EBADF);
});

test("any numbers: errnos that are documented, and never an exception", () => {
  const known = new Set<number>([0, Errno.EBADF, Errno.ENOTTY, Errno.EFAULT, Errno.EINVAL, Errno.EMFILE]);
  const edges = fc.constantFrom(0, 1, 3, 4, 31, 32, -1, 0x7fff_ffff, MEMORY_BYTES - 4, MEMORY_BYTES - 3);
  const parameter = fc.oneof(edges, fc.integer());
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(tty)), parameter, parameter, (name, fd, value) => {
      expect(known).toContain(tty[name]!(fd, value));
    }),
    { numRuns: process.env.WPOD_TEST_LONG === "1" ? 100_000 : 1000 },
  );
});

test("the header for C declares every function, by its name", () => {
  const header = new URL("../../../../shim/extension/wpod_tty.h", import.meta.url);
  const declared = readFileSync(header, "utf8").matchAll(
    /int wpod_tty_(\w+)\(.*WPOD_TTY_FUNCTION\("(\w+)"\)/g,
  );
  const names = [...declared].map(([, name, imported]) => ({ name, imported }));
  expect(names).toEqual(TTY.map(({ name }) => ({ name, imported: name })));
});
