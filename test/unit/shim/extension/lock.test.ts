import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";
import { LOCK } from "../../../../shim/extension/lock.ts";
import { createImports } from "../../../../shim/imports.ts";
import { type Call, TestGuest } from "../test-guest.ts";

const [SHARED, EXCLUSIVE, NONBLOCK, UNLOCK] = [1, 2, 4, 8] as const;
const OPENED_PTR = 512;
const PATH_PTR = 1024;
const OFLAGS_CREAT = 1;
const RIGHTS_READ_WRITE = 0x42n;

let guest: TestGuest;
let flock: Call;
let first: number;
let second: number;

beforeEach(() => {
  guest = new TestGuest();
  const asked = LOCK.map(({ name }) => ({ module: "wpod_lock", name, kind: "function" }));
  flock = createImports(guest.guest, asked).wpod_lock!.flock as Call;
  first = open("file");
  second = open("file");
});

function open(path: string): number {
  const length = guest.put(PATH_PTR, path);
  const rights = [RIGHTS_READ_WRITE, RIGHTS_READ_WRITE] as const;
  expect(guest.call("path_open", 3, 0, PATH_PTR, length, OFLAGS_CREAT, ...rights, 0, OPENED_PTR)).toBe(0);
  return guest.view.getUint32(OPENED_PTR, true);
}

test.each([
  { has: SHARED, wants: SHARED, now: 0, later: 0 },
  { has: SHARED, wants: EXCLUSIVE, now: Errno.EAGAIN, later: Errno.EDEADLK },
  { has: EXCLUSIVE, wants: SHARED, now: Errno.EAGAIN, later: Errno.EDEADLK },
  { has: EXCLUSIVE, wants: EXCLUSIVE, now: Errno.EAGAIN, later: Errno.EDEADLK },
  { has: EXCLUSIVE, wants: UNLOCK, now: 0, later: 0 },
])("one descriptor has $has, another wants $wants", ({ has, wants, now, later }) => {
  expect(flock(first, has)).toBe(0);
  expect(flock(second, wants | NONBLOCK)).toBe(now);
  expect(flock(second, wants)).toBe(later);
  expect(guest.call("fd_close", first)).toBe(0);
  expect(flock(second, EXCLUSIVE)).toBe(0);
});

test.each([
  { what: "nothing open", fd: () => 60, operation: SHARED, errno: Errno.EBADF },
  { what: "a negative number", fd: () => -1, operation: SHARED, errno: Errno.EBADF },
  { what: "no operation", fd: () => first, operation: 0, errno: Errno.EINVAL },
  { what: "only not to wait", fd: () => first, operation: NONBLOCK, errno: Errno.EINVAL },
  { what: "two operations", fd: () => first, operation: SHARED | EXCLUSIVE, errno: Errno.EINVAL },
  { what: "an unknown bit", fd: () => first, operation: SHARED | 16, errno: Errno.EINVAL },
  { what: "every bit", fd: () => first, operation: -1, errno: Errno.EINVAL },
  { what: "a pipe", fd: () => 1, operation: SHARED, errno: Errno.EINVAL },
])("$what", ({ fd, operation, errno }) => {
  expect(flock(fd(), operation)).toBe(errno);
  expect(flock(second, EXCLUSIVE)).toBe(0);
});

test("a directory can be locked", () => {
  expect(flock(3, EXCLUSIVE)).toBe(0);
  expect(flock(3, UNLOCK)).toBe(0);
});

describe("the header for C", () => {
  const header = readFileSync(new URL("../../../../shim/extension/wpod_lock.h", import.meta.url), "utf8");

  test("has the numbers of the shim", () => {
    const numbers = [...header.matchAll(/#define WPOD_LOCK_(\w+) (\d+)/g)].map(([, name, value]) => [
      name,
      Number(value),
    ]);
    expect(Object.fromEntries(numbers)).toEqual({ SH: SHARED, EX: EXCLUSIVE, NB: NONBLOCK, UN: UNLOCK });
  });

  test("declares what there is", () => {
    const names = [...header.matchAll(/import_module\("wpod_lock"\), import_name\("(\w+)"\)/g)].map(
      ([, name]) => name,
    );
    expect(names).toEqual(LOCK.map(({ name }) => name));
  });
});
