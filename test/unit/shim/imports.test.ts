import { describe, expect, test } from "vitest";
import { createImports, missingImports } from "../../../shim/imports.ts";
import { TestGuest } from "./test-guest.ts";

const wasi = (name: string, module = "wasi_snapshot_preview1") => ({ module, name, kind: "function" });
const { guest } = new TestGuest();

describe("the import object", () => {
  test("holds what was asked for, and nothing else", () => {
    const imports = createImports(guest, [
      wasi("fd_write"),
      wasi("proc_exit"),
      wasi("fd_seek", "wasi_unstable"),
    ]);
    expect(Object.keys(imports)).toEqual(["wasi_snapshot_preview1", "wasi_unstable"]);
    expect(Object.keys(imports.wasi_snapshot_preview1!)).toEqual(["fd_write", "proc_exit"]);
    expect(Object.keys(imports.wasi_unstable!)).toEqual(["fd_seek"]);
  });

  test("is frozen and has no prototypes: nothing of the host can be reached or changed through it", () => {
    const imports = createImports(guest, [wasi("fd_write")]);
    for (const object of [imports, imports.wasi_snapshot_preview1!]) {
      expect(Object.getPrototypeOf(object)).toBeNull();
      expect(Object.isFrozen(object)).toBe(true);
    }
    expect(Object.isFrozen(imports.wasi_snapshot_preview1!.fd_write)).toBe(true);
  });

  test("takes names of the language for what they are: names that nobody has", () => {
    const asked = ["__proto__", "constructor", "toString", "hasOwnProperty"].flatMap((name) => [
      wasi(name),
      wasi("fd_write", name),
    ]);
    expect(missingImports(asked)).toEqual(asked);
    expect(Object.keys(createImports(guest, asked))).toEqual([]);
  });

  test("has the memory of a module that imports it, when there is one", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const asked = [{ module: "env", name: "memory", kind: "memory" }];
    expect(createImports(guest, asked, { memory }).env!.memory).toBe(memory);
    expect(missingImports(asked, { memory })).toEqual([]);
    expect(missingImports(asked)).toEqual(asked);
  });
});

test("what is missing is told by name, in the module's order", () => {
  const asked = [
    wasi("fd_write"),
    wasi("fd_writev"),
    wasi("sock_accept", "wasi_unstable"), // came later
    wasi("sock_accept"),
    wasi("run", "env"),
    { module: "wasi_snapshot_preview1", name: "fd_read", kind: "global" },
  ];
  expect(missingImports(asked).map(({ module, name }) => `${module}.${name}`)).toEqual([
    "wasi_snapshot_preview1.fd_writev",
    "wasi_unstable.sock_accept",
    "env.run",
    "wasi_snapshot_preview1.fd_read",
  ]);
});

test("a defect of the runtime comes out of the guest as it was thrown", () => {
  const broken = new TestGuest();
  const defect = new Error("defect");
  Object.assign(broken.system, {
    random: () => {
      throw defect;
    },
  });
  // (module (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
  //   (func (export "go") (result i32) i32.const 0 i32.const 4 call 0))
  const text = (name: string) => [name.length, ...Buffer.from(name)];
  const imported = [...text("wasi_snapshot_preview1"), ...text("random_get"), 0, 0];
  const section = (id: number, content: number[]) => [id, content.length, ...content];
  const module = new WebAssembly.Module(
    Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [2, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 0, 1, 0x7f]),
      ...section(2, [1, ...imported]),
      ...section(3, [1, 1]),
      ...section(7, [1, ...text("go"), 0, 1]),
      ...section(10, [1, 8, 0, 0x41, 0, 0x41, 4, 0x10, 0, 0x0b]),
    ]),
  );
  const imports = createImports(broken.guest, WebAssembly.Module.imports(module));
  const { go } = new WebAssembly.Instance(module, imports).exports;
  expect(go as () => number).toThrow(defect);
});
