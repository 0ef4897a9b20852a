/** What crosses between a module and its imports: numbers, whatever types a hostile module gives to the functions of WASI. */
import { describe, expect, test } from "vitest";
import type { Threads } from "../../../shim/abi/system.ts";
import { LOCK } from "../../../shim/extension/lock.ts";
import { PROC } from "../../../shim/extension/proc.ts";
import { TTY } from "../../../shim/extension/tty.ts";
import { createImports } from "../../../shim/imports.ts";
import { PREVIEW1 } from "../../../shim/preview1/table.ts";
import { UNSTABLE } from "../../../shim/preview1/unstable.ts";
import { THREADS } from "../../../shim/threads/thread-spawn.ts";
import { TestGuest } from "./test-guest.ts";

const MODULES = {
  wasi_snapshot_preview1: PREVIEW1,
  wasi_unstable: UNSTABLE,
  wpod_tty: TTY,
  wpod_lock: LOCK,
  wpod_proc: PROC,
  wasi: THREADS,
};
const asked = Object.entries(MODULES).flatMap(([module, table]) =>
  table.map(({ name }) => ({ module, name, kind: "function" })),
);

/** Only numbers reach what starts threads: it sends them to another one. */
class NumberThreads implements Threads {
  spawn(startArg: number): number {
    if (typeof startArg !== "number") throw new Error(`${typeof startArg} has come through`);
    return 1;
  }
}

/** A guest that waits for nothing, and isn't ended by a call. */
function importsOf(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const own = new TestGuest();
  own.time.whileWaiting = () => {};
  Object.assign(own.system, { threads: new NumberThreads() });
  Object.assign(own.system.processes, { exit: () => 0, wait: () => 0 });
  return createImports(own.guest, asked);
}

/** `(module (type (struct)) (func (export "make") (result externref) struct.new 0, extern.convert_any))` */
const STRUCT_MAKER = [
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 7, 2, 0x5f, 0, 0x60, 0, 1, 0x6f],
  ...[3, 2, 1, 1],
  ...[7, 8, 1, 4, 0x6d, 0x61, 0x6b, 0x65, 0, 0],
  ...[10, 9, 1, 7, 0, 0xfb, 0, 0, 0xfb, 0x1b, 0x0b],
];

/** What a module can put in the place of a number: V8 links a function of ours to an import of any type. */
function foreignValues(): { name: string; value: unknown }[] {
  const { make } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(STRUCT_MAKER)), {})
    .exports;
  return [
    { name: "no parameter", value: undefined },
    { name: "a null reference", value: null },
    { name: "a function of its own", value: make },
    { name: "a struct of its own", value: (make as () => unknown)() },
    { name: "an i64", value: 2n ** 63n - 1n },
    { name: "a NaN", value: Number.NaN },
    { name: "an infinity", value: Number.NEGATIVE_INFINITY },
    { name: "a fraction", value: 2 ** 40 + 0.5 },
  ];
}

describe("every function that a module can import", () => {
  const imports = importsOf();

  test.each(asked)("$module $name is frozen, in frozen objects without prototypes", ({ module, name }) => {
    const functions = imports[module]!;
    for (const object of [imports, functions]) {
      expect(Object.getPrototypeOf(object)).toBeNull();
      expect(Object.isFrozen(object)).toBe(true);
    }
    const call = functions[name] as object;
    expect(typeof call).toBe("function");
    expect(Object.isFrozen(call)).toBe(true);
    // An arrow function: nothing hangs on it.
    expect(Object.getOwnPropertyNames(call).sort()).toEqual(["length", "name"]);
    expect(() => Object.assign(call, { secret: 1 })).toThrow(TypeError);
  });

  test("there is nothing else", () => {
    expect(Object.keys(imports).sort()).toEqual(Object.keys(MODULES).sort());
    for (const [module, table] of Object.entries(MODULES)) {
      expect(Reflect.ownKeys(imports[module]!).sort()).toEqual(table.map(({ name }) => name).sort());
    }
  });
});

describe.each(foreignValues())("$name, in the place of each parameter", ({ value }) => {
  test.each(Object.keys(MODULES))("%s: a number comes back, or a TypeError that ends the guest", (module) => {
    let imports = importsOf();
    for (const name of Object.keys(imports[module]!)) {
      for (let position = 0; position < 9; position++) {
        const call = imports[module]![name] as (...parameters: unknown[]) => unknown;
        const parameters = Array.from({ length: 9 }, (_, index) => (index === position ? value : 0));
        let answer: unknown;
        try {
          answer = call(...parameters);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(TypeError);
          expect((thrown as TypeError).message).toMatch(/BigInt|object to primitive/);
          expect(() => call(0)).toThrow(thrown as TypeError);
          imports = importsOf();
          continue;
        }
        expect(Number.isInteger(answer), name).toBe(true);
      }
    }
  });
});
