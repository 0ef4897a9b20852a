import { expect, test } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";
import { RANDOM_BYTES_MAX } from "../../../../shim/limits.ts";
import { TestGuest } from "../test-guest.ts";

const END = 4 * 65_536;

test.each([
  { size: 0, pieces: [] },
  { size: 1, pieces: [1] },
  { size: RANDOM_BYTES_MAX, pieces: [RANDOM_BYTES_MAX] },
  { size: RANDOM_BYTES_MAX + 1, pieces: [RANDOM_BYTES_MAX, 1] },
  { size: END, pieces: [65_536, 65_536, 65_536, 65_536] },
])("$size bytes are filled in pieces, to the last one", ({ size, pieces }) => {
  const guest = new TestGuest({ memory: new WebAssembly.Memory({ initial: 4 }) });
  const asked: number[] = [];
  Object.assign(guest.system, {
    random: (target: Uint8Array) => {
      asked.push(target.length);
      target.fill(7);
    },
  });
  expect(guest.call("random_get", END - size, size)).toBe(0);
  expect(asked).toEqual(pieces);
  expect(guest.bytes.filter((value) => value === 7)).toHaveLength(size);
});

test("one byte too many: nothing is filled", () => {
  const guest = new TestGuest({ memory: new WebAssembly.Memory({ initial: 4 }) });
  expect(guest.call("random_get", 1, END)).toBe(Errno.EFAULT);
  expect(guest.bytes.every((value) => value === 0)).toBe(true);
});

test("two answers differ", () => {
  const guest = new TestGuest();
  expect(guest.call("random_get", 0, 32)).toBe(0);
  expect(guest.call("random_get", 32, 32)).toBe(0);
  expect(guest.bytes.slice(0, 32)).not.toEqual(guest.bytes.slice(32, 64));
});
