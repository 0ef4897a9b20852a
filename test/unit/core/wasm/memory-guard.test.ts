import { describe, expect, test } from "vitest";
import { MemoryAccount } from "../../../../runtime/core/quota/memory-account.ts";
import { MemoryBudget } from "../../../../runtime/core/quota/memory-budget.ts";
import { MemoryGuard } from "../../../../runtime/core/wasm/memory-guard.ts";
import { watchMemory } from "../../../../runtime/core/wasm/memory-watch.ts";
import { inspectModule } from "../../../../runtime/core/wasm/module-inspection.ts";
import { buildModule, type ModulePlan } from "../../../fixtures/module-builder.ts";

const PAGE = 65_536;
const GROW = [0x20, 0, 0x40, 0];

/** Exports `grow(pages)` over a memory of one page. */
const GROWS: ModulePlan = {
  types: [
    { params: ["i32"], results: ["i32"] },
    { params: [], results: [] },
  ],
  memories: [{ minimum: 1 }],
  functions: [{ type: 0, body: GROW }],
  exports: [
    { name: "grow", kind: "function", index: 0 },
    { name: "memory", kind: "memory", index: 0 },
  ],
};

function started(plan: ModulePlan, budget: MemoryBudget, reclaim?: () => void, memory?: WebAssembly.Memory) {
  const bytes = buildModule(plan);
  const watched = watchMemory(bytes, inspectModule(bytes).memories, true);
  const imports = memory === undefined ? {} : { env: { memory } };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(watched), imports);
  const account = MemoryAccount.create(budget);
  account.charge(PAGE);
  const guard = new MemoryGuard(account, true, reclaim);
  guard.attach(exports, memory);
  return { exports, account, guard, grow: exports.grow as (pages: number) => number };
}

describe("a program that asks before it grows", () => {
  test("gets what its container has, to the page", () => {
    const budget = MemoryBudget.create(10 * PAGE);
    const one = started(GROWS, budget);
    const other = started(GROWS, budget);
    expect([one.grow(4), other.grow(5), other.grow(4), one.grow(1)]).toEqual([1, -1, 1, -1]);
    expect(budget.usedBytes).toBe(10 * PAGE);
    other.account.close();
    expect([one.grow(6), one.grow(5), one.grow(0)]).toEqual([-1, 5, 10]);
  });

  test("is charged nothing for what it didn't get: V8, or its type, refused", () => {
    const budget = MemoryBudget.create(100 * PAGE);
    const { grow } = started({ ...GROWS, memories: [{ minimum: 1, maximum: 3 }] }, budget);
    expect([grow(3), budget.usedBytes]).toEqual([-1, PAGE]);
    expect([grow(-1), grow(0x10000), budget.usedBytes]).toEqual([-1, -1, PAGE]);
    expect([grow(2), budget.usedBytes]).toEqual([1, 3 * PAGE]);
  });

  test("is asked in its start function, too", () => {
    const budget = MemoryBudget.create(3 * PAGE);
    const plan: ModulePlan = {
      ...GROWS,
      functions: [...GROWS.functions!, { type: 1, body: [0x41, 2, 0x10, 0, 0x1a, 0x41, 1, 0x10, 0, 0x1a] }],
      start: 1,
    };
    const { exports } = started(plan, budget);
    expect((exports.memory as WebAssembly.Memory).buffer.byteLength).toBe(3 * PAGE);
    expect(budget.usedBytes).toBe(3 * PAGE);
  });

  test("with several memories, and 64-bit addresses, has one budget for all", () => {
    const budget = MemoryBudget.create(6 * PAGE);
    const { exports } = started(
      {
        types: [
          { params: ["i32"], results: ["i32"] },
          { params: ["i64"], results: ["i64"] },
        ],
        memories: [{ minimum: 1 }, { minimum: 1, maximum: 100, memory64: true }],
        functions: [
          { type: 0, body: GROW },
          { type: 1, body: [0x20, 0, 0x40, 1] },
        ],
        exports: [
          { name: "grow", kind: "function", index: 0 },
          { name: "grow64", kind: "function", index: 1 },
        ],
      },
      budget,
    );
    const { grow, grow64 } = exports as {
      grow: (pages: number) => number;
      grow64: (pages: bigint) => bigint;
    };
    expect([grow(2), grow64(3n), grow64(2n), grow(1)]).toEqual([1, -1n, 1n, -1]);
    expect([grow64(-1n), grow64(2n ** 40n), budget.usedBytes]).toEqual([-1n, -1n, 6 * PAGE]);
  });

  test("has whoever caches give that up", () => {
    const budget = MemoryBudget.create(10 * PAGE);
    budget.cache((8 * PAGE) / 1024);
    let reclaimed = 0;
    const { grow } = started(GROWS, budget, () => reclaimed++);
    expect([grow(1), reclaimed]).toEqual([1, 0]);
    expect(grow(8)).toBe(2);
    expect(reclaimed).toBeGreaterThan(0);
    expect(grow(1)).toBe(-1);
  });
});

describe("a hostile module", () => {
  /** What is added to it: function 2 is the first, table 0 the one that asks, global 0 the one that tells. */
  const added: readonly { name: string; body: readonly number[] }[] = [
    { name: "calls the function that asks", body: [0x42, 0x7f, 0x41, 0, 0x11, 2, 0] },
    { name: "calls the function that grows", body: [0x41, 1, 0x10, 2] },
    { name: "puts its own function in the place of the one that is asked", body: [0x41, 0, 0xd2, 0, 0x26, 0, 0x41, 0] },
    { name: "empties the table of the one that is asked", body: [0x41, 0, 0xd0, 0x70, 0x41, 1, 0xfc, 0x11, 0, 0x41, 0] },
    { name: "looks at what grew", body: [0x23, 0] },
  ]; // biome-ignore format: a line for each

  test.each(added)("that $name is what it was: none", ({ body }) => {
    const bytes = buildModule({
      ...GROWS,
      types: [...GROWS.types!, { params: ["i64"], results: ["i32"] }],
      functions: [
        { type: 0, body: GROW },
        { type: 0, body },
      ],
      exports: [...GROWS.exports!, { name: "cheat", kind: "function", index: 1 }],
    });
    expect(WebAssembly.validate(bytes)).toBe(false);
    expect(watchMemory(bytes, inspectModule(bytes).memories, true)).toBe(bytes);
  });

  test("that says what ours do, without being watched, is charged all the same", () => {
    const budget = MemoryBudget.create(10 * PAGE);
    const bytes = buildModule({
      ...GROWS,
      tables: [{ minimum: 0 }],
      exports: [
        ...GROWS.exports!,
        { name: "wpod:memory_ask", kind: "table", index: 0 },
        { name: "wpod:start", kind: "function", index: 0 },
      ],
    });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
    const guard = new MemoryGuard(MemoryAccount.create(budget), false);
    guard.attach(exports, undefined);
    (exports.grow as (pages: number) => number)(6);
    guard.grown();
    expect(budget.usedBytes).toBe(7 * PAGE);
    (exports.grow as (pages: number) => number)(6);
    expect(() => guard.grown()).toThrow();
  });
});

test("a shared memory is charged once, whichever thread grows it", () => {
  const budget = MemoryBudget.create(6 * PAGE);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 100, shared: true });
  const plan: ModulePlan = {
    types: GROWS.types!,
    imports: [
      { module: "env", name: "memory", kind: "memory", limits: { minimum: 1, maximum: 100, shared: true } },
    ],
    functions: [{ type: 0, body: GROW }],
    exports: [{ name: "grow", kind: "function", index: 0 }],
  };
  const bytes = buildModule(plan);
  const module = new WebAssembly.Module(watchMemory(bytes, inspectModule(bytes).memories, true));
  const account = MemoryAccount.create(budget);
  account.charge(PAGE);
  const grows = [0, 1].map(() => {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    new MemoryGuard(new MemoryAccount(account.spec), true).attach(exports, memory);
    return exports.grow as (pages: number) => number;
  });
  expect([grows[0]!(2), grows[1]!(2), grows[0]!(2), grows[1]!(1)]).toEqual([1, 3, -1, 5]);
  expect(budget.usedBytes).toBe(6 * PAGE);
});
