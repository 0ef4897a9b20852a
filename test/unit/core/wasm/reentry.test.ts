import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { capMemory } from "../../../../runtime/core/wasm/memory-cap.ts";
import { watchMemory } from "../../../../runtime/core/wasm/memory-watch.ts";
import { MeterControl } from "../../../../runtime/core/wasm/meter-control.ts";
import { addMetering } from "../../../../runtime/core/wasm/metering.ts";
import { inspectModule } from "../../../../runtime/core/wasm/module-inspection.ts";
import { applyPatch } from "../../../../runtime/core/wasm/patch.ts";
import { addReentry, planReentry, type ReentryOptions } from "../../../../runtime/core/wasm/reentry.ts";
import { enterWorkingDirectory } from "../../../../runtime/core/wasm/working-directory.ts";
import { GUEST_NAMES, guest } from "../../../fixtures/guests.ts";
import { FAMILIES } from "../../../fixtures/instruction-families.ts";
import { loopProgram } from "../../../fixtures/loop-programs.ts";
import {
  buildModule,
  type FunctionPlan,
  leb,
  type ModulePlan,
  modulePlan,
} from "../../../fixtures/module-builder.ts";
import { clang, esbuildModule, pythonModule } from "../../../fixtures/programs/pinned.ts";
import { rustCompiler, rustProgram } from "../../../fixtures/programs/rust-program.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
const LONG_TIMEOUT_MS = 300_000;
const MASKS = [1, 3, 1023];
/** Node 24 lacks the newer exceptions. */
const HAS_EXCEPTIONS = Number(process.versions.node.split(".")[0]) >= 26;

type Exports = Readonly<Record<string, unknown>>;

function start(bytes: Uint8Array, imports = {}): Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports;
}

/** What a call answers, or how it ends. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return String(error);
  }
}

function run(exports: Exports, argument: number): unknown {
  return outcome(() => (exports.run as (argument: number) => unknown)(argument));
}

function runPlain(bytes: Uint8Array, argument: number): unknown {
  return run(start(bytes), argument);
}

/** What a program of `loopProgram` answers, and what it has done. */
function runLoops(bytes: Uint8Array, argument: number): unknown[] {
  const exports = start(bytes);
  const value = (name: string) => (exports[name] as { value: number }).value;
  return [run(exports, argument), value("hash"), value("fuel")];
}

function functionCount(bytes: Uint8Array): number {
  const section = inspectModule(bytes).sections.find(({ id }) => id === 3);
  if (section === undefined) return 0;
  let count = 0;
  for (let at = section.content, shift = 0; ; at++, shift += 7) {
    count |= (bytes[at]! & 0x7f) << shift;
    if (bytes[at]! < 0x80) return count;
  }
}

function clones(bytes: Uint8Array, options?: Partial<ReentryOptions>): number {
  return functionCount(addReentry(bytes, options)) - functionCount(bytes);
}

describe("a module with re-entry", () => {
  test.for(FAMILIES)("computes the same: $name", ({ bytes, args }, { skip }) => {
    if (!HAS_EXCEPTIONS && !WebAssembly.validate(bytes)) skip("needs Node.js 26");
    for (const mask of MASKS) {
      const rewritten = addReentry(bytes, { mask });
      for (const argument of args) {
        expect(runPlain(rewritten, argument), `mask ${mask}, run(${argument})`).toEqual(
          runPlain(bytes, argument),
        );
      }
    }
  });

  test("computes the same, however its loops are nested", { timeout: LONG_TIMEOUT_MS }, () => {
    let cloned = 0;
    fc.assert(
      fc.property(fc.array(fc.nat(255), { maxLength: 250, size: "max" }), fc.nat(9), (choices, argument) => {
        const bytes = loopProgram(choices, HAS_EXCEPTIONS);
        if (!WebAssembly.validate(bytes)) expect.fail("the arbitrary makes what V8 doesn't take");
        const expected = runLoops(bytes, argument);
        for (const mask of MASKS) {
          const rewritten = addReentry(bytes, { mask });
          if (rewritten !== bytes) cloned++;
          if (!WebAssembly.validate(rewritten)) expect.fail("V8 doesn't take what we wrote");
          expect(runLoops(rewritten, argument)).toEqual(expected);
        }
      }),
      { numRuns: LONG ? 50_000 : 1000 },
    );
    expect(cloned).toBeGreaterThan(500);
  });

  test("computes the same with metering, whichever comes first", { timeout: LONG_TIMEOUT_MS }, () => {
    const metered = (bytes: Uint8Array) => {
      const metering = addMetering(bytes, { interval: 2 });
      if (metering.kind !== "metered") expect.fail(JSON.stringify(metering));
      return metering.bytes;
    };
    fc.assert(
      fc.property(
        fc.array(fc.nat(255), { maxLength: 250, size: "max" }),
        fc.constantFrom(...MASKS),
        (choices, mask) => {
          const bytes = loopProgram(choices, HAS_EXCEPTIONS);
          const expected = runLoops(bytes, 5);
          expect(runLoops(metered(addReentry(bytes, { mask })), 5)).toEqual(expected);
          expect(runLoops(addReentry(metered(bytes), { mask }), 5)).toEqual(expected);
        },
      ),
      { numRuns: LONG ? 20_000 : 200 },
    );
  });
});

const I32_TO_I32 = { params: ["i32"], results: ["i32"] } as const;
const RUN = { name: "run", kind: "function", index: 0 } as const;

/** `run` calls the host with what `local 1` counts; its types are 0: of `run`, 1: i32 -> nothing, 2: i32 -> i32, 3: i32 i32 -> i32. */
function program(body: readonly number[], plan: Partial<ModulePlan> = {}): Uint8Array {
  return buildModule({
    types: [
      I32_TO_I32,
      { params: ["i32"], results: [] },
      I32_TO_I32,
      { params: ["i32", "i32"], results: ["i32"] },
    ],
    imports: [{ module: "host", name: "see", kind: "function", type: 1 }],
    functions: [{ type: 0, locals: ["i32", "i32"], body }],
    exports: [{ ...RUN, index: 1 }],
    ...plan,
  });
}

const count = [0x20, 1, 0x41, 1, 0x6a, 0x22, 1]; // local 1 += 1, and its value
const see = [...count, 0x10, 0];
/** As long as `local 1` is less than the argument. */
const again = (depth: number) => [0x20, 1, 0x20, 0, 0x48, 0x0d, depth];
const loop = (...code: number[]) => [0x03, 0x40, ...code, 0x0b];
const block = (...code: number[]) => [0x02, 0x40, ...code, 0x0b];

// Which functions the host sees on the stack: 1 is `run`, 2 its clone. In each case 6 rounds are counted.
const SHAPES: { name: string; body: number[]; seen: number[]; plan?: Partial<ModulePlan> }[] = [
  { name: "a loop alone", body: [...loop(...see, ...again(0)), 0x20, 1], seen: [1, 2, 2, 2, 2, 2] },
  {
    name: "a loop around a loop: not the inner one",
    body: [...loop(...loop(...see, 0x20, 1, 0x41, 3, 0x6f, 0x0d, 0), ...again(0)), 0x20, 1],
    seen: [1, 1, 1, 2, 2, 2],
  },
  {
    name: "two loops in a loop that have loops in them",
    body: [
      ...loop(
        ...loop(...loop(...see), 0x41, 0, 0x0d, 0),
        ...loop(...loop(...see), 0x41, 0, 0x0d, 0),
        ...again(0),
      ),
      0x20,
      1,
    ],
    // One header was passed before the first round.
    seen: [2, 2, 2, 2, 2, 2],
  },
  {
    name: "in a block, behind another loop",
    body: [
      ...block(...block(...loop(...see, 0x20, 1, 0x41, 3, 0x48, 0x0d, 0)), ...loop(...see, ...again(0))),
      0x20,
      1,
    ],
    seen: [1, 2, 2, 2, 2, 2],
  },
  {
    name: "in both parts of an if",
    body: [
      ...[
        0x20,
        0,
        0x04,
        0x40,
        ...loop(...see, ...again(0)),
        0x05,
        ...loop(...see, ...again(0)),
        0x0b,
        0x20,
        1,
      ],
    ],
    seen: [1, 2, 2, 2, 2, 2],
  },
  {
    name: "in the second part of an if",
    body: [...[0x20, 0, 0x45, 0x04, 0x40, 0x05, ...loop(...see, ...again(0)), 0x0b, 0x20, 1]],
    seen: [1, 2, 2, 2, 2, 2],
  },
  {
    name: "with a number below it: left alone",
    body: [0x41, 5, ...loop(...see, ...again(0)), 0x1a, 0x20, 1],
    seen: [1, 1, 1, 1, 1, 1],
  },
  {
    name: "with a number below the block around it: left alone",
    body: [0x41, 5, ...block(...loop(...see, ...again(0))), 0x1a, 0x20, 1],
    seen: [1, 1, 1, 1, 1, 1],
  },
  {
    name: "with a parameter: left alone",
    body: [0x41, 5, 0x03, 2, ...see, ...again(0), 0x0b, 0x1a, 0x20, 1],
    seen: [1, 1, 1, 1, 1, 1],
  },
  {
    name: "with a parameter, in a loop that has none",
    body: [...loop(0x41, 5, 0x03, 2, ...see, 0x0b, 0x1a, ...again(0)), 0x20, 1],
    seen: [1, 2, 2, 2, 2, 2],
  },
  {
    name: "behind calls of functions with several parameters",
    body: [0x41, 1, 0x41, 2, 0x10, 2, 0x1a, ...loop(...see, ...again(0)), 0x20, 1],
    seen: [1, 3, 3, 3, 3, 3],
    plan: {
      functions: [
        { type: 0, locals: ["i32", "i32"], body: [] },
        { type: 3, body: [0x41, 3] },
      ],
    },
  },
];

describe("every second header of a loop leads to the clone", () => {
  test.for(SHAPES)("$name", ({ body, seen, plan }) => {
    const functions = (plan?.functions ?? []).map(
      (each, index): FunctionPlan => (index === 0 ? { ...each, body } : each),
    );
    const bytes = program(body, functions.length === 0 ? {} : { functions });
    const found: number[] = [];
    const host = {
      see: () => {
        const frames = new Error("here").stack!.matchAll(/wasm-function\[(\d+)\]/g);
        for (const [, index] of frames) found.push(Number(index));
      },
    };
    expect(run(start(bytes, { host }), 6)).toBe(6);
    expect(found).toEqual([1, 1, 1, 1, 1, 1]);
    found.length = 0;
    expect(run(start(addReentry(bytes, { mask: 1 }), { host }), 6)).toBe(6);
    expect(found).toEqual(seen);
  });

  test("with the next mask, every fourth one", () => {
    const bytes = program([...loop(...see, ...again(0)), 0x20, 1]);
    const found: string[] = [];
    const see_ = () => found.push(/wasm-function\[(\d+)\]/.exec(new Error("here").stack!)![1]!);
    run(start(addReentry(bytes, { mask: 3 }), { host: { see: see_ } }), 6);
    expect(found).toEqual(["1", "1", "1", "2", "2", "2"]);
  });

  test.each([0, 2, 1.5, -1, 2 ** 31 - 1, Number.NaN])("there is no mask of %d", (mask) => {
    expect(() => addReentry(FAMILIES[0]!.bytes, { mask })).toThrow("a power of two");
  });
});

describe("what is left alone", () => {
  const looping = [...loop(...count, 0x1a, ...again(0)), 0x20, 1];
  /** `run` with so many locals of i32 and one group more, whose type is given by its bytes. */
  const withLocals = (locals: number, ...type: number[]) => {
    const code = [...[2, ...leb(locals), 0x7f], ...leb(1), ...type, ...looping, 0x0b];
    return buildModule({
      types: [I32_TO_I32],
      functions: [{ type: 0, body: [] }],
      exports: [RUN],
      sections: { 10: [1, ...leb(code.length), ...code] },
    });
  };

  // A function may have 1,000 parameters: one is its own, one is a local more, and one says where to go.
  test.each([
    { name: "as many locals as can be passed on", bytes: withLocals(997, 0x7f), expected: 1 },
    { name: "a local more", bytes: withLocals(998, 0x7f), expected: 0 },
    { name: "a vector", bytes: withLocals(2, 0x7b), expected: 1 },
    { name: "a reference of the host's", bytes: withLocals(2, 0x6f), expected: 1 },
    { name: "a reference to a type of the module's", bytes: withLocals(2, 0x63, 0), expected: 0 },
    { name: "a reference that can't be null", bytes: withLocals(2, 0x64, 0), expected: 0 },
  ])("$name: $expected clones", ({ bytes, expected }) => {
    expect(WebAssembly.validate(bytes)).toBe(true);
    expect(clones(bytes)).toBe(expected);
    for (const mask of MASKS) expect(runPlain(addReentry(bytes, { mask }), 50)).toBe(50);
  });

  test("a function that is smaller than asked for", () => {
    const bytes = program(looping);
    const sizeBytes = looping.length + 1 + 5; // its end, and its locals
    expect(clones(bytes, { functionBytesMin: sizeBytes })).toBe(1);
    expect(addReentry(bytes, { functionBytesMin: sizeBytes + 1 })).toBe(bytes);
  });

  test.each(["a start function", "calls", "code that is never reached", "garbage collection"])(
    "a module without loops that can be entered: %s",
    (name) => {
      const { bytes } = FAMILIES.find((family) => family.name === name)!;
      expect(addReentry(bytes)).toBe(bytes);
    },
  );

  test("a function whose clone would be larger than V8 takes", () => {
    const FUNCTION_BYTES_MAX = 7_654_321;
    const large = (sizeBytes: number) => {
      const locals = [2, 1, 0x7f, 1, 0x7f];
      const size = leb(sizeBytes);
      const head = buildModule({
        types: [I32_TO_I32],
        functions: [{ type: 0, body: [] }],
        exports: [RUN],
        sections: { 10: [] },
      });
      const code = [10, ...leb(1 + size.length + sizeBytes), 1, ...size, ...locals];
      const bytes = new Uint8Array(head.length - 2 + code.length + sizeBytes - locals.length).fill(0x01); // nop
      bytes.set(head.subarray(0, head.length - 2));
      bytes.set(code, head.length - 2);
      bytes.set([...looping, 0x0b], bytes.length - looping.length - 1);
      return bytes;
    };
    expect(WebAssembly.validate(large(FUNCTION_BYTES_MAX))).toBe(true);
    expect(clones(large(FUNCTION_BYTES_MAX))).toBe(0);
    // The largest that has one: what is written for it is as large as V8 takes.
    let [has, hasNot] = [FUNCTION_BYTES_MAX - 64, FUNCTION_BYTES_MAX];
    while (hasNot - has > 1) {
      const middle = (has + hasNot) >> 1;
      if (clones(large(middle)) === 1) has = middle;
      else hasNot = middle;
    }
    expect(has).toBeGreaterThan(FUNCTION_BYTES_MAX - 64);
    const rewritten = addReentry(large(has));
    expect(WebAssembly.validate(rewritten)).toBe(true);
    expect(runPlain(rewritten, 5000)).toBe(5000);
  });
});

describe("what is appended", () => {
  test("renumbers nothing", () => {
    fc.assert(
      fc.property(modulePlan, (plan) => {
        const looping = (plan.functions ?? []).map((each) => ({ ...each, body: [...loop(), ...each.body] }));
        const exports = (["function", "table", "memory", "global"] as const).flatMap((kind) => {
          const imported = (plan.imports ?? []).filter((entry) => entry.kind === kind).length;
          const own = {
            function: plan.functions,
            table: plan.tables,
            memory: plan.memories,
            global: plan.globals,
          }[kind];
          return Array.from({ length: imported + (own?.length ?? 0) }, (_, index) => ({
            name: `${kind} ${index}`,
            kind,
            index,
          }));
        });
        const bytes = buildModule({ ...plan, functions: looping, exports });
        if (!WebAssembly.validate(bytes)) expect.fail("the arbitrary makes what V8 doesn't take");
        const rewritten = addReentry(bytes);
        expect(functionCount(rewritten)).toBe(2 * looping.length);
        const module = new WebAssembly.Module(rewritten);
        expect(WebAssembly.Module.exports(module)).toEqual(
          WebAssembly.Module.exports(new WebAssembly.Module(bytes)),
        );
        expect(WebAssembly.Module.imports(module)).toEqual(
          WebAssembly.Module.imports(new WebAssembly.Module(bytes)),
        );
        expect(inspectModule(rewritten).exports).toEqual(inspectModule(bytes).exports);
      }),
      { numRuns: LONG ? 3000 : 150 },
    );
  });

  test("leaves custom sections, but for hints about code, which have moved", () => {
    const content = Uint8Array.of(1, 2, 3);
    const names = ["name", ".debug_info", "producers", "metadata.code.branch_hint", "metadata.code.other"];
    const bytes = program([...loop(...see, ...again(0)), 0x20, 1], {
      customs: names.map((name) => ({ name, content, before: 10 })),
    });
    const module = new WebAssembly.Module(addReentry(bytes));
    const found = (name: string) =>
      WebAssembly.Module.customSections(module, name).map((kept) => new Uint8Array(kept));
    for (const name of ["name", ".debug_info", "producers"]) expect(found(name)).toEqual([content]);
    expect(found("metadata.code.other")).toEqual([]);
    const [hints] = found("metadata.code.branch_hint");
    // Two functions, 1 and 2, with one hint of one byte each: unlikely.
    expect([...hints!].filter((_, at) => at !== 3 && at !== 8)).toEqual([2, 1, 1, 1, 0, 2, 1, 1, 0]);
  });
});

describe("foreign bytes", () => {
  /** Enough for what the families do; what has become endless by a changed byte ends. */
  const ALLOWED = 20_000n;

  test("stay what they are: valid, or not", { timeout: LONG_TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.constantFrom(...FAMILIES.map(({ bytes }) => bytes)),
          fc.array(fc.nat(255), { maxLength: 100 }).map((choices) => loopProgram(choices, HAS_EXCEPTIONS)),
        ),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.option(fc.nat(), { nil: undefined, freq: 10 }),
        fc.constantFrom(...MASKS),
        (bytes, changes, cut, mask) => {
          const changed = bytes.slice(0, cut === undefined ? bytes.length : cut % bytes.length);
          for (const [at, byte] of changes) if (changed.length > 0) changed[at % changed.length] = byte;
          const rewritten = addReentry(changed, { mask });
          if (!WebAssembly.validate(changed)) {
            if (WebAssembly.validate(rewritten)) expectOutside(changed);
            return;
          }
          if (!WebAssembly.validate(rewritten)) expect.fail("V8 doesn't take what we wrote");
          expectSame(rewritten, changed);
        },
      ),
      { numRuns: LONG ? 100_000 : 3000 },
    );
  });

  test("may be different where a patch didn't look: it is for them too", { timeout: LONG_TIMEOUT_MS }, () => {
    let taken = 0;
    fc.assert(
      fc.property(
        fc.array(fc.nat(255), { minLength: 20, maxLength: 100, size: "max" }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (choices, pick, bits) => {
          const bytes = loopProgram(choices, HAS_EXCEPTIONS);
          const patch = planReentry(bytes, { mask: 1 });
          if (patch === undefined) return;
          const places = [...bytes.keys()].filter(
            (at) => !patch.reads.some(([start, end]) => at >= start && at < end),
          );
          if (places.length === 0) return;
          const changed = bytes.slice();
          changed[places[pick % places.length]!]! ^= bits;
          if (!WebAssembly.validate(changed)) return;
          taken++;
          const patched = applyPatch(changed, patch);
          if (!WebAssembly.validate(patched)) expect.fail("V8 doesn't take what we wrote");
          expectSame(patched, changed);
        },
      ),
      { numRuns: LONG ? 50_000 : 2000 },
    );
    expect(taken).toBeGreaterThan(20);
  });

  /** What is appended may be named by a guest, and is of no use to it: it could as well have brought it along. */
  function expectOutside(bytes: Uint8Array): void {
    expect(outcome(() => new WebAssembly.Module(bytes))).toMatch(/type|function|out of bounds/i);
  }

  /** As far as both end: each re-entry is paid for too. */
  function expectSame(rewritten: Uint8Array, bytes: Uint8Array): void {
    const [found, expected] = [runBounded(rewritten), runBounded(bytes)];
    if (found !== undefined && expected !== undefined) expect(found).toEqual(expected);
  }

  /** What `run(3)` answers; undefined where that takes too long, or isn't there. */
  function runBounded(bytes: Uint8Array): unknown {
    const metering = addMetering(bytes, { interval: 1 });
    if (metering.kind !== "metered") return undefined;
    try {
      const exports = start(metering.bytes);
      const control = new MeterControl((exports[metering.memory] as { buffer: SharedArrayBuffer }).buffer);
      control.allow(ALLOWED);
      const found = run(exports, 3);
      return control.isExhausted || `${found}`.startsWith("RangeError: Maximum call stack")
        ? undefined
        : found;
    } catch {
      // A start function or a segment that traps.
      return undefined;
    }
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
    name: "by Rust",
    file: async (skip) => {
      const compiler = await rustCompiler();
      return compiler === undefined ? skip("needs rustc for wasm32-wasi") : await rustProgram(compiler, RUST);
    },
  },
];

test.for(programs)(
  "V8 takes a real program, with all else that is done to it: $name",
  { timeout: FETCH_TIMEOUT_MS },
  async ({ file }, { skip }) => {
    const bytes = await readFile(await file((reason) => skip(reason)));
    const rewritten = addReentry(bytes);
    expect(rewritten).not.toBe(bytes);
    expect(WebAssembly.validate(rewritten)).toBe(true);
    const { memories } = inspectModule(rewritten);
    const capped = capMemory(rewritten, 2 ** 30);
    if (capped.kind !== "capped") expect.fail(capped.kind);
    const watched = watchMemory(capped.bytes, memories, true);
    expect(watched).not.toBe(capped.bytes);
    const entered = enterWorkingDirectory(watched, inspectModule(watched), "/work").bytes;
    const metering = addMetering(entered);
    if (metering.kind !== "metered") expect.fail(JSON.stringify(metering));
    expect(WebAssembly.validate(metering.bytes)).toBe(true);
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
  for (const mask of MASKS) {
    const rewritten = addReentry(bytes, { mask });
    expect(await printedBy(rewritten, [name, ...args])).toBe(plain);
    const metering = addMetering(rewritten);
    expect(metering.kind === "metered" && (await printedBy(metering.bytes, [name, ...args]))).toBe(plain);
  }
});

/** How long it took is left out. */
async function printedBy(bytes: Uint8Array, args: string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "wpod-reentry-"));
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
