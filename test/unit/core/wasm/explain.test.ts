import { describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import {
  explainCompileError,
  explainImports,
  explainMemory,
  explainProgram,
} from "../../../../runtime/core/wasm/explain.ts";
import { inspect } from "../../../../runtime/core/wasm/inspect.ts";
import { capMemory } from "../../../../runtime/core/wasm/memory-cap.ts";
import { buildModule } from "../../../fixtures/module-builder.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const latin = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const elf = latin(`\x7fELF\x02\x01\x01${"\0".repeat(9)}\x02\0\x3e\0\x01\0\0\0`);
const program = buildModule({
  types: [{ params: [], results: [] }],
  functions: [{ type: 0, body: [] }],
  exports: [{ name: "_start", kind: "function", index: 0 }],
});
const section = (name: string) => buildModule({ customs: [{ name, content: new Uint8Array() }] });
const python = { name: "python:3.11-slim", platform: "linux/amd64" };

describe("one sentence for what can't run", () => {
  const cases = [
    { name: "empty", bytes: latin(""), code: "PROGRAM_INVALID", message: "/app is empty" },
    {
      name: "text",
      bytes: latin("hello"),
      code: "PROGRAM_INVALID",
      message: "/app isn't a WebAssembly module: it doesn't begin with \\0asm",
    },
    {
      name: "wat",
      bytes: latin("(module)"),
      code: "PROGRAM_INVALID",
      message: "/app is WebAssembly as text; wpod runs the binary format",
    },
    {
      name: "component",
      bytes: latin("\0asm\x0d\0\x01\0"),
      code: "PROGRAM_COMPONENT",
      message: "/app is a WebAssembly component; wpod runs modules of WASI preview 1",
    },
    {
      name: "header",
      bytes: latin("\0asm"),
      code: "PROGRAM_INVALID",
      message: "/app is a truncated WebAssembly module: it ends inside its header, at byte 4",
    },
    {
      name: "version",
      bytes: latin("\0asm\x02\0\0\0"),
      code: "PROGRAM_INVALID",
      message: "/app isn't a valid WebAssembly module: it has the version 2, which is unknown, at byte 4",
    },
    {
      name: "truncated",
      bytes: program.subarray(0, program.length - 1),
      code: "PROGRAM_INVALID",
      message: `/app is a truncated WebAssembly module: it ends inside its code section: 1 bytes are missing, at byte ${program.length - 1}`,
    },
    {
      name: "no entry point",
      bytes: buildModule({}),
      code: "PROGRAM_INVALID",
      message: "/app has no entry point: it exports neither _start nor _initialize",
    },
    {
      name: "object file",
      bytes: section("linking"),
      code: "PROGRAM_INVALID",
      message: "/app is an object file, not a program",
    },
    {
      name: "shared library",
      bytes: section("dylink.0"),
      code: "PROGRAM_INVALID",
      message: "/app is a shared library, not a program",
    },
    {
      name: "ELF of the host",
      bytes: elf,
      code: "PROGRAM_INVALID",
      message: "/app is an ELF file for linux/amd64; wpod runs WebAssembly",
    },
    {
      name: "script without interpreter",
      bytes: latin("#!\n"),
      code: "COMMAND_NOT_EXECUTABLE",
      message: "/app is a script whose first line names no interpreter",
    },
  ];
  test.each(cases)("$name", ({ bytes, code, message }) => {
    const error = explainProgram(inspect(bytes), { path: "/app" });
    expect(error).toBeInstanceOf(WpodError);
    expect(error).toMatchObject({ code, message });
  });

  test("nothing for a program, nor for a script that names one", () => {
    expect(explainProgram(inspect(program), { path: "/app" })).toBeUndefined();
    expect(explainProgram(inspect(latin("#!/bin/sh\n")), { path: "/app" })).toBeUndefined();
  });

  test("an image of another platform, and where to find the right one", () => {
    const error = explainProgram(inspect(elf), { path: "/usr/local/bin/python3", image: python });
    expect(error).toMatchObject({
      code: "IMAGE_PLATFORM",
      message:
        "python:3.11-slim is an image for linux/amd64, its program is an ELF file; wpod runs WebAssembly",
    });
    expect(error?.hint).toContain("wasi/wasm");
  });
});

test("missing imports: all by name, once, sorted", () => {
  const missing = [
    { module: "env", name: "b" },
    { module: "env", name: "a" },
    { module: "a", name: "z" },
    { module: "env", name: "b" },
  ];
  expect(explainImports(missing, "/app")).toMatchObject({
    code: "PROGRAM_IMPORTS",
    message: "/app needs functions that wpod doesn't have: a.z, env.a, env.b",
  });
  expect(explainImports(missing.slice(0, 1), "/app").message).toBe(
    "/app needs a function that wpod doesn't have: env.b",
  );
});

test.each([
  { module: "wasix_32v1", hint: /WASIX/ },
  { module: "gojs", hint: /GOOS=wasip1/ },
  { module: "__wbindgen_placeholder__", hint: /wasm-bindgen/ },
  { module: "env", hint: /Emscripten/ },
  { module: "envelope", hint: /wasi_snapshot_preview1 only/ },
])("where a program that imports from $module comes from", ({ module, hint }) => {
  expect(explainImports([{ module, name: "f" }], "/app").hint).toMatch(hint);
});

test("too many missing imports are counted", () => {
  const missing = Array.from({ length: 203 }, (_, index) => ({ module: "m", name: `${1000 + index}` }));
  expect(explainImports(missing, "/app").message).toMatch(/, m\.1199 and 3 more$/);
});

test("what a guest named can't steer a terminal", () => {
  const error = explainImports([{ module: "m", name: `\x1b[2J\u202e\n${"x".repeat(300)}` }], "/a\x1b[31m");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
  expect(error.message).not.toMatch(/[\x00-\x1f\u202e]/);
  expect(error.message.length).toBeLessThan(300);
});

test.each([
  {
    pages: 16,
    limit: 524_288,
    message: "the module needs at least 1048576 bytes (16 pages) of memory, the limit is 524288",
  },
  { pages: 1, limit: 0, message: "the module needs at least 65536 bytes (1 page) of memory, the limit is 0" },
])("a minimum of $pages pages over the limit", ({ pages, limit, message }) => {
  const cap = capMemory(buildModule({ memories: [{ minimum: pages }] }), limit);
  if (cap.kind === "capped") throw new Error("it fits");
  expect(explainMemory(cap, "/app")).toMatchObject({ code: "MEMORY_LIMIT", message });
});

test("what V8 says of a module that only looks like one", () => {
  const bytes = buildModule({
    types: [{ params: [], results: ["i32"] }],
    functions: [{ type: 0, body: [] }],
  });
  expect(explainProgram(inspect(bytes), { path: "/app" })?.message).toContain("no entry point");
  let caught: unknown;
  try {
    new WebAssembly.Module(bytes);
  } catch (error) {
    caught = error;
  }
  const error = explainCompileError(caught as Error, "/app");
  expect(error).toMatchObject({ code: "PROGRAM_INVALID", cause: caught });
  expect(error.message).toMatch(/^\/app isn't a valid WebAssembly module: Compiling function #0 failed/);
});
