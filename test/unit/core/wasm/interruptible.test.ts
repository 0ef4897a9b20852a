import fc from "fast-check";
import { expect, test } from "vitest";
import { makeInterruptible } from "../../../../runtime/core/wasm/interruptible.ts";
import { MalformedError } from "../../../../runtime/core/wasm/reader.ts";
import { HOST_LOOPS, OWN_LOOPS, START_LOOPS } from "../../../fixtures/endless-loops.ts";
import { FAMILIES } from "../../../fixtures/instruction-families.ts";
import { buildModule, modulePlan } from "../../../fixtures/module-builder.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

/** What it answers, or how it ends. */
function results(bytes: Uint8Array, args: readonly number[]): unknown[] {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  const run = exports.run as (argument: number) => unknown;
  return args.map((argument) => {
    try {
      return run(argument);
    } catch (error) {
      return String(error);
    }
  });
}

const wide = FAMILIES.filter(({ bytes }) => WebAssembly.validate(bytes));
test.each(wide)("$name: does as it did", ({ bytes, args }) => {
  expect(results(makeInterruptible(bytes), args)).toEqual(results(bytes, args));
});

const countOf = (bytes: Uint8Array, code: readonly number[]) =>
  Buffer.from(bytes).toString("hex").split(Buffer.from(code).toString("hex")).length - 1;

const NOTHING = { params: [], results: [] } as const;
const one = (body: readonly number[]) =>
  buildModule({
    types: [NOTHING],
    functions: [{ type: 0, body }],
    memories: [{ minimum: 1 }],
    tables: [{ minimum: 1 }],
    elements: [0],
    tags: [0],
  });
const FILL = [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0b, 0];
const LOOK = [0x10, 1];

test.each([
  { what: "nothing that works for long", body: [0x03, 0x40, 0x0b], count: 0 },
  { what: "a call", body: [0x10, 0], count: 0 },
  { what: "a tail call", body: [0x12, 0], count: 1 },
  { what: "two that fill", body: [...FILL, ...FILL], count: 2 },
  { what: "one that throws", body: [0x08, 0], count: 1 },
  { what: "one that grows", body: [0x41, 0, 0x40, 0, 0x1a], count: 1 },
])("$what: $count looks", ({ body, count }) => {
  const bytes = one(body);
  const changed = makeInterruptible(bytes);
  expect(countOf(changed, LOOK)).toBe(count);
  expect(changed === bytes).toBe(count === 0);
  expect(WebAssembly.validate(changed)).toBe(true);
});

test.each([...OWN_LOOPS, ...START_LOOPS, ...HOST_LOOPS])(
  "$name: V8 takes it, before and after",
  ({ bytes }) => {
    expect(WebAssembly.validate(bytes)).toBe(true);
    expect(WebAssembly.validate(makeInterruptible(bytes))).toBe(true);
  },
);

test("modules of all kinds stay what they are", () => {
  fc.assert(
    fc.property(modulePlan, (plan) => {
      const bytes = buildModule(plan);
      expect(WebAssembly.validate(makeInterruptible(bytes))).toBe(WebAssembly.validate(bytes));
    }),
    { numRuns: 100 },
  );
});

test("foreign bytes are refused, or stay as valid as they were", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...wide),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      ({ bytes }, changes) => {
        const changed = bytes.slice();
        for (const [at, byte] of changes) changed[at % changed.length] = byte;
        try {
          const made = makeInterruptible(changed);
          if (WebAssembly.validate(changed)) expect(WebAssembly.validate(made)).toBe(true);
        } catch (error) {
          if (!(error instanceof MalformedError)) throw error;
          expect(WebAssembly.validate(changed)).toBe(false);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
