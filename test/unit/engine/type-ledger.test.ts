import { expect, test } from "vitest";
import { inspectModule } from "../../../runtime/core/wasm/module-inspection.ts";
import { TYPES_MAX } from "../../../runtime/engine/limits.ts";
import { countTypes } from "../../../runtime/engine/type-ledger.ts";
import { buildModule, leb } from "../../fixtures/module-builder.ts";

/** A group of so many structs, different for each number. */
const withTypes = (typeCount: number, number: number) => {
  const structs = new Array<number>(typeCount * 2).fill(0).map((_, at) => (at % 2 === 0 ? 0x5f : 0));
  return buildModule({
    sections: { 1: [2, 0x60, number, ...Array(number).fill(0x7f), 0, 0x4e, ...leb(typeCount), ...structs] },
  });
};
const count = (bytes: Uint8Array) => countTypes(bytes, inspectModule(bytes).sections);

test("a process compiles so many types, the same ones once", () => {
  const half = TYPES_MAX / 2;
  const first = withTypes(half - 1, 0);
  count(first);
  count(first);
  const small = withTypes(1000, 1);
  for (let round = 0; round < 10; round++) count(small);
  expect(() => count(withTypes(half, 2))).toThrow(
    expect.objectContaining({
      code: "LIMIT_REACHED",
      message: `the module has ${half + 1} types, and ${half} of the ${TYPES_MAX} that a process may compile are left`,
    }),
  );
  count(withTypes(half - 1, 3));
  expect(() => count(withTypes(3000, 4))).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
  count(first);
});
