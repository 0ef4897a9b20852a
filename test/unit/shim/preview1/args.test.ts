import { describe, expect, test } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";
import { TestGuest } from "../test-guest.ts";

const END = 2 * 65_536;

describe.each([
  { family: "args", list: ["prog", "", "ä€😀"], options: (list: string[]) => ({ args: list }) },
  { family: "environ", list: ["A=1", "B=", "C=x=y"], options: (list: string[]) => ({ environ: list }) },
])("$family", ({ family, list, options }) => {
  const bytes = Buffer.from(list.map((text) => `${text}\0`).join(""));

  test("sizes count bytes of UTF-8, and a NUL for each", () => {
    const guest = new TestGuest(options(list));
    expect(guest.call(`${family}_sizes_get`, 8, 16)).toBe(0);
    expect([guest.u32(8), guest.u32(16)]).toEqual([list.length, bytes.length]);
  });

  test("strings stand one after the other, and pointers to each", () => {
    const guest = new TestGuest(options(list));
    guest.bytes.fill(0xaa);
    const buffer = END - bytes.length;
    const pointers = 1000;
    expect(guest.call(`${family}_get`, pointers, buffer)).toBe(0);
    expect(Buffer.from(guest.bytes.slice(buffer))).toEqual(bytes);
    const found = list.map((_, index) => guest.u32(pointers + index * 4));
    expect(found.map((ptr) => guest.bytes.indexOf(0, ptr) - ptr)).toEqual(
      list.map((text) => Buffer.byteLength(text)),
    );
    expect(found[0]).toBe(buffer);
    expect(guest.u32(pointers - 4)).toBe(0xaaaa_aaaa);
    expect(guest.u32(pointers + list.length * 4)).toBe(0xaaaa_aaaa);
  });

  test("where either doesn't fit nothing is written", () => {
    const guest = new TestGuest(options(list));
    const before = guest.bytes.slice();
    expect(guest.call(`${family}_get`, 0, END - bytes.length + 1)).toBe(Errno.EFAULT);
    expect(guest.call(`${family}_get`, END - list.length * 4 + 1, 0)).toBe(Errno.EFAULT);
    expect(guest.call(`${family}_sizes_get`, 0, END - 3)).toBe(Errno.EFAULT);
    expect(guest.call(`${family}_sizes_get`, END - 3, 0)).toBe(Errno.EFAULT);
    expect(guest.bytes).toEqual(before);
  });

  test("there may be none", () => {
    const guest = new TestGuest(options([]));
    expect(guest.call(`${family}_sizes_get`, 8, 16)).toBe(0);
    expect([guest.u32(8), guest.u32(16)]).toEqual([0, 0]);
    expect(guest.call(`${family}_get`, END, END)).toBe(0);
  });
});
