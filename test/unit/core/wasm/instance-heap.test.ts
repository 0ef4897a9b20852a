import fc from "fast-check";
import { expect, test } from "vitest";
import { boundInstanceHeap, INSTANCE_HEAP_BYTES_MAX } from "../../../../runtime/core/wasm/instance-heap.ts";
import { MalformedError } from "../../../../runtime/core/wasm/reader.ts";
import { FAMILIES } from "../../../fixtures/instruction-families.ts";
import { buildModule, type Limits, type ModulePlan, modulePlan } from "../../../fixtures/module-builder.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const REFERENCE_BYTES = 8;
const TABLE_BYTES = 24;
const MOST = (INSTANCE_HEAP_BYTES_MAX - TABLE_BYTES) / REFERENCE_BYTES;

const withTables = (...tables: Limits[]): ModulePlan => ({
  tables,
  exports: tables.map((_, index) => ({ name: `${index}`, kind: "table", index })),
});

/** How large each of its tables becomes. */
function sizes(plan: ModulePlan): number[] {
  const heap = boundInstanceHeap(buildModule(plan));
  if (heap.kind !== "bounded") expect.fail(`needs ${heap.neededBytes} bytes`);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(heap.bytes), {});
  return Object.values(exports).map((exported) => {
    const table = exported as { length: number; grow(count: number): number };
    for (let by = 2 ** 22; by >= 1; by /= 2) {
      try {
        table.grow(by);
      } catch {
        // Too many: half of it.
      }
    }
    return table.length;
  });
}

test.each([
  { name: "one", plan: withTables({ minimum: 0 }), expected: [MOST] },
  { name: "one that has all", plan: withTables({ minimum: MOST }), expected: [MOST] },
  { name: "one with a maximum within", plan: withTables({ minimum: 1, maximum: 7 }), expected: [7] },
  { name: "one with a larger maximum", plan: withTables({ minimum: 1, maximum: 5e6 }), expected: [MOST] },
  {
    name: "two",
    plan: withTables({ minimum: 0 }, { minimum: 100 }),
    expected: [524_235, 524_335],
  },
  {
    name: "one beside one that stays",
    plan: withTables({ minimum: 9, maximum: 9 }, { minimum: 0 }),
    expected: [9, MOST - 9 - TABLE_BYTES / REFERENCE_BYTES],
  },
])("tables, $name: grow as far as is left", ({ plan, expected }) => {
  expect(sizes(plan)).toEqual(expected);
});

test("one element more than there may be is refused, and one less isn't", () => {
  const needed = (minimum: number) => boundInstanceHeap(buildModule(withTables({ minimum })));
  expect(needed(MOST)).toMatchObject({ kind: "bounded" });
  expect(needed(MOST + 1)).toEqual({
    kind: "refused",
    neededBytes: INSTANCE_HEAP_BYTES_MAX + REFERENCE_BYTES,
  });
});

test("a module without a table that may grow is the same bytes", () => {
  for (const plan of [{}, withTables({ minimum: 1, maximum: 1 }), { memories: [{ minimum: 1 }] }]) {
    const bytes = buildModule(plan);
    expect(boundInstanceHeap(bytes)).toEqual({ kind: "bounded", bytes });
  }
});

test("modules of all kinds stay as valid as they are", () => {
  fc.assert(
    fc.property(modulePlan, (plan) => {
      const bytes = buildModule(plan);
      const heap = boundInstanceHeap(bytes);
      if (heap.kind === "bounded") {
        expect(WebAssembly.validate(heap.bytes)).toBe(WebAssembly.validate(bytes));
      }
    }),
    { numRuns: 200 },
  );
});

test("foreign bytes are refused, or stay as valid as they were", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...FAMILIES.filter(({ bytes }) => WebAssembly.validate(bytes))),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      ({ bytes }, changes) => {
        const changed = bytes.slice();
        for (const [at, byte] of changes) changed[at % changed.length] = byte;
        const valid = WebAssembly.validate(changed);
        try {
          const heap = boundInstanceHeap(changed);
          if (heap.kind === "bounded" && valid) expect(WebAssembly.validate(heap.bytes)).toBe(true);
        } catch (error) {
          if (!(error instanceof MalformedError)) throw error;
          expect(valid).toBe(false);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
