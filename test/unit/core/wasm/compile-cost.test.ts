import { expect, test } from "vitest";
import { again, forEver, i32Const, leaveIf, localGet } from "../../../../runtime/core/wasm/assembly.ts";
import { COMPILED_BYTES_MAX, FUNCTION_COST_MAX } from "../../../../runtime/core/wasm/compile-cost.ts";
import { makeInterruptible } from "../../../../runtime/core/wasm/interruptible.ts";
import { buildModule, leb, type ModulePlan } from "../../../fixtures/module-builder.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const I64 = 0x7e;
const DROP = 0x1a;
const END = 0x0b;
const repeated = (count: number, code: readonly number[]) => Array.from({ length: count }, () => code).flat();
const block = (code: readonly number[]) => [0x02, 0x40, ...code, END];
const branches = [...i32Const(0), ...leaveIf(0)];

/** One function, of these locals and instructions; and types behind its own. */
function module(localCount: number, body: readonly number[], types: readonly number[][] = []): ModulePlan {
  const code = [1, ...leb(localCount), I64, ...body, END];
  return {
    sections: {
      1: [...leb(types.length + 1), 0x60, 0, 0, ...types.flat()],
      3: [1, 0],
      10: [1, ...leb(code.length), ...code],
    },
  };
}

const THOUSAND = [...leb(1000), ...repeated(1000, [I64])];
/** Takes a thousand values, and leaves as many. */
const wide = [0x60, ...THOUSAND, ...THOUSAND];

const costly: readonly { name: string; plan: ModulePlan }[] = [
  { name: "many locals, and many blocks", plan: module(50_000, repeated(700, block(branches))) },
  { name: "many locals, and many loops", plan: module(50_000, repeated(700, forEver(branches))) },
  {
    name: "many operands, and many blocks",
    plan: module(0, [
      ...repeated(20_000, i32Const(0)),
      ...repeated(2000, block(branches)),
      ...repeated(20_000, [DROP]),
    ]),
  },
  {
    name: "operands of a thousand that a call leaves, and blocks",
    plan: module(
      0,
      [
        ...repeated(40, [0x00, ...repeated(1000, [...i32Const(0)]), 0x11, 1, 0]),
        ...repeated(2000, block(branches)),
      ],
      [wide],
    ),
  },
  {
    name: "calls with thousands of values",
    plan: module(0, [...repeated(1000, [0x42, 1]), ...repeated(20_000, [0x11, 1, 0])], [wide]),
  },
  { name: "7 MB", plan: module(1, repeated(2_300_000, [...localGet(0), DROP])) },
  { name: "a byte too many", plan: module(1, repeated(COMPILED_BYTES_MAX, [0x01])) },
];

test.each(costly)("$name: refused", ({ plan }) => {
  expect(() => makeInterruptible(buildModule(plan))).toThrow(
    expect.objectContaining({
      code: "PROGRAM_INVALID",
      message: "function 0 of the module is too much to compile",
    }),
  );
});

test.each([
  { name: "50,000 locals", plan: module(50_000, []) },
  { name: "and 600 blocks", plan: module(50_000, repeated(600, block(branches))) },
  { name: "100,000 blocks in each other", plan: module(1, [...repeated(100_000, [0x02, 0x40]), ...repeated(100_000, [END])]) },
  { name: "100,000 blocks behind each other, that take and leave nothing", plan: module(10, repeated(100_000, block(branches))) },
  { name: "65,000 targets", plan: module(0, block([...i32Const(0), 0x0e, ...leb(65_000), ...repeated(65_001, [0])])) },
  { name: "2 MB", plan: module(1, repeated(COMPILED_BYTES_MAX - 8, [0x01])) },
])("$name: taken, by V8 too", ({ plan }) => {
  const { bytes } = makeInterruptible(buildModule(plan));
  expect(WebAssembly.validate(bytes)).toBe(true);
}); // biome-ignore format: a line for each

test("the bound is what is said", () => {
  const locals = 1024;
  const blocks = FUNCTION_COST_MAX / locals;
  expect(() => makeInterruptible(buildModule(module(locals, repeated(blocks / 2, block([])))))).not.toThrow();
  expect(() => makeInterruptible(buildModule(module(locals, repeated(blocks, block(again(0))))))).toThrow();
});
