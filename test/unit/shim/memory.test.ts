import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Errno } from "../../../shim/abi/errno.ts";
import { encodeUtf8, GuestMemory } from "../../../shim/memory.ts";

const PAGE = 65_536;
const RUNS = process.env.WPOD_TEST_LONG === "1" ? 10_000 : 300;

const kinds = [
  { kind: "own", descriptor: { initial: 1, maximum: 4 } },
  { kind: "shared", descriptor: { initial: 1, maximum: 4, shared: true } },
] as const;

function attached(descriptor: { initial: number; maximum?: number; shared?: boolean }) {
  const wasm = new WebAssembly.Memory(descriptor);
  const memory = new GuestMemory();
  memory.attach(wasm);
  return { wasm, memory };
}

describe.each(kinds)("$kind memory", ({ kind, descriptor }) => {
  test.each([
    { ptr: 0, size: 0, inside: true },
    { ptr: 0, size: PAGE, inside: true },
    { ptr: 0, size: PAGE + 1, inside: false },
    { ptr: PAGE, size: 0, inside: true },
    { ptr: PAGE, size: 1, inside: false },
    { ptr: PAGE + 1, size: 0, inside: false },
    { ptr: PAGE - 4, size: 4, inside: true },
    { ptr: PAGE - 3, size: 4, inside: false },
    { ptr: 0xffff_ffff, size: 1, inside: false },
    { ptr: 0xffff_ffff, size: 0xffff_ffff, inside: false },
    { ptr: 1, size: 0xffff_ffff, inside: false }, // 2^32: would be 0 in 32 bits
  ])("$size bytes at $ptr: inside is $inside", ({ ptr, size, inside }) => {
    const { memory } = attached(descriptor);
    expect(memory.contains(ptr, size)).toBe(inside);
    expect(memory.slice(ptr, size)?.length).toBe(inside ? size : undefined);
    expect(memory.path(ptr, size) === -Errno.EFAULT).toBe(!inside);
  });

  test("is seen anew after it has grown", () => {
    const { wasm, memory } = attached(descriptor);
    memory.setU32(16, 0x1234_5678);
    wasm.grow(1);
    expect(memory.contains(PAGE, PAGE)).toBe(true);
    expect(memory.contains(PAGE, PAGE + 1)).toBe(false);
    expect(memory.u32(16)).toBe(0x1234_5678);
    memory.setU32(2 * PAGE - 4, 7);
    expect(new DataView(wasm.buffer).getUint32(2 * PAGE - 4, true)).toBe(7);
  });

  test("is seen anew after it has grown by nothing, which detaches its buffer too", () => {
    const { wasm, memory } = attached(descriptor);
    wasm.grow(0);
    expect(memory.slice(0, 0)?.length).toBe(0);
    wasm.grow(0);
    expect(memory.path(0, 0)).toBe("");
    wasm.grow(0);
    expect(memory.contains(PAGE - 1, 1)).toBe(true);
    memory.setU8(0, 65);
    wasm.grow(0);
    expect(memory.path(0, 1)).toBe("A");
  });

  test("tells whether others see it", () => {
    expect(attached(descriptor).memory.shared).toBe(kind === "shared");
  });

  test.each([
    { name: "ASCII", bytes: [...Buffer.from("usr/lib/a.txt")], path: "usr/lib/a.txt" },
    { name: "nothing", bytes: [], path: "" },
    { name: "two, three and four bytes", bytes: [...Buffer.from("ä/€/😀")], path: "ä/€/😀" },
    { name: "a byte order mark, which stays", bytes: [0xef, 0xbb, 0xbf, 0x61], path: "\ufeffa" },
    { name: "longer than what is cached", bytes: [...Buffer.from("x".repeat(300))], path: "x".repeat(300) },
    { name: "a NUL at the end", bytes: [0x61, 0], errno: Errno.EINVAL },
    { name: "a NUL alone", bytes: [0], errno: Errno.EINVAL },
    { name: "a lone continuation", bytes: [0x61, 0x80], errno: Errno.EILSEQ },
    { name: "an overlong slash", bytes: [0xc0, 0xaf], errno: Errno.EILSEQ },
    { name: "a surrogate", bytes: [0xed, 0xa0, 0x80], errno: Errno.EILSEQ },
    { name: "beyond U+10FFFF", bytes: [0xf4, 0x90, 0x80, 0x80], errno: Errno.EILSEQ },
    { name: "cut in a character", bytes: [0xe2, 0x82], errno: Errno.EILSEQ },
    { name: "the longest path", bytes: new Array(4095).fill(0x61), path: "a".repeat(4095) },
    { name: "one byte too long", bytes: new Array(4096).fill(0x61), errno: Errno.ENAMETOOLONG },
  ])("path of $name", ({ bytes, path, errno }) => {
    const { wasm, memory } = attached(descriptor);
    const ptr = PAGE - bytes.length;
    new Uint8Array(wasm.buffer).set(bytes, ptr);
    const expected = errno === undefined ? path : -errno;
    expect(memory.path(ptr, bytes.length)).toBe(expected);
    expect(memory.path(ptr, bytes.length)).toBe(expected); // from the cache, where it is cached
  });

  test("paths are what the bytes say, whatever was read before", () => {
    const { wasm, memory } = attached(descriptor);
    const bytes = new Uint8Array(wasm.buffer);
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    // Few letters and lengths: most fall into a slot that another one has.
    const byte = fc.constantFrom(0x61, 0x62, 0x2f, 0x2e, 0xc3, 0xa4, 0);
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), (content) => {
        bytes.set(content, 100);
        let expected: string | number;
        try {
          expected = content.includes(0) ? -Errno.EINVAL : strict.decode(Uint8Array.from(content));
        } catch {
          expected = -Errno.EILSEQ;
        }
        expect(memory.path(100, content.length)).toBe(expected);
      }),
      { numRuns: RUNS },
    );
  });

  test("text is written in UTF-8, cut off, and nothing behind it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), fc.nat(50), (text, room) => {
        const { wasm, memory } = attached(descriptor);
        const bytes = new Uint8Array(wasm.buffer).fill(0xaa);
        const expected = new TextEncoder().encode(text);
        expect(memory.setText(8, text, room)).toBe(expected.length);
        const written = Math.min(room, expected.length);
        expect([...bytes.slice(0, 8 + written)]).toEqual([
          ...new Array(8).fill(0xaa),
          ...expected.slice(0, written),
        ]);
        expect(bytes.slice(8 + written, 200).every((value) => value === 0xaa)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test("numbers are little endian, at any address", () => {
    const { wasm, memory } = attached(descriptor);
    memory.setU64(1, -2n);
    expect(memory.u64(1)).toBe(0xffff_ffff_ffff_fffen);
    memory.setSafeU64(11, 2 ** 53 - 1);
    expect(memory.u64(11)).toBe(2n ** 53n - 1n);
    memory.setU16(21, 0x1234);
    memory.setU8(23, 0x56);
    expect(memory.u16(21)).toBe(0x1234);
    expect(memory.u8(23)).toBe(0x56);
    expect([...new Uint8Array(wasm.buffer).slice(21, 24)]).toEqual([0x34, 0x12, 0x56]);
    memory.zero(20, 3);
    expect(memory.u32(20)).toBe(0x5600_0000);
  });
});

test.each([
  { name: "inside", buffer: [16, 4], length: 4 },
  { name: "at the very end", buffer: [PAGE - 4, 4], length: 4 },
  { name: "empty, at the end", buffer: [PAGE, 0], length: 0 },
  { name: "one byte out", buffer: [PAGE - 3, 4], length: undefined },
  { name: "empty, out", buffer: [PAGE + 1, 0], length: undefined },
  { name: "near 4 GiB", buffer: [0xffff_fffe, 4], length: undefined },
])("an iovec that is $name", ({ buffer, length }) => {
  const { memory } = attached({ initial: 1 });
  memory.setU32(8, buffer[0]!);
  memory.setU32(12, buffer[1]!);
  expect(memory.iovec(8)?.length).toBe(length);
});

test.each([PAGE - 7, PAGE, 0xffff_fff8])("an iovec whose struct leaves memory, at %d", (ptr) => {
  expect(attached({ initial: 1 }).memory.iovec(ptr)).toBeUndefined();
});

test("before a memory is attached nothing is inside but nothing", () => {
  const memory = new GuestMemory();
  expect(memory.contains(0, 1)).toBe(false);
  expect(memory.contains(0, 0)).toBe(true);
  expect(memory.slice(0, 0)?.length).toBe(0);
});

test("what isn't valid UTF-16 is replaced", () => {
  expect([...encodeUtf8("a\ud800b")]).toEqual([0x61, 0xef, 0xbf, 0xbd, 0x62]);
});
