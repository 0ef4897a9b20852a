import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MEMORY_REFUSED_EXPORT, watchMemory } from "../../../../runtime/core/wasm/memory-watch.ts";
import { inspectModule } from "../../../../runtime/core/wasm/module-inspection.ts";

const I32 = 0x7f;
const section = (id: number, content: number[]) => [id, content.length, ...content];
const body = (...code: number[]) => [code.length + 2, 0, ...code, 0x0b];

/** Exports `grow(pages)` and `grow64(pages)`: memories of 1 to 3 pages, the second one with 64-bit addresses. */
const MODULE = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [2, 0x60, 1, I32, 1, I32, 0x60, 1, 0x7e, 1, 0x7e]),
  ...section(3, [2, 0, 1]),
  ...section(5, [2, 1, 1, 3, 5, 1, 3]),
  ...section(7, [2, 1, 0x67, 0, 0, 1, 0x68, 0, 1]),
  // i32.const 64 holds the byte 0x40, which is memory.grow's opcode.
  ...section(10, [2, ...body(0x41, 0xc0, 0, 0x1a, 0x20, 0, 0x40, 0), ...body(0x20, 0, 0x40, 1)]),
]);

function instance(bytes: Uint8Array) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  return {
    grow: exports.g as (pages: number) => number,
    grow64: exports.h as (pages: bigint) => bigint,
    refused: () => (exports[MEMORY_REFUSED_EXPORT] as WebAssembly.Global).value,
  };
}

const watched = () => instance(watchMemory(MODULE, inspectModule(MODULE).memories));

describe("a watched module", () => {
  test("says what its last growth met, and grows as before", () => {
    const { grow, grow64, refused } = watched();
    expect(refused()).toBe(0);
    expect([grow(1), refused()]).toEqual([1, 0]);
    expect([grow(2), refused()]).toEqual([-1, 1]);
    expect([grow(1), refused()]).toEqual([2, 0]);
    expect([grow64(2n), refused()]).toEqual([1n, 0]);
    expect([grow64(1n), refused()]).toEqual([-1n, 1]);
  });

  test("does the same as the one that isn't", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(4))), (steps) => {
        const plain = instance(MODULE);
        const other = watched();
        for (const [wide, pages] of steps) {
          if (wide) expect(other.grow64(BigInt(pages))).toBe(plain.grow64(BigInt(pages)));
          else expect(other.grow(pages)).toBe(plain.grow(pages));
        }
      }),
    );
  });
});

test("a module without memory stays as it is", () => {
  const none = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  expect(watchMemory(none, [])).toBe(none);
});

test("whatever is cut or changed in a module, it is edited or left alone, and valid stays valid", () => {
  fc.assert(
    fc.property(fc.nat(MODULE.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
      const bytes = cut ? MODULE.slice(0, at) : MODULE.map((old, index) => (index === at ? byte : old));
      const { memories, problem } = inspectModule(bytes.length < 8 ? MODULE : bytes);
      const out = watchMemory(bytes, memories);
      if (problem === undefined && WebAssembly.validate(bytes)) expect(WebAssembly.validate(out)).toBe(true);
    }),
    { numRuns: process.env.WPOD_TEST_LONG === "1" ? 50_000 : 2000 },
  );
});
