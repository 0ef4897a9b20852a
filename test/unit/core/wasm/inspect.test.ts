import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inspect } from "../../../../runtime/core/wasm/inspect.ts";
import { linkerInput, type ModuleInspection } from "../../../../runtime/core/wasm/module-inspection.ts";
import {
  buildModule,
  type ExportPlan,
  leb,
  modulePlan,
  producers,
} from "../../../fixtures/module-builder.ts";
import { clang, esbuildModule, pythonModule } from "../../../fixtures/programs/pinned.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const numRuns = process.env.WPOD_TEST_LONG === "1" ? 3000 : 150;

function inspectModule(bytes: Uint8Array): ModuleInspection {
  const found = inspect(bytes);
  if (found.kind !== "module") throw new Error(JSON.stringify(found));
  return found;
}

describe("what a file is, by its first bytes", () => {
  const latin = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const hex = (digits: string) => new Uint8Array(Buffer.from(digits.replaceAll(" ", ""), "hex"));
  const elf = (classAndOrder: string, machine: string, os = "00") =>
    hex(`7f454c46 ${classAndOrder} 01 ${os} 0000000000000000 0200 ${machine} 01000000`);
  /** `MZ`, and at 0x3c where the header stands. */
  const pe = (at: number, rest: string) => {
    const bytes = new Uint8Array(0x80);
    bytes.set(latin("MZ"));
    new DataView(bytes.buffer).setUint32(0x3c, at, true);
    bytes.set(hex(rest), Math.min(at, 0x70));
    return bytes;
  };

  const cases: { name: string; bytes: Uint8Array; found: object }[] = [
    { name: "nothing", bytes: latin(""), found: { kind: "unknown", empty: true } },
    {
      name: "one zero byte",
      bytes: latin("\0"),
      found: { kind: "malformed", problem: { kind: "truncated", offset: 1 } },
    },
    {
      name: "only the magic",
      bytes: latin("\0asm"),
      found: { kind: "malformed", problem: { kind: "truncated", offset: 4 } },
    },
    {
      name: "seven bytes",
      bytes: latin("\0asm\x01\0\0"),
      found: { kind: "malformed", problem: { kind: "truncated", offset: 7 } },
    },
    {
      name: "an empty module",
      bytes: latin("\0asm\x01\0\0\0"),
      found: { kind: "module", problem: undefined },
    },
    { name: "a component", bytes: latin("\0asm\x0d\0\x01\0"), found: { kind: "component" } },
    { name: "a later component", bytes: latin("\0asm\x0e\0\x01\0"), found: { kind: "component" } },
    {
      name: "another version",
      bytes: latin("\0asm\x02\0\0\0"),
      found: { kind: "malformed", problem: { offset: 4 } },
    },
    {
      name: "another layer",
      bytes: latin("\0asm\x01\0\x02\0"),
      found: { kind: "malformed", problem: { offset: 4 } },
    },
    {
      name: "ELF for x86-64",
      bytes: elf("0201", "3e00"),
      found: { kind: "elf", os: "linux", architecture: "amd64" },
    },
    {
      name: "ELF for ARM64",
      bytes: elf("0201", "b700"),
      found: { kind: "elf", os: "linux", architecture: "arm64" },
    },
    { name: "ELF for RISC-V", bytes: elf("0201", "f300"), found: { kind: "elf", architecture: "riscv64" } },
    { name: "ELF for POWER", bytes: elf("0201", "1500"), found: { kind: "elf", architecture: "ppc64le" } },
    { name: "ELF, big-endian", bytes: elf("0202", "0016"), found: { kind: "elf", architecture: "s390x" } },
    { name: "ELF of 32 bits", bytes: elf("0101", "0300"), found: { kind: "elf", architecture: "386" } },
    { name: "ELF for FreeBSD", bytes: elf("0201", "3e00", "09"), found: { kind: "elf", os: "freebsd" } },
    {
      name: "ELF of a rare machine",
      bytes: elf("0201", "ffff"),
      found: { kind: "elf", architecture: undefined },
    },
    {
      name: "ELF cut short",
      bytes: latin("\x7fELF\x02"),
      found: { kind: "elf", os: undefined, architecture: undefined },
    },
    {
      name: "Mach-O",
      bytes: hex("cffaedfe 0c000001"),
      found: { kind: "mach-o", os: "darwin", architecture: "arm64" },
    },
    {
      name: "Mach-O of two",
      bytes: hex("cafebabe 00000002"),
      found: { kind: "mach-o", architecture: undefined },
    },
    { name: "a class of Java", bytes: hex("cafebabe 00000041"), found: { kind: "unknown", empty: false } },
    {
      name: "for Windows",
      bytes: pe(0x70, "50450000 6486"),
      found: { kind: "pe", os: "windows", architecture: "amd64" },
    },
    { name: "for DOS", bytes: pe(0x70, "00000000 6486"), found: { kind: "unknown", empty: false } },
    {
      name: "MZ that points outside",
      bytes: pe(0xffff_fff0, "50450000 6486"),
      found: { kind: "unknown", empty: false },
    },
    {
      name: "a script",
      bytes: latin("#!/bin/sh\necho"),
      found: { kind: "script", interpreter: "/bin/sh", args: [] },
    },
    {
      name: "a script with arguments: one, as on Linux",
      bytes: latin("#! \t/usr/bin/env  -S python -u \r\nprint()"),
      found: { kind: "script", interpreter: "/usr/bin/env", args: ["-S python -u"] },
    },
    {
      name: "a script of one line",
      bytes: latin("#!/bin/a"),
      found: { kind: "script", interpreter: "/bin/a", args: [] },
    },
    {
      name: "a script without interpreter",
      bytes: latin("#!\n/bin/a"),
      found: { kind: "script", interpreter: "", args: [] },
    },
    {
      name: "a script with a line that is cut",
      bytes: latin(`#!/${"a".repeat(300)}`),
      found: { kind: "script", interpreter: `/${"a".repeat(252)}` },
    },
    { name: "text", bytes: latin(";; (a\n (; b ;)\n(module $a)"), found: { kind: "text" } },
    { name: "a component as text", bytes: latin("(component)"), found: { kind: "text" } },
    { name: "text of something else", bytes: latin("(modules)"), found: { kind: "unknown", empty: false } },
    {
      name: "a comment without end",
      bytes: latin(`(;${"(;".repeat(2000)}`),
      found: { kind: "unknown", empty: false },
    },
  ];
  test.each(cases)("$name", ({ bytes, found }) => expect(inspect(bytes)).toMatchObject(found));
});

describe("a module", () => {
  const exported = (...names: string[]): ExportPlan[] =>
    names.map((name) => ({ name, kind: "function", index: 0 }));
  const withExports = (exports: ExportPlan[]) =>
    buildModule({
      types: [{ params: [], results: [] }],
      functions: [{ type: 0, body: [] }],
      memories: [{ minimum: 1 }],
      exports,
    });

  test.each([
    { name: "_start", exports: exported("memory", "_start"), entryPoint: "command" },
    { name: "_initialize", exports: exported("_initialize", "handle"), entryPoint: "reactor" },
    { name: "both", exports: exported("_initialize", "_start"), entryPoint: "command" },
    { name: "neither", exports: exported("main"), entryPoint: "none" },
    {
      name: "a memory named _start",
      exports: [{ name: "_start", kind: "memory", index: 0 }],
      entryPoint: "none",
    },
  ] as const)("entry point: $name", ({ exports, entryPoint }) => {
    expect(inspectModule(withExports([...exports])).entryPoint).toBe(entryPoint);
  });

  test("imports, memories, start function and producers", () => {
    const bytes = buildModule({
      types: [{ params: [], results: [] }],
      imports: [
        { module: "wasi_snapshot_preview1", name: "fd_write", kind: "function", type: 0 },
        { module: "env", name: "memory", kind: "memory", limits: { minimum: 2, maximum: 5, shared: true } },
        { module: "env", name: "größe\0", kind: "global", type: "i64", mutable: true },
        { module: "env", name: "table", kind: "table", limits: { minimum: 1 } },
        { module: "env", name: "tag", kind: "tag", type: 0 },
      ],
      functions: [{ type: 0, body: [] }],
      memories: [{ minimum: 7, memory64: true }],
      exports: [{ name: "memory", kind: "memory", index: 1 }],
      start: 1,
      customs: [
        {
          name: "producers",
          content: producers({
            language: { Rust: "" },
            "processed-by": { rustc: "1.85.0" },
            odd: { a: "b" },
          }),
        },
      ],
    });
    new WebAssembly.Module(bytes);
    const usual = { shared: false, memory64: false, pageSizeBytes: 65536, maximumPages: undefined };
    expect(inspectModule(bytes)).toMatchObject({
      problem: undefined,
      imports: [
        { module: "wasi_snapshot_preview1", name: "fd_write", kind: "function" },
        { module: "env", name: "memory", kind: "memory" },
        { module: "env", name: "größe\0", kind: "global" },
        { module: "env", name: "table", kind: "table" },
        { module: "env", name: "tag", kind: "tag" },
      ],
      exports: [{ name: "memory", kind: "memory", index: 1 }],
      memories: [
        { ...usual, imported: true, minimumPages: 2, maximumPages: 5, shared: true },
        { ...usual, imported: false, minimumPages: 7, memory64: true },
      ],
      startFunction: 1,
      entryPoint: "none",
      producers: [
        { field: "language", name: "Rust", version: "" },
        { field: "processed-by", name: "rustc", version: "1.85.0" },
      ],
    });
  });

  test("a producers section that breaks off makes no module malformed", () => {
    const whole = producers({ language: { C11: "" }, "processed-by": { clang: "20" } });
    for (let cut = 0; cut <= whole.length; cut++) {
      const customs = [{ name: "producers", content: whole.subarray(0, cut) }];
      expect(inspectModule(buildModule({ customs })).problem).toBeUndefined();
    }
  });

  test.each([
    { section: "linking", input: "object" },
    { section: "dylink.0", input: "library" },
    { section: "name", input: undefined },
  ])("a $section section: $input", ({ section, input }) => {
    const customs = [{ name: section, content: new Uint8Array() }];
    expect(linkerInput(inspectModule(buildModule({ customs })))).toBe(input);
  });

  test("cut at each byte: truncated there, or whole sections are gone", () => {
    const bytes = buildModule({
      types: [{ params: ["i32"], results: [] }],
      functions: [{ type: 0, body: Array(200).fill(0x01) }],
      memories: [{ minimum: 1 }],
      exports: [{ name: "_start", kind: "function", index: 0 }],
      customs: [{ name: "end", content: new Uint8Array(200) }],
    });
    const { sections } = inspectModule(bytes);
    const ends = new Set([8, ...sections.map(({ end }) => end)]);
    for (let cut = 8; cut < bytes.length; cut++) {
      const { problem } = inspectModule(bytes.subarray(0, cut));
      if (ends.has(cut)) expect(problem).toBeUndefined();
      else expect(problem).toMatchObject({ kind: "truncated", offset: cut });
    }
    const inside = sections.find(({ id }) => id === 10)!;
    expect(inspectModule(bytes.subarray(0, inside.end - 9)).problem).toEqual({
      kind: "truncated",
      offset: inside.end - 9,
      message: "ends inside its code section: 9 bytes are missing",
    });
  });

  const head = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  test.each([
    { name: "a section that isn't known", bytes: [14, 0], offset: 8, message: "has an unknown section 14" },
    { name: "a section twice", bytes: [1, 1, 0, 1, 1, 0], offset: 11, message: "has two type sections" },
    {
      name: "sections out of order",
      bytes: [5, 1, 0, 2, 1, 0],
      offset: 11,
      message: "has its import section in the wrong place",
    },
    {
      name: "a memory section that is too long",
      bytes: [5, 4, 1, 0, 1, 9],
      offset: 13,
      message: "has bytes that mean nothing in its memory section",
    },
    {
      name: "a memory section that is too short",
      bytes: [5, 2, 1, 0, 1],
      offset: 12,
      message: "ends where a byte was expected",
    },
    {
      name: "a count beyond the section",
      bytes: [5, 2, 200, 1],
      offset: 12,
      message: "counts more than it holds",
    },
    {
      name: "a number of five bytes and a bit",
      bytes: [5, 8, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0],
      offset: 17,
      message: "has a number that is too long",
    },
    {
      name: "a section's size of six bytes",
      bytes: [5, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
      offset: 14,
      message: "has a number that is too long",
    },
    {
      name: "a shared memory without a maximum",
      bytes: [5, 3, 1, 2, 1],
      offset: 11,
      message: "has a shared memory without a maximum",
    },
    {
      name: "a maximum under the minimum",
      bytes: [5, 4, 1, 1, 2, 1],
      offset: 11,
      message: "has a memory whose maximum is under its minimum",
    },
    {
      name: "65,537 pages",
      bytes: [5, 5, 1, 0, 0x81, 0x80, 0x04],
      offset: 11,
      message: "has a memory with more pages than it has addresses for",
    },
    {
      name: "flags of a memory",
      bytes: [5, 3, 1, 16, 1],
      offset: 11,
      message: "has a memory of an unknown kind (flags 0x10)",
    },
    {
      name: "a name that isn't UTF-8",
      bytes: [7, 5, 1, 1, 0xff, 0, 0],
      offset: 11,
      message: "has a name that isn't UTF-8",
    },
    {
      name: "an import of a kind that isn't known",
      bytes: [2, 5, 1, 0, 0, 9, 0],
      offset: 13,
      message: "has an import of an unknown kind",
    },
    {
      name: "a custom section without a name",
      bytes: [0, 0],
      offset: 10,
      message: "ends where a byte was expected",
    },
  ])("malformed: $name", ({ bytes, offset, message }) => {
    const file = Uint8Array.from([...head, ...bytes]);
    expect(WebAssembly.validate(file)).toBe(false);
    expect(inspectModule(file).problem).toEqual({ kind: "malformed", offset, message });
  });

  test("65,536 pages are a memory", () => {
    expect(inspectModule(Uint8Array.from([...head, 5, 5, 1, 0, 0x80, 0x80, 0x04])).problem).toBeUndefined();
  });
});

describe("a small file that says much", () => {
  /** A section of `count` elements, all the same. */
  const repeated = (id: number, count: number, element: number[]) => {
    const content = [...leb(count), ...Array.from({ length: count }, () => element).flat()];
    return Uint8Array.from([
      0,
      0x61,
      0x73,
      0x6d,
      1,
      0,
      0,
      0,
      ...IMPORTED_TYPE,
      id,
      ...leb(content.length),
      ...content,
    ]);
  };
  const IMPORTED_TYPE = [1, 4, 1, 0x60, 0, 0];

  test.each([
    { count: 1_000_000, takes: true },
    { count: 1_000_001, takes: false },
  ])("$count imports: V8 and wpod agree", { timeout: 30_000 }, ({ count, takes }) => {
    const bytes = repeated(2, count, [0, 0, 0, 0]);
    expect(inspectModule(bytes).problem === undefined).toBe(takes);
    expect(WebAssembly.validate(bytes)).toBe(takes);
  });

  test.each([
    { count: 10_000, takes: true },
    { count: 10_001, takes: false },
  ])("$count custom sections", ({ count, takes }) => {
    const sections = Array.from({ length: count }, () => [0, 1, 0]).flat();
    const bytes = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections]);
    expect(inspectModule(bytes).problem === undefined).toBe(takes);
  });
});

test("modules of every shape: imports and exports as V8 lists them", () => {
  fc.assert(
    fc.property(modulePlan, (plan) => {
      const bytes = buildModule(plan);
      const found = inspectModule(bytes);
      const module = new WebAssembly.Module(bytes);
      expect(found.problem).toBeUndefined();
      expect(found.imports).toEqual(WebAssembly.Module.imports(module));
      expect(found.exports.map(({ name, kind }) => ({ name, kind }))).toEqual(
        WebAssembly.Module.exports(module),
      );
      expect(found.startFunction).toBe(plan.start);
      const customNames = found.sections.filter(({ id }) => id === 0).map(({ name }) => name);
      for (const { name, content } of plan.customs ?? []) {
        expect(customNames).toContain(name);
        const contents = WebAssembly.Module.customSections(module, name).map(
          (buffer) => new Uint8Array(buffer),
        );
        expect(contents).toContainEqual(content);
      }
    }),
    { numRuns },
  );
});

test("arbitrary bytes never throw, and no place lies outside", () => {
  const behindHeader = fc
    .uint8Array({ maxLength: 100 })
    .map((rest) => Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...rest]));
  const headed = fc
    .tuple(
      fc.constantFrom("\x7fELF", "MZ", "#!", "(module", "\xca\xfe\xba\xbe", "\xcf\xfa\xed\xfe", "\0asm"),
      fc.uint8Array({ maxLength: 100 }),
    )
    .map(([head, rest]) => Uint8Array.from([...Buffer.from(head, "latin1"), ...rest]));
  fc.assert(
    fc.property(fc.oneof(behindHeader, headed, fc.uint8Array({ maxLength: 100 })), (bytes) => {
      // A view into a larger buffer: a read outside would find something.
      const within = new Uint8Array(bytes.length + 200).fill(0x01);
      within.set(bytes, 100);
      const view = within.subarray(100, 100 + bytes.length);
      const found = inspect(view);
      expect(found).toEqual(inspect(bytes));
      if (found.kind !== "module") return;
      for (const section of found.sections) expect(section.end).toBeLessThanOrEqual(bytes.length);
      if (found.problem === undefined) return;
      expect(found.problem.offset).toBeLessThanOrEqual(bytes.length);
      expect(WebAssembly.validate(bytes)).toBe(false);
    }),
    { numRuns: numRuns * 10 },
  );
});

test.each([
  { name: "CPython", file: pythonModule, entryPoint: "command", imports: ["path_open", "fd_read"] },
  {
    name: "esbuild, by Go",
    file: esbuildModule,
    entryPoint: "command",
    imports: ["poll_oneoff", "sched_yield"],
  },
  { name: "clang", file: async () => (await clang()).module, entryPoint: "command", imports: ["args_get"] },
])("a real program: $name", { timeout: 120_000 }, async ({ file, entryPoint, imports }) => {
  const bytes = await readFile(await file());
  inspect(bytes);
  const started = performance.now();
  const found = inspectModule(bytes);
  const elapsedMs = performance.now() - started;
  expect(found).toMatchObject({ problem: undefined, entryPoint });
  expect(found.memories).toHaveLength(1);
  const names = found.imports.map(({ module, name }) => `${module}.${name}`);
  expect(names).toEqual(expect.arrayContaining(imports.map((name) => `wasi_snapshot_preview1.${name}`)));
  // Section headers only: V8 takes a hundred times as long for the same file.
  expect(elapsedMs).toBeLessThan(2000);
});
