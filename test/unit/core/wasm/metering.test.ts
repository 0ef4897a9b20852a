import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { MeterControl } from "../../../../runtime/core/wasm/meter-control.ts";
import {
  addMetering,
  type MeteredModule,
  type MeteringOptions,
} from "../../../../runtime/core/wasm/metering.ts";
import { GUEST_NAMES, guest } from "../../../fixtures/guests.ts";
import { FAMILIES } from "../../../fixtures/instruction-families.ts";
import { loopProgram } from "../../../fixtures/loop-programs.ts";
import { MeteredGuest } from "../../../fixtures/metered-guest.ts";
import { buildModule, leb, type ModulePlan, modulePlan } from "../../../fixtures/module-builder.ts";
import { clang, esbuildModule, pythonModule, yqModule } from "../../../fixtures/programs/pinned.ts";
import { rustCompiler, rustProgram } from "../../../fixtures/programs/rust-program.ts";
import { tool } from "../../../fixtures/tools.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const LONG_TIMEOUT_MS = 300_000;
const INTERVALS = [1, 2, 1024];
const INTERVAL_MAX = 2 ** 20;

function metered(bytes: Uint8Array, options?: Partial<MeteringOptions>): MeteredModule {
  const metering = addMetering(bytes, options);
  if (metering.kind !== "metered") expect.fail(JSON.stringify(metering));
  return metering;
}

/** Node 24 lacks the newer exceptions; Node 26 has everything. */
function needV8(skip: (reason: string) => never, bytes: Uint8Array): void {
  if (Number(process.versions.node.split(".")[0]) < 26 && !WebAssembly.validate(bytes))
    skip("needs Node.js 26");
}

interface Started {
  run: (argument: number) => unknown;
  control: MeterControl;
}

/** An instance whose start function has run. */
function start({ bytes, memory, start }: MeteredModule, allowed = 0n, imports = {}): Started {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  const control = new MeterControl((exports[memory] as { buffer: SharedArrayBuffer }).buffer);
  control.allow(allowed);
  if (start !== undefined) (exports[start] as () => void)();
  return { run: runOf(exports), control };
}

/** What a call answers, or how it ends. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return String(error);
  }
}

function runPlain(bytes: Uint8Array, argument: number): unknown {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  return runOf(exports)(argument);
}

function runOf(exports: Readonly<Record<string, unknown>>): Started["run"] {
  return (argument) => (exports.run as Started["run"])(argument);
}

describe("a metered module", () => {
  test.for(FAMILIES)("computes the same: $name", ({ bytes, args }, { skip }) => {
    needV8(skip, bytes);
    for (const interval of INTERVALS) {
      const module = metered(bytes, { interval });
      for (const argument of args) {
        const { run, control } = start(module);
        expect(
          outcome(() => run(argument)),
          `interval ${interval}, run(${argument})`,
        ).toEqual(outcome(() => runPlain(bytes, argument)));
        expect(control.isExhausted).toBe(false);
      }
    }
  });

  test.for([
    // A round for each turn, and for each call that calls in turn: of a function that calls itself twice, fib(n + 1) - 1 do.
    { name: "loops", argument: 5, rounds: 5 },
    { name: "loops", argument: 2000, rounds: 2000 },
    { name: "calls", argument: 15, rounds: 986 },
    { name: "tail calls", argument: 3001, rounds: 3001 },
    { name: "tail calls by reference", argument: 3000, rounds: 3000 },
    { name: "exceptions", argument: 1500, rounds: 1500 },
  ])("counts exactly: $name, $argument", ({ name, argument, rounds }, { skip }) => {
    const { bytes } = FAMILIES.find((family) => family.name === name)!;
    needV8(skip, bytes);
    for (const interval of INTERVALS) {
      const { run, control } = start(metered(bytes, { interval }));
      run(argument);
      expect(control.rounds).toBe(BigInt(Math.floor(rounds / interval) * interval));
    }
  });

  test("takes no bound for none, and one that is met to the round", () => {
    const { bytes } = FAMILIES.find(({ name }) => name === "loops")!;
    for (const [allowed, ends] of [
      [0n, false],
      [2000n, false],
      [1999n, true],
      [1n, true],
    ] as const) {
      const { run, control } = start(metered(bytes, { interval: 1 }), allowed);
      expect(outcome(() => run(2000))).toBe(ends ? "RuntimeError: unreachable" : 2_001_000);
      expect(control.isExhausted).toBe(ends);
      expect(control.rounds).toBe(ends ? allowed + 1n : 2000n);
    }
  });

  test("counts for each instance of its own where instances share a memory", () => {
    const bytes = buildModule({
      types: [{ params: ["i32"], results: ["i32"] }],
      imports: [
        { module: "env", name: "memory", kind: "memory", limits: { minimum: 1, maximum: 1, shared: true } },
      ],
      // loop, end, i32.const 0, local.get 0, i32.atomic.rmw.add
      functions: [{ type: 0, body: [0x03, 0x40, 0x0b, 0x41, 0, 0x20, 0, 0xfe, 0x1e, 2, 0] }],
      exports: [{ name: "run", kind: "function", index: 0 }],
    });
    const module = metered(bytes, { interval: 1 });
    const env = { memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }) };
    const [first, second] = [start(module, 0n, { env }), start(module, 1n, { env })];
    expect([first.run(3), first.run(4), second.run(5)]).toEqual([0, 3, 7]);
    expect([first.control.rounds, second.control.rounds]).toEqual([2n, 1n]);
    expect(outcome(() => second.run(1))).toBe("RuntimeError: unreachable");
    expect([first.control.isExhausted, second.control.isExhausted]).toEqual([false, true]);
    expect(first.run(0)).toBe(12);
  });

  test("stays stopped: every call after the bound ends at its first check", () => {
    const { bytes } = FAMILIES.find(({ name }) => name === "loops")!;
    const { run, control } = start(metered(bytes), 1n);
    expect(outcome(() => run(2000))).toBe("RuntimeError: unreachable");
    for (let again = 0; again < 3; again++) expect(outcome(() => run(1))).toBe("RuntimeError: unreachable");
    control.allow(0n);
    expect(run(1)).toBe(1);
  });

  test.each([0, -1, 3, 1.5, 2 * INTERVAL_MAX, Number.NaN])("has no interval of %d", (interval) => {
    expect(() => addMetering(FAMILIES[0]!.bytes, { interval })).toThrow("a power of two");
  });
});

const CALL = [0x10, 1];
const calls = (count: number) => Array.from({ length: count }, () => CALL).flat();
const when = (...code: number[]) => [0x41, 1, 0x04, 0x40, ...code, 0x0b];
const whenNot = (...code: number[]) => [0x41, 0, 0x04, 0x40, ...code, 0x0b];
const either = (then: number[], otherwise: number[]) => [
  0x41,
  0,
  0x04,
  0x40,
  ...then,
  0x05,
  ...otherwise,
  0x0b,
];
const block = (...code: number[]) => [0x02, 0x40, ...code, 0x0b];
const loop = (...code: number[]) => [0x03, 0x40, ...code, 0x0b];

// What a function pays; 1 is one that does nothing, 2 the type of `run`.
const PATHS: { name: string; code: number[]; rounds: number; needsExceptions?: boolean }[] = [
  { name: "nothing", code: [], rounds: 0 },
  { name: "a call", code: calls(1), rounds: 1 },
  { name: "eight calls", code: calls(8), rounds: 1 },
  { name: "nine calls", code: calls(9), rounds: 2 },
  { name: "17 calls", code: calls(17), rounds: 3 },
  { name: "calls that aren't on the way", code: [...whenNot(...calls(20)), ...calls(1)], rounds: 1 },
  {
    name: "a call in front of a way that isn't gone",
    code: [...calls(8), ...whenNot(...calls(1)), ...calls(1)],
    rounds: 2,
  },
  {
    name: "the way with more calls counts",
    code: [...calls(1), ...when(...calls(7)), ...calls(1)],
    rounds: 2,
  },
  { name: "either way has paid", code: [...either(calls(1), calls(8)), ...calls(1)], rounds: 2 },
  {
    name: "a way that doesn't come back",
    code: [...calls(4), ...whenNot(...calls(4), 0x0f), ...calls(4)],
    rounds: 1,
  },
  { name: "a branch over a check", code: [...block(...when(0x0c, 1), ...calls(1)), ...calls(8)], rounds: 1 },
  {
    name: "a branch behind calls",
    code: [...block(...calls(8), 0x41, 1, 0x0d, 0, ...calls(1)), ...calls(1)],
    rounds: 2,
  },
  {
    name: "br_table behind calls",
    code: [...block(...block(...calls(8), 0x41, 7, 0x0e, 1, 0, 1)), ...calls(1)],
    rounds: 2,
  },
  { name: "a loop without calls", code: loop(), rounds: 1 },
  { name: "a loop with calls", code: loop(...calls(8)), rounds: 1 },
  { name: "a loop has paid for what follows", code: [...loop(...calls(1)), ...calls(7)], rounds: 1 },
  { name: "loops in each other", code: loop(...loop(), ...loop()), rounds: 3 },
  { name: "a loop that is left in its middle", code: block(...loop(...loop(0x0c, 2))), rounds: 2 },
  { name: "a loop that is left by br_if", code: [...block(...loop(0x41, 1, 0x0d, 1)), ...loop()], rounds: 2 },
  {
    name: "a loop that is left by br_table",
    code: [...block(...loop(0x41, 9, 0x0e, 1, 0, 1)), ...loop()],
    rounds: 2,
  },
  { name: "a loop that returns", code: loop(...loop(0x0f)), rounds: 2 },
  {
    name: "a loop that throws",
    code: [...block(0x1f, 0x40, 1, 2, 0, ...loop(...loop(0x08, 0)), 0x0b), ...loop()],
    rounds: 3,
    needsExceptions: true,
  },
  {
    name: "an exception behind calls",
    code: [...block(0x1f, 0x40, 1, 2, 0, ...calls(8), 0x08, 0, 0x0b), ...calls(1)],
    rounds: 2,
    needsExceptions: true,
  },
  { name: "a tail call", code: [0x12, 1], rounds: 1 },
  { name: "an indirect call", code: [0x41, 1, 0x11, 0, 0], rounds: 1 },
  { name: "a call by reference", code: [0xd2, 1, 0x14, 0], rounds: 1 },
  { name: "a large function", code: new Array(1023).fill(0x01), rounds: 1 },
  { name: "a function that isn't large", code: new Array(1022).fill(0x01), rounds: 0 },
];

describe("what is paid for", () => {
  const module = (code: number[]) => endless([code, []], { elements: [0, 1], tables: [{ minimum: 2 }] });

  test.for(PATHS)("$name: $rounds", ({ code, rounds, needsExceptions }, { skip }) => {
    if (needsExceptions) needV8(skip, module(code));
    const { run, control } = start(metered(module(code), { interval: 1 }));
    run(0);
    expect(control.rounds).toBe(BigInt(rounds));
    // Whatever was counted in a local is in the global again: the next look comes when it has to.
    for (const interval of [2, 4, 1024]) {
      const again = start(metered(module(code), { interval }));
      for (let turn = 0; turn < 5; turn++) again.run(0);
      expect(again.control.rounds, `interval ${interval}`).toBe(
        BigInt(Math.floor((5 * rounds) / interval) * interval),
      );
    }
  });

  test("each round of a loop, however loops are nested, and the same for each interval", {
    timeout: LONG_TIMEOUT_MS,
  }, () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(255), { maxLength: 200, size: "max" }),
        fc.constantFrom(2, 8, 1024),
        (choices, interval) => {
          const bytes = loopProgram(choices, Number(process.versions.node.split(".")[0]) >= 26);
          const used = (exports: Readonly<Record<string, unknown>>) => ({
            hash: (exports.hash as { value: number }).value,
            fuel: (exports.fuel as { value: number }).value,
          });
          const instance = (module: Uint8Array) =>
            new WebAssembly.Instance(new WebAssembly.Module(module)).exports;
          const plain = instance(bytes);
          const expected = outcome(() => runOf(plain)(5));
          const [exact, counted] = [1, interval].map((each) => {
            const module = metered(bytes, { interval: each });
            const exports = instance(module.bytes);
            expect(outcome(() => runOf(exports)(5))).toEqual(expected);
            expect(used(exports)).toEqual(used(plain));
            return new MeterControl((exports[module.memory] as { buffer: SharedArrayBuffer }).buffer).rounds;
          });
          const turns = 3000 - used(plain).fuel;
          expect(Number(exact)).toBeGreaterThanOrEqual(turns);
          // A trap in a loop takes along what the loop counted by itself.
          const isCut = `${expected}`.startsWith("RuntimeError");
          if (!isCut) expect(counted).toBe((exact! / BigInt(interval)) * BigInt(interval));
        },
      ),
      { numRuns: LONG ? 20_000 : 300 },
    );
  });
});

// Nothing but one instruction of the kind, with the argument as its length.
const CHARGED: { name: string; code: number[]; plan?: ModulePlan; length: number; rounds: bigint }[] = [
  { name: "memory.fill", code: [0x41, 0, 0x41, 1, 0x20, 0, 0xfc, 11, 0], length: 1 << 20, rounds: 64n },
  { name: "memory.copy", code: [0x41, 0, 0x41, 1, 0x20, 0, 0xfc, 10, 0, 0], length: 1 << 14, rounds: 1n },
  { name: "memory.init", code: [0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 8, 0, 0], length: 1 << 15, rounds: 2n },
  {
    name: "memory.fill of a 64-bit memory",
    code: [0x42, 0, 0x41, 1, 0x20, 0, 0xad, 0xfc, 11, 0],
    plan: { memories: [{ minimum: 17, memory64: true }] },
    length: 1 << 20,
    rounds: 64n,
  },
  { name: "table.fill", code: [0x41, 0, 0xd0, 0x70, 0x20, 0, 0xfc, 17, 0], length: 1 << 14, rounds: 4n },
  { name: "table.copy", code: [0x41, 0, 0x41, 1, 0x20, 0, 0xfc, 14, 0, 0], length: 1 << 12, rounds: 1n },
  { name: "table.init", code: [0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 12, 0, 0], length: 1 << 12, rounds: 1n },
  { name: "table.grow", code: [0xd0, 0x70, 0x20, 0, 0xfc, 15, 0, 0x1a], length: 1 << 13, rounds: 2n },
  { name: "array.new", code: [0x41, 7, 0x20, 0, 0xfb, 6, 1, 0x1a], length: 1 << 14, rounds: 4n },
  { name: "array.new_default", code: [0x20, 0, 0xfb, 7, 1, 0x1a], length: 1 << 14, rounds: 4n },
  { name: "array.new_data", code: [0x41, 0, 0x20, 0, 0xfb, 9, 1, 0, 0x1a], length: 1 << 13, rounds: 2n },
];

describe("an instruction that works on much", () => {
  const table = (length: number, rounds: bigint, { code, plan }: (typeof CHARGED)[number]) => {
    const bytes = buildModule({
      types: [{ params: ["i32"], results: [] }],
      functions: [{ type: 0, body: code }],
      exports: [{ name: "run", kind: "function", index: 0 }],
      memories: [{ minimum: 17 }],
      tables: [{ minimum: 1 << 15 }],
      data: [new Uint8Array(1 << 15)],
      sections: {
        // The function's type, and that of an array of bytes.
        1: [2, 0x60, 1, 0x7f, 0, 0x5e, 0x78, 1],
        9: [1, 1, 0, ...leb(1 << 12), ...new Uint8Array(1 << 12)],
      },
      ...plan,
    });
    const { run, control } = start(metered(bytes, { interval: INTERVAL_MAX }));
    run(length);
    expect(control.rounds, `${length}`).toBe(rounds);
  };

  test.each(CHARGED)("is charged by its length: $name", (charged) => {
    table(charged.length, charged.rounds, charged);
    table(charged.length - 1, charged.rounds - 1n, charged);
    table(0, 0n, charged);
  });
});

const NOTHING = { params: [], results: [] } as const;
const RUN = { name: "run", kind: "function", index: 0 } as const;

function endless(functions: readonly number[][], plan: ModulePlan = {}): Uint8Array {
  return buildModule({
    types: [NOTHING],
    functions: functions.map((body) => ({ type: 0, body })),
    exports: [RUN],
    tags: [0],
    tables: [{ minimum: 1 }],
    elements: [0],
    ...plan,
  });
}

const ENDLESS = [
  { name: "an empty loop", bytes: endless([[0x03, 0x40, 0x0c, 0, 0x0b]]) },
  { name: "a loop by br_table", bytes: endless([[0x03, 0x40, 0x41, 0, 0x0e, 0, 0, 0x0b]]) },
  {
    name: "two functions that tail-call each other",
    bytes: endless([
      [0x12, 1],
      [0x12, 0],
    ]),
  },
  { name: "return_call_indirect of itself", bytes: endless([[0x41, 0, 0x13, 0, 0]]) },
  { name: "return_call_ref of itself", bytes: endless([[0xd2, 0, 0x15, 0]]) },
  {
    name: "exceptions that are caught where they are thrown",
    bytes: endless([[0x03, 0x40, 0x1f, 0x40, 1, 0, 0, 0, 0x08, 0, 0x0b, 0x0b]]),
  },
  {
    name: "exceptions of the older kind",
    bytes: endless([[0x03, 0x40, 0x06, 0x40, 0x08, 0, 0x07, 0, 0x0c, 1, 0x0b, 0x0b]]),
  },
  {
    // f(n): if n != 0, f(n - 1) and f(n - 1)
    name: "recursion that branches",
    bytes: endless([[0x41, 60, 0x10, 1]], {
      types: [NOTHING, { params: ["i32"], results: [] }],
      functions: [
        { type: 0, body: [0x41, 60, 0x10, 1] },
        {
          type: 1,
          body: [0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x0b],
        },
      ],
    }),
  },
  {
    // Sixty functions, each of which calls the next one twice: no loop, and no recursion.
    name: "a tree of calls",
    bytes: endless(
      Array.from({ length: 60 }, (_, index) => (index === 59 ? [] : [0x10, index + 1, 0x10, index + 1])),
    ),
  },
  {
    name: "leaves of a tree of calls",
    bytes: endless([
      [0x03, 0x40, 0x10, 1, 0x0c, 0, 0x0b],
      [...Array.from({ length: 99 }, () => [0x10, 2]).flat()],
      [],
    ]),
  },
  {
    name: "loops that are left again and again",
    bytes: endless([[0x03, 0x40, 0x02, 0x40, 0x03, 0x40, 0x0c, 1, 0x0b, 0x0b, 0x0c, 0, 0x0b]]),
  },
  {
    name: "memory.fill of everything",
    bytes: endless([[0x03, 0x40, 0x41, 0, 0x41, 0, 0x41, 0x80, 0x80, 0xc0, 0, 0xfc, 11, 0, 0x0c, 0, 0x0b]], {
      memories: [{ minimum: 16 }],
    }),
  },
  { name: "a start function", bytes: endless([[0x03, 0x40, 0x0c, 0, 0x0b]], { start: 0, exports: [] }) },
];

/** It ends by itself, but not before the second look. */
const DEEP = { name: "deep recursion", bytes: endless([[0x10, 0]]) };

describe("an endless guest", () => {
  const guests: MeteredGuest[] = [];
  afterEach(async () => {
    for (const each of guests.splice(0)) await each.terminate();
  });
  const create = async (bytes: Uint8Array) => {
    const module = metered(bytes);
    const created = await MeteredGuest.create(module, module.start ?? "run");
    guests.push(created);
    return created;
  };

  test.for([...ENDLESS, DEEP])("is stopped by a bound: $name", async ({ bytes }, { skip }) => {
    needV8(skip, bytes);
    const created = await create(bytes);
    const { control } = created;
    control.allow(1500n);
    created.run();
    expect(await created.ended()).toBe("RuntimeError: unreachable");
    expect(control.isExhausted).toBe(true);
    expect(control.rounds).toBeGreaterThan(1500n);
    expect(control.rounds).toBeLessThanOrEqual(2048n);
  });

  test.for([...ENDLESS, DEEP])("waits from the first look on: $name", async ({ bytes }, { skip }) => {
    needV8(skip, bytes);
    const created = await create(bytes);
    created.control.pause();
    created.run();
    await created.waits();
    expect(created.control.rounds).toBeLessThanOrEqual(1024n);
    created.control.allow(1n);
    created.control.resume();
    expect(await created.ended()).toBe("RuntimeError: unreachable");
  });

  test.for(ENDLESS)("is paused and resumed: $name", async ({ bytes }, { skip }) => {
    needV8(skip, bytes);
    const created = await create(bytes);
    const { control } = created;
    created.run();
    for (let turn = 0; turn < 3; turn++) {
      await created.works();
      control.pause();
      await created.waits();
      const before = control.rounds;
      await created.waits();
      expect(control.rounds).toBe(before);
      control.resume();
    }
    await created.works();
    control.allow(1n);
    expect(await created.ended()).toBe("RuntimeError: unreachable");
  });
});

describe("what is appended", () => {
  const exportsOf = (bytes: Uint8Array) => WebAssembly.Module.exports(new WebAssembly.Module(bytes));

  test("renumbers nothing", () => {
    fc.assert(
      fc.property(modulePlan, (plan) => {
        // Everything that can be named by an index is exported, and so each index stands in the export section.
        const counts = {
          function: plan.functions,
          table: plan.tables,
          memory: plan.memories,
          global: plan.globals,
        };
        const exports = Object.entries(counts).flatMap(([kind, own]) => {
          const imported = (plan.imports ?? []).filter((entry) => entry.kind === kind).length;
          return Array.from({ length: imported + (own?.length ?? 0) }, (_, index) => ({
            name: `${kind} ${index}`,
            kind: kind as "function",
            index,
          }));
        });
        const bytes = buildModule({ ...plan, exports });
        if (!WebAssembly.validate(bytes)) expect.fail("the arbitrary makes what V8 doesn't take");
        const module = metered(bytes);
        const before = inspectExports(bytes);
        const after = inspectExports(module.bytes);
        expect(after.slice(0, before.length)).toEqual(before);
        expect(after.slice(before.length).map(({ name }) => name)).toEqual(
          [module.memory, module.start].filter((name) => name !== undefined),
        );
        expect(WebAssembly.Module.imports(new WebAssembly.Module(module.bytes))).toEqual(
          WebAssembly.Module.imports(new WebAssembly.Module(bytes)),
        );
        expect(module.start !== undefined).toBe(plan.start !== undefined);
      }),
      { numRuns: LONG ? 3000 : 150 },
    );
  });

  test("has names that are free", () => {
    const named = (...names: string[]) =>
      endless([[]], { start: 0, exports: names.map((name) => ({ ...RUN, name })) });
    expect(metered(named())).toMatchObject({ memory: "wpod.meter", start: "wpod.start" });
    const taken = metered(named("wpod.meter", "wpod.start", "wpod.start.2"));
    expect(taken).toMatchObject({ memory: "wpod.meter.2", start: "wpod.start.3" });
    expect(exportsOf(taken.bytes).map(({ name }) => name)).toEqual([
      ...["wpod.meter", "wpod.start", "wpod.start.2"],
      ...["wpod.meter.2", "wpod.start.3"],
    ]);
  });

  test("leaves custom sections, but for hints about code, which have moved", () => {
    const content = Uint8Array.of(1, 2, 3);
    const names = ["name", ".debug_info", "producers", "metadata.code.branch_hint", "metadata.code.other"];
    const bytes = endless([[0x03, 0x40, 0x0b]], {
      customs: names.map((name) => ({ name, content, before: 10 })),
    });
    const module = new WebAssembly.Module(metered(bytes).bytes);
    const found = (name: string) =>
      WebAssembly.Module.customSections(module, name).map((kept) => new Uint8Array(kept));
    for (const name of ["name", ".debug_info", "producers"]) expect(found(name)).toEqual([content]);
    expect(found("metadata.code.other")).toEqual([]);
    // One function, which is 0 and has one hint of one byte: unlikely. In front of it stand three bytes of locals, four that load
    // the count, the loop's own two, and eight of the check.
    expect(found("metadata.code.branch_hint")).toEqual([Uint8Array.of(1, 0, 1, 17, 1, 0)]);
  });
});

/** Exports with their indexes, as they stand in the module. */
function inspectExports(bytes: Uint8Array): { name: string; kind: number; index: number }[] {
  let at = 8;
  const number = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  for (;;) {
    if (at >= bytes.length) return [];
    const id = bytes[at++];
    const sizeBytes = number();
    if (id === 7) break;
    at += sizeBytes;
  }
  return Array.from({ length: number() }, () => {
    const sizeBytes = number();
    const name = new TextDecoder().decode(bytes.subarray(at, at + sizeBytes));
    at += sizeBytes;
    return { name, kind: bytes[at++]!, index: number() };
  });
}

// Each refers to the first index behind what the module has: there stands what metering appends.
const REFERENCES: { name: string; bytes: Uint8Array }[] = [
  { name: "call", bytes: endless([[0x10, 1]]) },
  { name: "return_call", bytes: endless([[0x12, 1]]) },
  { name: "ref.func", bytes: endless([[0xd2, 1, 0x1a]]) },
  { name: "global.get", bytes: endless([[0x23, 0, 0x1a]]) },
  { name: "global.set", bytes: endless([[0x41, 0, 0x24, 0]]) },
  { name: "global.set, the index in two bytes", bytes: endless([[0x41, 0, 0x24, 0x80, 0]]) },
  { name: "i32.store without a memory", bytes: endless([[0x41, 0, 0x41, 0, 0x36, 2, 0]]) },
  {
    name: "i32.store to a second memory",
    bytes: endless([[0x41, 0, 0x41, 0, 0x36, 0x42, 1, 0]], { memories: [{ minimum: 1 }] }),
  },
  { name: "v128.load without a memory", bytes: endless([[0x41, 0, 0xfd, 0, 4, 0, 0x1a]]) },
  { name: "v128.load32_zero without a memory", bytes: endless([[0x41, 0, 0xfd, 92, 2, 0, 0x1a]]) },
  { name: "i32.atomic.store without a memory", bytes: endless([[0x41, 0, 0x41, 0, 0xfe, 0x17, 2, 0]]) },
  {
    name: "memory.atomic.notify without a memory",
    bytes: endless([[0x41, 0, 0x41, 0, 0xfe, 0, 2, 0, 0x1a]]),
  },
  { name: "memory.size", bytes: endless([[0x3f, 0, 0x1a]]) },
  { name: "memory.fill", bytes: endless([[0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0]]) },
  {
    name: "memory.copy to a second memory",
    bytes: endless([[0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 10, 1, 0]], { memories: [{ minimum: 1 }] }),
  },
  {
    name: "memory.copy from a second memory",
    bytes: endless([[0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 10, 0, 1]], { memories: [{ minimum: 1 }] }),
  },
  {
    name: "memory.init",
    bytes: endless([[0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 8, 0, 0]], { data: [new Uint8Array(1)] }),
  },
  { name: "an active segment", bytes: endless([[]], { dataAt: [{ offset: 0, bytes: Uint8Array.of(1) }] }) },
  {
    name: "an active segment of a second memory",
    bytes: endless([[]], { memories: [{ minimum: 1 }], sections: { 11: [1, 2, 1, 0x41, 0, 0x0b, 1, 1] } }),
  },
  { name: "an exported function", bytes: endless([[]], { exports: [{ ...RUN, index: 1 }] }) },
  { name: "an exported global", bytes: endless([[]], { exports: [{ ...RUN, kind: "global" }] }) },
  { name: "an exported memory", bytes: endless([[]], { exports: [{ ...RUN, kind: "memory" }] }) },
  { name: "the start function", bytes: endless([[]], { start: 1 }) },
  { name: "an element", bytes: endless([[]], { elements: [1] }) },
  {
    name: "an element by expression",
    bytes: endless([[]], { sections: { 9: [1, 5, 0x70, 1, 0xd2, 1, 0x0b] } }),
  },
  {
    name: "a global that starts with a function",
    bytes: endless([[]], { sections: { 6: [1, 0x70, 0, 0xd2, 1, 0x0b] } }),
  },
  {
    name: "a table that starts with a function",
    bytes: endless([[]], { elements: [], sections: { 4: [1, 0x40, 0, 0x70, 0, 1, 0xd2, 1, 0x0b] } }),
  },
  // The count would then take in the first of those behind it, and not ours.
  {
    name: "a global more than is counted",
    bytes: endless([[]], { sections: { 6: [0, 0x7f, 1, 0x41, 0, 0x0b] } }),
  },
  { name: "a function more than is counted", bytes: endless([[]], { sections: { 3: [1, 0, 0] } }) },
  {
    name: "a body more than is counted",
    bytes: endless([[]], { sections: { 10: [1, 2, 0, 0x0b, 2, 0, 0x0b] } }),
  },
  { name: "a body less than functions", bytes: endless([[], []], { sections: { 10: [1, 2, 0, 0x0b] } }) },
  { name: "a memory more than is counted", bytes: endless([[]], { sections: { 5: [0, 0, 1] } }) },
  {
    name: "a type more than is counted",
    bytes: endless([[]], { sections: { 1: [1, 0x60, 0, 0, 0x60, 0, 0] } }),
  },
];

test.each(REFERENCES)("a guest can't refer to what is appended: $name", ({ bytes }) => {
  expect(WebAssembly.validate(bytes)).toBe(false);
  expect(addMetering(bytes)).toMatchObject({ kind: "malformed" });
});

describe("a module at a limit of V8's", () => {
  const FUNCTION_BYTES_MAX = 7_654_321;

  /** One function that does nothing, of so many bytes. */
  function large(sizeBytes: number): Uint8Array {
    const size = leb(sizeBytes);
    const code = [10, ...leb(1 + size.length + sizeBytes), 1, ...size, 0];
    const before = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, ...code];
    const bytes = new Uint8Array(before.length + sizeBytes - 1).fill(0x01); // nop
    bytes.set(before);
    bytes[bytes.length - 1] = 0x0b;
    return bytes;
  }

  test("is metered as long as V8 takes what comes out", () => {
    expect(WebAssembly.validate(large(FUNCTION_BYTES_MAX))).toBe(true);
    expect(WebAssembly.validate(large(FUNCTION_BYTES_MAX + 1))).toBe(false);
    expect(addMetering(large(FUNCTION_BYTES_MAX))).toMatchObject({ kind: "malformed" });

    // A large function has a check where it begins: 15 bytes in a module with nothing else.
    expect(WebAssembly.validate(metered(large(FUNCTION_BYTES_MAX - 15)).bytes)).toBe(true);
    expect(addMetering(large(FUNCTION_BYTES_MAX - 14))).toMatchObject({ kind: "malformed" });
  });

  test("may fill a table with more elements than there may be functions", () => {
    const count = 1_000_001;
    const content = [1, 1, 0, ...leb(count)];
    const before = endless([[]], { sections: { 9: [] }, elements: [] });
    // An element section has its place in front of the code: its id is at the first byte of the empty one.
    const at = before.findIndex(
      (byte, index) => byte === 9 && before[index + 1] === 0 && before[index + 2] === 10,
    );
    const section = [9, ...leb(content.length + count), ...content];
    const bytes = new Uint8Array(before.length - 2 + section.length + count);
    bytes.set(before.subarray(0, at));
    bytes.set(section, at);
    bytes.set(before.subarray(at + 2), at + section.length + count);
    expect(WebAssembly.validate(bytes)).toBe(true);
    expect(WebAssembly.validate(metered(bytes).bytes)).toBe(true);
  });
});

test("what V8 takes for no start function, since it has a parameter, still makes a module invalid", () => {
  // (module (type (func (param i32) (result i32))) (func (type 0) local.get 0) (start 0))
  const type = [1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f];
  const code = [10, 6, 1, 4, 0, 0x20, 0, 0x0b];
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, 3, 2, 1, 0, 8, 1, 0, ...code);
  expect(WebAssembly.validate(bytes)).toBe(false);
  const metering = addMetering(bytes);
  expect(metering.kind === "metered" && WebAssembly.validate(metering.bytes)).toBe(false);
  const withoutStart = Uint8Array.from([...bytes.slice(0, 20), ...bytes.slice(23)]);
  expect(WebAssembly.validate(withoutStart)).toBe(true);
});

describe("foreign bytes", () => {
  /** Enough for what the families do; what has become endless by a changed byte ends. */
  const ALLOWED = 20_000n;

  test("are refused, or do as they did", { timeout: LONG_TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FAMILIES),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.option(fc.nat(), { nil: undefined, freq: 10 }),
        fc.constantFrom(...INTERVALS),
        ({ bytes, args }, changes, cut, interval) => {
          const changed = bytes.slice(0, cut === undefined ? bytes.length : cut % bytes.length);
          for (const [at, byte] of changes) if (changed.length > 0) changed[at % changed.length] = byte;
          const metering = addMetering(changed, { interval });
          const valid = WebAssembly.validate(changed);
          if (metering.kind === "malformed") {
            if (valid) expect.fail(`V8 takes what we don't: ${JSON.stringify(metering)}`);
            return;
          }
          if (!valid) {
            if (WebAssembly.validate(metering.bytes)) expectTypeOutside(changed);
            return;
          }
          if (!WebAssembly.validate(metering.bytes)) expect.fail("V8 doesn't take what we wrote");
          for (const argument of args) compareRuns(changed, metering, argument);
        },
      ),
      { numRuns: LONG ? 100_000 : 3000 },
    );
  });

  /** Types are appended too, and a guest may name those: they are of no use to it. */
  function expectTypeOutside(bytes: Uint8Array): void {
    expect(outcome(() => new WebAssembly.Module(bytes))).toMatch(/type/i);
  }

  function compareRuns(bytes: Uint8Array, metering: MeteredModule, argument: number): void {
    let started: Started;
    try {
      started = start(metering, ALLOWED);
    } catch {
      // A start function or a segment that traps.
      return;
    }
    const found = outcome(() => started.run(argument));
    if (started.control.isExhausted || `${found}`.startsWith("RangeError: Maximum call stack")) return;
    expect(found).toEqual(outcome(() => runPlain(bytes, argument)));
  }
});

const FETCH_TIMEOUT_MS = 300_000;
const RUST = new URL("../../../fixtures/programs/sources/files.rs", import.meta.url).pathname;

const programs: { name: string; file: (skip: (reason: string) => never) => Promise<string> }[] = [
  ...GUEST_NAMES.map((name) => ({ name: `${name}.c`, file: () => guest(name) })),
  { name: "CPython", file: pythonModule },
  { name: "esbuild, by Go", file: esbuildModule },
  { name: "clang", file: async () => (await clang()).module },
  {
    name: "yq, by Go",
    file: async (skip) => {
      const go = tool("go");
      return go === undefined ? skip("needs Go") : await yqModule(go);
    },
  },
  {
    name: "by Rust",
    file: async (skip) => {
      const compiler = await rustCompiler();
      return compiler === undefined ? skip("needs rustc for wasm32-wasi") : await rustProgram(compiler, RUST);
    },
  },
];

test.for(programs)(
  "V8 takes a real program: $name",
  { timeout: FETCH_TIMEOUT_MS },
  async ({ file }, { skip }) => {
    const bytes = await readFile(await file((reason) => skip(reason)));
    const module = metered(bytes);
    expect(WebAssembly.validate(module.bytes)).toBe(true);
  },
);

test.for([
  { name: "sha256", args: ["1"] },
  { name: "nbody", args: ["1000"] },
  { name: "env", args: ["a", "b"] },
] as const)("a real program prints the same: $name", async ({ name, args }) => {
  const bytes = await readFile(await guest(name));
  const plain = await printedBy(bytes, [name, ...args]);
  expect(plain).not.toBe("");
  for (const interval of INTERVALS) {
    expect(await printedBy(metered(bytes, { interval }).bytes, [name, ...args])).toBe(plain);
  }
});

/** How long it took is left out. */
async function printedBy(bytes: Uint8Array, args: string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "wpod-metering-"));
  try {
    const file = await open(join(directory, "stdout"), "w+");
    const wasi = new WASI({ version: "preview1", args, stdout: file.fd, returnOnExit: true });
    wasi.start(new WebAssembly.Instance(new WebAssembly.Module(bytes), wasi.getImportObject() as object));
    await file.close();
    return (await readFile(join(directory, "stdout"), "utf8")).replace(/"seconds":.*/, "");
  } finally {
    await rm(directory, { recursive: true });
  }
}
