import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inspectModule } from "../../../../runtime/core/wasm/module-inspection.ts";
import {
  enterWorkingDirectory,
  type WorkingDirectory,
} from "../../../../runtime/core/wasm/working-directory.ts";
import { compileC } from "../../../fixtures/compile.ts";
import { hostTree, readTree } from "../../../fixtures/host-tree.ts";
import { buildModule, functionNames, modulePlan, producers } from "../../../fixtures/module-builder.ts";
import { goProgram } from "../../../fixtures/programs/go-program.ts";
import { clang, pythonModule } from "../../../fixtures/programs/pinned.ts";
import { rustCompiler, rustProgram } from "../../../fixtures/programs/rust-program.ts";
import { zigProgram } from "../../../fixtures/programs/zig-program.ts";
import { need } from "../../../fixtures/tools.ts";
import { runWasmtime } from "../../../fixtures/wasmtime.ts";
import { WebAssembly } from "../../../fixtures/web-assembly.ts";

const guest = fileURLToPath(new URL("../../../fixtures/guests/cwd.c", import.meta.url));
const sources = new URL("../../../fixtures/programs/sources/", import.meta.url);
const numRuns = process.env.WPOD_TEST_LONG === "1" ? 1000 : 100;
const DIRECTORY = "/work/größe";
const FILES = {
  name: "in the root\n",
  "etc/x": "in etc\n",
  "work/größe/name": "in the directory\n",
  "work/größe/only": "only in the directory\n",
};
const PATHS = ["name", "./only", "/name", "../größe/only", "/etc/x", "missing"];

function enter(bytes: Uint8Array, directory = DIRECTORY): WorkingDirectory {
  return enterWorkingDirectory(bytes, inspectModule(bytes), directory);
}

/** Runs a program that was made to start in DIRECTORY, under a runtime that knows nothing of it. */
async function run(module: string, argv: string[], files: Record<string, string> = FILES) {
  const entered = enter(await readFile(module));
  await using root = await hostTree(files);
  await using scratch = await hostTree();
  const changed = join(scratch.path, "program.wasm");
  await writeFile(changed, entered.bytes);
  const result = await runWasmtime({
    module: changed,
    argv,
    env: { PWD: DIRECTORY },
    directories: { "/": root.path },
  });
  return {
    support: entered.support,
    output: `${result.stdout}${result.stderr}${result.trap ?? ""}`,
    files: await readTree(root.path),
  };
}

const RIGHT = [
  "name: in the directory",
  "./only: only in the directory",
  "/name: in the root",
  "../größe/only: only in the directory",
  "/etc/x: in etc",
  "missing: No such file or directory",
];
const END = [
  `short Result not representable`,
  "exact fits",
  `allocated ${DIRECTORY}`,
  "memory holds",
  `still ${DIRECTORY}`,
  "renamed yes",
  "",
];

describe("C", { timeout: 120_000 }, () => {
  test.each([
    { name: "names kept", flags: [] },
    { name: "optimised as a whole", flags: ["-O3", "-flto"] },
    { name: "not optimised", flags: ["-O0"] },
  ])("never calls chdir, $name", async ({ flags }) => {
    const module = await compileC(guest, flags, { strip: false });
    const seen = await run(module, ["cwd", ...PATHS]);
    expect(seen).toMatchObject({
      support: "prefix",
      output: [`getcwd ${DIRECTORY}`, ...RIGHT, ...END].join("\n"),
    });
    expect(seen.files).toHaveProperty([`${DIRECTORY.slice(1)}/to`], "");
    expect(seen.files).not.toHaveProperty(["to"]);
  });

  test.each([
    { name: "names kept", strip: false },
    { name: "stripped", strip: true },
  ])("calls chdir, $name", async ({ strip }) => {
    const module = await compileC(guest, ["-DWITH_CHDIR"], { strip });
    const seen = await run(module, ["cwd", ...PATHS]);
    expect(seen).toMatchObject({
      support: "variable",
      output: [`getcwd ${DIRECTORY}`, ...RIGHT, ...END].join("\n"),
    });
    expect(seen.files).toHaveProperty([`${DIRECTORY.slice(1)}/to`], "");

    const changing = await run(module, ["cwd", "@..", "größe/only", "@/etc", "x", "@nowhere", "x"]);
    const expected = [
      `getcwd ${DIRECTORY}`,
      "chdir ..",
      "größe/only: only in the directory",
      "chdir /etc",
      "x: in etc",
      "chdir nowhere: No such file or directory",
      "x: in etc",
    ];
    expect(changing.output.split("\n").slice(0, expected.length)).toEqual(expected);
  });

  test("calls chdir and never getcwd, stripped", async () => {
    const seen = await run(fileURLToPath(new URL("../../../../samples/files/files.wasm", import.meta.url)), [
      "ls",
    ]);
    expect(seen).toMatchObject({ support: "variable", output: "name\nonly\n" });
  });

  test("stripped, without chdir: relative paths begin at the root, and it is known beforehand", async () => {
    const seen = await run(await compileC(guest), ["cwd", ...PATHS]);
    expect(seen.support).toBe("unreachable");
    expect(seen.output.split("\n").slice(0, 3)).toEqual([
      "getcwd /",
      "name: in the root",
      "./only: No such file or directory",
    ]);
  });

  test("a path that is as long as a path can be, and one byte more", async () => {
    const module = await compileC(guest, [], { strip: false });
    const longest = `${"./".repeat((4096 - 5) / 2)}only`;
    for (const path of [longest, `/${longest}`, `.${longest}`, "x".repeat(5000)]) {
      const seen = await run(module, ["cwd", path, "name"]);
      // Whatever becomes of it, nothing else is overwritten.
      expect(seen.output).toContain("name: in the directory\n");
      expect(seen.output).toContain("renamed yes\n");
    }
  });
});

describe("other languages", { timeout: 240_000 }, () => {
  const said = (output: string) => output.split("\n").filter((line) => line !== "");

  test("Go reads PWD", async ({ skip }) => {
    const module = await goProgram(need(skip, "go"), fileURLToPath(new URL("walk.go", sources)));
    const seen = await run(module, ["walk", "cwd", "name", "/name", "../größe/only"]);
    expect(seen.support).toBe("environment");
    expect(said(seen.output)).toEqual([
      `cwd ${DIRECTORY}: <nil>`,
      "name: in the directory",
      "/name: in the root",
      "../größe/only: only in the directory",
    ]);
  });

  test("Rust, stripped", async ({ skip }) => {
    const compiler = (await rustCompiler()) ?? skip("needs a Rust compiler with a standard library for WASI");
    const module = await rustProgram(compiler, fileURLToPath(new URL("files.rs", sources)));
    const seen = await run(module, ["files", "cwd", "name", "/name", "../größe/only"]);
    expect(seen.support).toBe("variable");
    expect(said(seen.output)).toEqual([
      `cwd: "${DIRECTORY}"`,
      'name: "in the directory\\n"',
      '/name: "in the root\\n"',
      '../größe/only: "only in the directory\\n"',
    ]);
  });

  test("C by Zig, stripped: not reachable", async ({ skip }) => {
    if (!existsSync("/usr/bin/python3")) need(skip, "python3");
    const module = await zigProgram(fileURLToPath(new URL("files.c", sources)));
    expect((await run(module, ["files", "cwd", "name"])).support).toBe("unreachable");
  });

  test("CPython runs a script, and imports, by relative paths", async () => {
    const script = `import os, sys, helper
print(__file__, os.getcwd(), helper.__name__, open("name").read(), end="")
os.chdir("/etc"); print(os.getcwd(), open("x").read(), end="")
os.chdir("../work"); print(os.listdir("größe") == os.listdir("/work/größe"))
`;
    const files = { ...FILES, "work/größe/main.py": script, "work/größe/helper.py": "" };
    const seen = await run(await pythonModule(), ["python", "main.py"], files);
    expect(seen.support).toBe("variable");
    expect(said(seen.output)).toEqual([
      `${DIRECTORY}/main.py ${DIRECTORY} helper in the directory`,
      "/etc in etc",
      "True",
    ]);
  });

  test("clang: 75 MB, and what comes out is valid", async () => {
    const bytes = await readFile((await clang()).module);
    const entered = enter(bytes);
    expect(entered.support).toBe("variable");
    expect(entered.bytes.length - bytes.length).toBeLessThan(500);
    expect(WebAssembly.validate(entered.bytes)).toBe(true);
  });
});

describe("what is left alone", () => {
  const pathOpen = {
    module: "wasi_snapshot_preview1",
    name: "path_open",
    kind: "function" as const,
    type: 0,
  };

  test("a program that looks up no paths", () => {
    const bytes = buildModule({});
    expect(enter(bytes)).toEqual({ support: "unused", bytes });
  });

  test("Go, by its producers section; another compiler isn't", () => {
    const by = (name: string) => {
      const content = producers({ "processed-by": { [name]: "1" } });
      return buildModule({
        types: [{ params: [], results: [] }],
        imports: [pathOpen],
        customs: [{ name: "producers", content }],
      });
    };
    expect(enter(by("Go cmd/compile")).support).toBe("environment");
    expect(enter(by("TinyGo")).support).toBe("unreachable");
  });

  test("names without what they name: an imported function, another type, an index outside", () => {
    for (const index of [0, 1, 2, 9, 2 ** 32 - 1]) {
      const content = functionNames(
        new Map([
          [index, "__wasilibc_find_relpath"],
          [index, "malloc"],
        ]),
      );
      const bytes = buildModule({
        types: [
          { params: [], results: [] },
          { params: ["i64"], results: ["i32"] },
        ],
        imports: [pathOpen],
        functions: [
          { type: 0, body: [] },
          { type: 1, body: [0x41, 0] },
        ],
        memories: [{ minimum: 1 }],
        customs: [{ name: "name", content }],
      });
      expect(enter(bytes)).toEqual({ support: "unreachable", bytes });
    }
  });
});

test("modules of every shape: valid before, valid after, whatever their names say", () => {
  const i32 = (count: number) => Array<"i32">(count).fill("i32");
  const shapes = [
    { params: i32(1), results: i32(1) },
    { params: i32(4), results: i32(1) },
    { params: i32(2), results: i32(1) },
  ];
  let changedCount = 0;
  fc.assert(
    fc.property(modulePlan, fc.string({ minLength: 1, maxLength: 300 }), (plan, text) => {
      const directory = `/${text.replaceAll(/[\0/]|[\ud800-\udfff]/g, "_")}`;
      const typeBase = plan.types!.length;
      const importedCount = plan.imports!.filter(({ kind }) => kind === "function").length;
      const first = importedCount + plan.functions!.length;
      const names = ["malloc", "__wasilibc_find_relpath", "getcwd"];
      const memory = { minimum: 1 };
      const bytes = buildModule({
        ...plan,
        types: [...plan.types!, ...shapes],
        imports: [
          ...plan.imports!.filter(({ kind }) => kind !== "memory"),
          { module: "wasi_snapshot_preview1", name: "path_open", kind: "function", type: 0 },
        ],
        functions: [
          ...plan.functions!,
          ...shapes.map((_, index) => ({
            type: typeBase + index,
            locals: ["i64" as const],
            body: [0x41, 0],
          })),
        ],
        memories: [memory],
        exports: [],
        elements: [],
        ...(plan.start === undefined ? {} : { start: plan.start + 1 }),
        customs: [
          ...plan.customs!.filter(({ name }) => name !== "name"),
          {
            name: "name",
            content: functionNames(new Map(names.map((name, index) => [first + 1 + index, name]))),
          },
        ],
      });
      expect(WebAssembly.validate(bytes)).toBe(true);
      const entered = enter(bytes, directory);
      expect(WebAssembly.validate(entered.bytes)).toBe(true);
      expect(entered.support).toBe("prefix");
      changedCount++;
      const before = inspectModule(bytes);
      const after = inspectModule(entered.bytes);
      expect(after).toMatchObject({
        problem: undefined,
        imports: before.imports,
        exports: before.exports,
        memories: before.memories,
      });
    }),
    { numRuns },
  );
  expect(changedCount).toBeGreaterThanOrEqual(numRuns);
});

test("damaged modules never throw", async () => {
  const whole = await readFile(await compileC(guest, ["-DWITH_CHDIR"], { strip: false }));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (changes) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        const entered = enter(bytes);
        if (WebAssembly.validate(bytes)) expect(WebAssembly.validate(entered.bytes)).toBe(true);
      },
    ),
    { numRuns },
  );
});
