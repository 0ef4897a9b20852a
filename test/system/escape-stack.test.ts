/** Programs that use up their stack, or flood their output: each ends alone, by a clear trap or by its time. */
import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { again, call, forEver, i32Const } from "../../runtime/core/wasm/assembly.ts";
import type { RunOptions } from "../../runtime/engine/types.ts";
import { OWN_LOOPS } from "../fixtures/endless-loops.ts";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { buildModule, type FunctionPlan, leb, type ModulePlan } from "../fixtures/module-builder.ts";

const TIMEOUT_MS = 60_000;
const DROP = 0x1a;
const END = 0x0b;
const NOTHING = { params: [], results: [] } as const;
const WASI = "wasi_snapshot_preview1";
const setUp = engineForFile();
const run = (bytes: Uint8Array, options: RunOptions = {}) =>
  setUp.engine.run({ wasm: bytes, name: "deep.wasm" }, { timeoutMs: TIMEOUT_MS, ...options });

/** `_start` is the first function, behind what is imported. */
function program(functions: readonly (readonly number[])[], plan: ModulePlan = {}): Uint8Array<ArrayBuffer> {
  const index = (plan.imports ?? []).length;
  return buildModule({
    types: [NOTHING],
    functions: functions.map((body): FunctionPlan => ({ type: 0, body })),
    exports: [{ name: "_start", kind: "function", index }],
    ...plan,
  });
}

const manyLocals = [1, ...leb(50_000), 0x7e, ...call(0), END];
const TRY = [0x06, 0x40];
const CATCH_ALL = 0x19;

describe("recursion to the end of the stack", { timeout: 2 * TIMEOUT_MS }, () => {
  test.each([
    { name: "of itself", bytes: program([call(0)]) },
    { name: "of each other", bytes: program([call(1), call(0)]) },
    {
      name: "through a table",
      bytes: program([[...i32Const(0), 0x11, 0, 0]], { tables: [{ minimum: 1 }], elements: [0] }),
    },
    { name: "in a start function", bytes: program([[], call(1)], { start: 1 }) },
    {
      name: "with 50,000 locals",
      bytes: buildModule({
        types: [NOTHING],
        exports: [{ name: "_start", kind: "function", index: 0 }],
        sections: { 3: [1, 0], 10: [1, ...leb(manyLocals.length), ...manyLocals] },
      }),
    },
    { name: "in handlers of exceptions", bytes: program([[...TRY, ...call(0), CATCH_ALL, ...call(0), END]]) },
    {
      name: "with calls of the host in it",
      bytes: program([[...i32Const(9), ...call(0), DROP, ...call(1)]], {
        types: [NOTHING, { params: ["i32"], results: ["i32"] }],
        imports: [{ module: WASI, name: "fd_close", kind: "function", type: 1 }],
      }),
    },
  ])("$name: 134, and why", async ({ bytes }) => {
    const { exitCode, reason, stderr } = await run(bytes);
    expect({ exitCode, reason }).toEqual({ exitCode: 134, reason: "trap: call stack exhausted" });
    expect(new TextDecoder().decode(stderr)).toBe("wpod: the program trapped: call stack exhausted\n");
  });
});

describe("output without end", { timeout: 2 * TIMEOUT_MS }, () => {
  const iovec = [0, 16, 0, 0, 0, 16, 0, 0]; // 4096 bytes at 4096
  const flood = program(
    [forEver(i32Const(1), i32Const(1024), i32Const(1), i32Const(16), call(0), [DROP], again(0))],
    {
      types: [NOTHING, { params: ["i32", "i32", "i32", "i32"], results: ["i32"] }],
      imports: [{ module: WASI, name: "fd_write", kind: "function", type: 1 }],
      memories: [{ minimum: 1 }],
      dataAt: [{ offset: 1024, bytes: Uint8Array.from(iovec) }],
      exports: [
        { name: "_start", kind: "function", index: 1 },
        { name: "memory", kind: "memory", index: 0 },
      ],
    },
  );
  test.each([
    { name: "collected", options: { limits: { outputBytesMax: 65_536 } }, collected: 65_536, truncated: true },
    { name: "into a stream that takes nothing more", options: { stdout: new Writable({ write() {} }) }, collected: 0, truncated: false },
    { name: "for a function that never comes back", options: { stdout: () => new Promise<void>(() => {}) }, collected: 0, truncated: false },
    { name: "into a log", options: { stdout: "ignore", log: true }, collected: 0, truncated: false },
  ] as const)("$name: ended, with what is kept of it", async ({ options, collected, truncated }) => {
    const result = await run(flood, { ...options, timeoutMs: 500 });
    expect(result).toMatchObject({ exitCode: 137, reason: "timeout", truncated });
    expect(result.stdout.length).toBe(collected);
  }); // biome-ignore format: a line for each
});

test("in a process of its own, too, what can't be interrupted is", { timeout: TIMEOUT_MS }, async () => {
  const loop = OWN_LOOPS.find(({ name }) => name === "memory.fill")!;
  const ended = await run(loop.bytes, { isolation: "process", timeoutMs: 300 });
  expect(ended).toMatchObject({ exitCode: 137, reason: "timeout" });
});
