import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { inspectModule } from "../../../../runtime/core/wasm/module-inspection.ts";
import { addReentry } from "../../../../runtime/core/wasm/reentry.ts";
import { chooseReentry } from "../../../../runtime/core/wasm/reentry-choice.ts";
import { guest } from "../../../fixtures/guests.ts";
import { buildModule, leb, producers } from "../../../fixtures/module-builder.ts";
import { clang, esbuildModule, pythonModule } from "../../../fixtures/programs/pinned.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const SMALL = 512 * 1024;
const BUDGET = 256 * 1024;
const LARGE = { mask: 2 ** 20 - 1, functionBytesMin: 8192, rewrittenBytesMax: BUDGET };
const NOTHING = { params: [], results: [] } as const;
/** A function of each size: `loop, nop..., end`, its locals and its end. */
function sized(sizes: readonly number[]): Uint8Array {
  const bodies = sizes.map((size) => {
    const body = new Uint8Array(size).fill(0x01);
    body.set([0, 0x03, 0x40]);
    body.set([0x0b, 0x0b], size - 2);
    return [Uint8Array.from(leb(size)), body];
  });
  const count = leb(sizes.length);
  const codeBytes = bodies.flat().reduce((sum, piece) => sum + piece.length, count.length);
  const types = sizes.map(() => 0);
  return Buffer.concat([
    Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0),
    Uint8Array.of(3, ...leb(count.length + types.length), ...count, ...types),
    Uint8Array.of(10, ...leb(codeBytes), ...count),
    ...bodies.flat(),
  ]);
}

function functionCount(bytes: Uint8Array): number {
  const { content } = inspectModule(bytes).sections.find(({ id }) => id === 3)!;
  return bytes[content]! < 0x80 ? bytes[content]! : (bytes[content]! & 0x7f) + bytes[content + 1]! * 128;
}

function cloneCount(module: Uint8Array): number {
  expect(WebAssembly.validate(module)).toBe(true);
  const rewritten = addReentry(module, chooseReentry(inspectModule(module)));
  return functionCount(rewritten) - functionCount(module);
}

test("of small code every function is chosen, of large code only large ones", () => {
  // In front of the body: how many there are in a byte, and its size in three.
  expect(cloneCount(sized([SMALL - 4]))).toBe(1);
  expect(chooseReentry(inspectModule(sized([SMALL - 4])))).toEqual({});
  expect(chooseReentry(inspectModule(sized([SMALL - 3])))).toEqual(LARGE);
  expect(cloneCount(sized([100, 200, SMALL - 400]))).toBe(3);
  expect(cloneCount(sized([100, 200, BUDGET, BUDGET]))).toBe(1);
});

test.each([
  { name: "those that are large enough", sizes: [8192, 8191], expected: 1 },
  { name: "the largest, as far as the budget goes", sizes: [100_000, 8192, BUDGET - 108_192], expected: 3 },
  { name: "the largest, up to a byte more", sizes: [100_000, 8192, BUDGET - 108_191], expected: 2 },
  { name: "one as large as the budget", sizes: [BUDGET], expected: 1 },
  { name: "not one that is larger than the budget alone", sizes: [BUDGET + 1, 9000], expected: 1 },
])("of large functions: $name", ({ sizes, expected }) => {
  // What makes the code large, each too small.
  const others = Array.from({ length: 100 }, () => 6000);
  expect(cloneCount(sized([...sizes, ...others]))).toBe(expected);
});

test("a module by Go has none", async () => {
  const customs = (languages: Record<string, string>) => [
    { name: "producers", content: producers({ language: languages }), before: 1 },
  ];
  const by = (languages: Record<string, string>) =>
    chooseReentry(
      inspectModule(
        buildModule({ types: [NOTHING], functions: [{ type: 0, body: [] }], customs: customs(languages) }),
      ),
    );
  expect(by({ Go: "go1.26" })).toBeUndefined();
  expect(by({ C11: "", Rust: "1.90" })).toEqual({});
  expect(chooseReentry(inspectModule(await readFile(await esbuildModule())))).toBeUndefined();
});

test("a module without code has none", () => {
  expect(chooseReentry(inspectModule(buildModule({})))).toBeUndefined();
});

test.each([
  { name: "a program in C", file: () => guest("sha256"), choice: {} },
  { name: "CPython", file: pythonModule, choice: LARGE },
  { name: "clang", file: async () => (await clang()).module, choice: LARGE },
])("of a real program: $name", { timeout: 300_000 }, async ({ file, choice }) => {
  const module = await readFile(await file());
  const chosen = chooseReentry(inspectModule(module));
  expect(chosen).toEqual(choice);
  const rewritten = addReentry(module, chosen);
  expect(WebAssembly.validate(rewritten)).toBe(true);
  const grownBytes = rewritten.length - module.length;
  expect(grownBytes).toBeGreaterThan(0);
  expect(grownBytes).toBeLessThan(1.2 * BUDGET);
});
