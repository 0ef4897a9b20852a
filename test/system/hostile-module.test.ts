/** Modules that no compiler makes: each ends as a program of a container ends, and never as a defect of ours. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import {
  buildModule,
  type FunctionType,
  type ImportPlan,
  type ModulePlan,
} from "../fixtures/module-builder.ts";

let setUp: Awaited<ReturnType<typeof engineForTest>>;
beforeAll(async () => {
  setUp = await engineForTest();
});
afterAll(() => setUp[Symbol.asyncDispose]());

const WASI = "wasi_snapshot_preview1";
const NOTHING: FunctionType = { params: [], results: [] };
const EXITS: FunctionType = { params: ["i32"], results: [] };
const FILLS: FunctionType = { params: ["i32", "i32"], results: ["i32"] };
const I32 = 0x41;
const I64 = 0x42;
const CALL = 0x10;
const DROP = 0x1a;
const UNREACHABLE = 0x00;
const exit = (status: number) => [I32, status, CALL, 0];
const TRY = [0x06, 0x40];
const CATCH_ALL = 0x19;
const END = 0x0b;
const exitImport: ImportPlan = { module: WASI, name: "proc_exit", kind: "function", type: 1 };
const entry = (index: number) => ({ name: "_start", kind: "function" as const, index });
const memory = { name: "memory", kind: "memory" as const, index: 0 };

/** Exits with 3, and has this beside. */
const exiting = (plan: ModulePlan): ModulePlan => ({
  types: [NOTHING, EXITS],
  imports: [exitImport],
  functions: [{ type: 0, body: exit(3) }],
  ...plan,
  exports: [entry(1), ...(plan.exports ?? [])],
});

/** Calls fd_close as if it had this type. */
const mistyped = (type: FunctionType, body: readonly number[]): ModulePlan => ({
  types: [NOTHING, type],
  imports: [{ module: WASI, name: "fd_close", kind: "function", type: 1 }],
  functions: [{ type: 0, body }],
  exports: [entry(1)],
});

/** Exits with what random_get answers. */
const fills = [I32, 8, I32, 8, CALL, 1, CALL, 0];
const filling = (plan: ModulePlan): ModulePlan => ({
  types: [NOTHING, EXITS, FILLS],
  imports: [exitImport, { module: WASI, name: "random_get", kind: "function", type: 2 }],
  ...plan,
});

/** `_start` is what is given. */
const starting = (type: FunctionType, body: readonly number[]): ModulePlan => ({
  types: [type],
  functions: [{ type: 0, body }],
  exports: [entry(0)],
});

const notFunction = (plan: ImportPlan): ModulePlan => ({ ...starting(NOTHING, []), imports: [plan] });

type Ending = { exitCode: number; reason?: string } | { code: string };
const OTHER_TYPES = "trap: a function of WASI, or _start, with other types than WASI has for it";

const cases: readonly { name: string; plan: ModulePlan; ends: Ending }[] = [
  { name: "without a memory", plan: exiting({}), ends: { exitCode: 3 } },
  { name: "a function called memory", plan: exiting({ exports: [{ name: "memory", kind: "function", index: 1 }] }), ends: { exitCode: 3 } },
  { name: "a table called memory", plan: exiting({ tables: [{ minimum: 1 }], exports: [{ name: "memory", kind: "table", index: 0 }] }), ends: { exitCode: 3 } },
  { name: "a memory of 64-bit addresses", plan: exiting({ memories: [{ minimum: 1, maximum: 2, memory64: true }], exports: [memory] }), ends: { exitCode: 3 } },
  { name: "a shared memory", plan: filling({ memories: [{ minimum: 1, maximum: 2, shared: true }], functions: [{ type: 0, body: fills }], exports: [entry(2), memory] }), ends: { exitCode: 0 } },
  { name: "an imported memory", plan: notFunction({ module: "env", name: "memory", kind: "memory", limits: { minimum: 1 } }), ends: { exitCode: 0 } },
  { name: "two imported memories", plan: { ...starting(NOTHING, []), imports: ["a", "b"].map((name) => ({ module: "env", name, kind: "memory", limits: { minimum: 1 } })) }, ends: { code: "PROGRAM_IMPORTS" } },
  { name: "a global in place of a function", plan: notFunction({ module: WASI, name: "fd_write", kind: "global", type: "i32", mutable: false }), ends: { code: "PROGRAM_IMPORTS" } },
  { name: "a table in place of a function", plan: notFunction({ module: WASI, name: "fd_write", kind: "table", limits: { minimum: 1 } }), ends: { code: "PROGRAM_IMPORTS" } },
  { name: "an exception in place of a function", plan: notFunction({ module: WASI, name: "fd_write", kind: "tag", type: 0 }), ends: { code: "PROGRAM_IMPORTS" } },
  { name: "no entry point", plan: { ...starting(NOTHING, []), exports: [{ name: "main", kind: "function", index: 0 }] }, ends: { code: "PROGRAM_INVALID" } },
  { name: "a memory as entry point", plan: { memories: [{ minimum: 1 }], exports: [{ ...memory, name: "_start" }] }, ends: { code: "PROGRAM_INVALID" } },
  { name: "an entry point with a parameter", plan: starting({ params: ["i32"], results: [] }, []), ends: { exitCode: 0 } },
  { name: "an entry point with a parameter that no number fits", plan: starting({ params: ["i64"], results: [] }, []), ends: { exitCode: 134, reason: OTHER_TYPES } },
  { name: "an entry point with a result", plan: starting({ params: [], results: ["i64"] }, [I64, 5]), ends: { exitCode: 0 } },
  { name: "a function of WASI as entry point", plan: { types: [NOTHING, EXITS], imports: [exitImport], exports: [entry(0)] }, ends: { exitCode: 0 } },
  { name: "a start function that traps", plan: { types: [NOTHING], functions: [{ type: 0, body: [UNREACHABLE] }], start: 0, exports: [entry(0)] }, ends: { exitCode: 134, reason: "trap: unreachable" } },
  { name: "a start function that exits", plan: exiting({ start: 1 }), ends: { exitCode: 3 } },
  { name: "a start function whose memory nobody has seen yet: EFAULT", plan: filling({ memories: [{ minimum: 1 }], functions: [{ type: 0, body: fills }], start: 2, exports: [entry(2), memory] }), ends: { exitCode: 21 } },
  { name: "an i64 for a descriptor", plan: mistyped({ params: ["i64"], results: ["i32"] }, [I64, 1, CALL, 0, DROP]), ends: { exitCode: 134, reason: OTHER_TYPES } },
  { name: "an i64 for an errno", plan: mistyped({ params: ["i32"], results: ["i64"] }, [I32, 1, CALL, 0, DROP]), ends: { exitCode: 134, reason: OTHER_TYPES } },
  { name: "two errnos", plan: mistyped({ params: ["i32"], results: ["i32", "i32"] }, [I32, 1, CALL, 0, DROP, DROP]), ends: { exitCode: 134, reason: OTHER_TYPES } },
  { name: "a NaN for a descriptor", plan: mistyped({ params: ["f64"], results: ["i32"] }, [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, CALL, 0, DROP]), ends: { exitCode: 0 } },
  { name: "neither descriptor nor errno", plan: mistyped(NOTHING, [CALL, 0]), ends: { exitCode: 0 } },
  { name: "its own end, caught", plan: exiting({ functions: [{ type: 0, body: [...TRY, ...exit(3), CATCH_ALL, END] }] }), ends: { exitCode: 3 } },
  { name: "its own end, caught, and another one", plan: exiting({ functions: [{ type: 0, body: [...TRY, ...exit(3), CATCH_ALL, END, ...exit(4)] }] }), ends: { exitCode: 3 } },
  { name: "its own end, caught, and a trap", plan: exiting({ functions: [{ type: 0, body: [...TRY, ...exit(3), CATCH_ALL, END, UNREACHABLE] }] }), ends: { exitCode: 3 } },
  { name: "wrong types, caught", plan: mistyped({ params: ["i64"], results: ["i32"] }, [...TRY, I64, 1, CALL, 0, DROP, CATCH_ALL, END]), ends: { exitCode: 134, reason: OTHER_TYPES } },
  {
    name: "a stack that is used up within a call, at each depth: it can't be caught",
    plan: filling({
      memories: [{ minimum: 1 }],
      functions: [{ type: 0, body: [...TRY, I32, 0, I32, 8, CALL, 1, DROP, CATCH_ALL, ...exit(9), END, CALL, 2] }],
      exports: [entry(2), memory],
    }),
    ends: { exitCode: 134, reason: "trap: call stack exhausted" },
  },
]; // biome-ignore format: a line for each

test.each(cases)("$name", async ({ plan, ends }) => {
  const run = setUp.engine.run(
    { wasm: buildModule(plan), name: "hostile.wasm" },
    { limits: { memoryBytesMax: 1 << 24 }, timeoutMs: 20_000 },
  );
  if ("code" in ends) await expect(run).rejects.toMatchObject(ends);
  else expect(await run).toMatchObject({ reason: undefined, ...ends });
});

/** `(type (struct))`, a function of WASI that takes what `body` makes, and a `_start` that calls it. */
const referring = (parameter: number, body: readonly number[]) => [
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 11, 3, 0x5f, 0, 0x60, 1, parameter, 1, 0x7f, 0x60, 0, 0],
  ...[2, 35, 1, 22, ...Buffer.from(WASI), 8, ...Buffer.from("fd_close"), 0, 1],
  ...[3, 2, 1, 2],
  ...[7, 14, 2, 6, ...Buffer.from("_start"), 0, 1, 1, 0x66, 0, 0],
  ...[10, body.length + 7, 1, body.length + 5, 0, ...body, CALL, 0, DROP, END],
];

test.each([
  { name: "a null", bytes: referring(0x6f, [0xd0, 0x6f]), ends: { exitCode: 0 } },
  { name: "a function of WASI itself", bytes: referring(0x70, [0xd2, 0]), ends: { exitCode: 0 } },
  {
    name: "a struct",
    bytes: referring(0x6f, [0xfb, 0, 0, 0xfb, 0x1b]),
    ends: { exitCode: 134, reason: OTHER_TYPES },
  },
])("$name in the place of a descriptor", async ({ bytes, ends }) => {
  const run = setUp.engine.run({ wasm: Uint8Array.from(bytes), name: "hostile.wasm" }, { timeoutMs: 20_000 });
  expect(await run).toMatchObject({ reason: undefined, ...ends });
});
