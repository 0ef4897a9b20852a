import { describe, expect, test } from "vitest";
import { ProgramEnd } from "../../../../runtime/core/kernel/program-system.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import type { System } from "../../../../shim/abi/system.ts";
import { Guest } from "../../../../shim/guest.ts";
import { createImports, missingImports } from "../../../../shim/imports.ts";
import { runProgram } from "../../../../shim/preview1/program.ts";
import { buildModule } from "../../../fixtures/module-builder.ts";
import { TestGuest } from "../test-guest.ts";

const SPAWN = { module: "wasi", name: "thread-spawn", kind: "function" };

function spawnOf(threads: System["threads"]): (startArg: number) => number {
  const guest = new Guest({ ...new TestGuest().system, threads }, { descriptorsMax: 8 });
  return createImports(guest, [SPAWN]).wasi!["thread-spawn"] as (startArg: number) => number;
}

describe("thread-spawn", () => {
  test("is there for every module", () => {
    expect(missingImports([SPAWN])).toEqual([]);
    expect(missingImports([{ ...SPAWN, name: "thread_spawn" }])).toHaveLength(1);
  });

  test.each([1, 2 ** 29 - 1, -Errno.EAGAIN])("answers %d as the runtime does, and no errno", (answer) => {
    expect(spawnOf({ spawn: () => answer })(7)).toBe(answer);
  });

  test.each([0, 0x7fff_ffff, -1])("hands on %d as it is", (startArg) => {
    const started: number[] = [];
    spawnOf({ spawn: (arg) => started.push(arg) })(startArg);
    expect(started).toEqual([startArg]);
  });

  test("is ENOTSUP in a program that can't have threads", () => {
    expect(spawnOf(undefined)(0)).toBe(-Errno.ENOTSUP);
  });
});

const EXIT = { module: "wasi_snapshot_preview1", name: "proc_exit", kind: "function", type: 0 } as const;
const MEMORY = {
  module: "env",
  name: "memory",
  kind: "memory",
  limits: { minimum: 1, maximum: 1, shared: true },
} as const;

/** `_start` returns; `wasi_thread_start` exits with its number plus its argument. */
const MODULE = new WebAssembly.Module(
  buildModule({
    types: [
      { params: ["i32"], results: [] },
      { params: ["i32", "i32"], results: [] },
      { params: [], results: [] },
    ],
    imports: [EXIT, MEMORY],
    functions: [
      { type: 2, body: [] },
      { type: 1, body: [0x20, 0, 0x20, 1, 0x6a, 0x10, 0] },
    ],
    exports: [
      { name: "_start", kind: "function", index: 1 },
      { name: "wasi_thread_start", kind: "function", index: 2 },
    ],
  }),
);
/** The same without a function for threads. */
const WITHOUT = new WebAssembly.Module(
  buildModule({
    types: [{ params: [], results: [] }],
    imports: [MEMORY],
    functions: [{ type: 0, body: [] }],
    exports: [{ name: "_start", kind: "function", index: 0 }],
  }),
);

describe("a thread of a program", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const run = (module: WebAssembly.Module, thread?: { id: number; startArg: number }) =>
    runProgram<ProgramEnd["outcome"] | "returned">(
      module,
      new TestGuest().system,
      8,
      (thrown) => (thrown instanceof ProgramEnd ? thrown.outcome : undefined),
      "returned",
      { memory, thread },
    ).outcome;

  test("is told its number and its argument", () => {
    expect(run(MODULE, { id: 40, startArg: 2 })).toEqual({ kind: "exit", status: 42 });
  });

  test("is the first one without a number", () => {
    expect(run(MODULE)).toBe("returned");
    expect(run(WITHOUT)).toBe("returned");
  });

  test("traps where the module has nothing for it to run", () => {
    expect(run(WITHOUT, { id: 1, startArg: 0 })).toEqual({
      kind: "trap",
      message: expect.stringContaining("wasi_thread_start"),
    });
  });

  test("without the memory that it imports it is told that, and doesn't run", () => {
    const { outcome } = runProgram(MODULE, new TestGuest().system, 8, () => undefined, "returned");
    expect(outcome).toEqual({
      kind: "imports",
      missing: [expect.objectContaining({ module: "env", name: "memory" })],
    });
  });
});
