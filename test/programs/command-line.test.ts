/** The programs through the built command line, as a user types it. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ChildResult, runChild } from "../fixtures/child.ts";
import { hostTree, readTree } from "../fixtures/host-tree.ts";
import { clangArchive, esbuildImage, pythonImage } from "../fixtures/programs/images.ts";
import { attrsPackage, preactPackage } from "../fixtures/programs/pinned.ts";
import { zigProgram } from "../fixtures/programs/zig-program.ts";
import { need } from "../fixtures/tools.ts";

const TIMEOUT_MS = 300_000;
const WPOD = fileURLToPath(new URL("../../dist/bin/wpod.js", import.meta.url));

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "wpod-root-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function wpod(args: readonly string[], stdin?: string): Promise<ChildResult> {
  const input = stdin === undefined ? {} : { stdin };
  return await runChild(process.execPath, [WPOD, ...args], { env: { WPOD_ROOT: root }, ...input });
}

/** What it printed and how it ended, for a comparison in one look. */
function seen({ exitCode, stdout, stderr }: ChildResult): {
  exitCode: number | null;
  stdout: string;
  stderr: string;
} {
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

test("CPython: a script on stdin, a package in a volume, its exit code", { timeout: TIMEOUT_MS }, async ({
  skip,
}) => {
  need(skip, "npm");
  const image = await pythonImage();
  const code = `
import os, sys
from attrs import define
@define
class Greeting:
    text: str
print(Greeting(os.environ["WHO"]), sys.argv)
print("to stderr", file=sys.stderr)
sys.exit(3)
`;
  const volume = `${await attrsPackage()}:/packages:ro`;
  const flags = ["--rm", "-i", "-v", volume, "-e", "PYTHONPATH=/packages", "-e", "WHO=Zoë"];
  expect(seen(await wpod(["run", ...flags, image, "python", "-", "a b"], code))).toEqual({
    exitCode: 3,
    stdout: "Greeting(text='Zoë') ['-', 'a b']\n",
    stderr: "to stderr\n",
  });
  // Without -i the program finds the end of its input.
  const nothing = ["run", "--rm", image, "python", "-c", "import sys; print(repr(sys.stdin.read()))"];
  expect(seen(await wpod(nothing, "unseen"))).toEqual({ exitCode: 0, stdout: "''\n", stderr: "" });
});

test("esbuild: bundles a package from one volume into another", { timeout: TIMEOUT_MS }, async ({ skip }) => {
  need(skip, "npm");
  await using work = await hostTree({
    "app.js": 'import { h, Fragment } from "preact"; console.log(h(Fragment, { id: "ä" }).props.id);',
    "node_modules/preact/": "",
    "out/": "",
  });
  const image = await esbuildImage();
  const volumes = ["-v", `${work.path}:/work`, "-v", `${await preactPackage()}:/work/node_modules/preact:ro`];
  const args = ["app.js", "--bundle", "--minify", "--outfile=out/app.mjs", "--log-level=warning"];
  expect(seen(await wpod(["run", "--rm", ...volumes, image, ...args]))).toEqual({
    exitCode: 0,
    stdout: "",
    stderr: "",
  });
  const printed = await runChild(process.execPath, [join(work.path, "out", "app.mjs")]);
  expect(printed.stdout.toString()).toBe("ä\n");

  const refused = seen(await wpod(["run", "--rm", ...volumes, image, "missing.js", "--bundle"]));
  expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
  expect(refused.stderr).toContain('Could not resolve "missing.js"');
});

test("clang: load, compile, link, run what came out", { timeout: TIMEOUT_MS }, async ({ skip }) => {
  need(skip, "npm");
  expect(seen(await wpod(["load", "-i", await clangArchive()]))).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Loaded image: .*clang:22\n$/),
  });
  await using source = await hostTree({
    "main.c": '#include <stdio.h>\nint main(int c, char **v) { printf("%s\\n", v[1]); return c; }\n',
  });
  const run = ["run", "--rm", "-v", `${source.path}:/src`, "clang:22"];
  const compile = ["clang", "-c", "-O2", "/src/main.c", "-o", "/src/main.o"];
  expect(seen(await wpod([...run, ...compile]))).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  const library = "/usr/lib/wasm32-wasip1";
  const builtins = "/usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a";
  const link = [
    "wasm-ld",
    `-L${library}`,
    `${library}/crt1-command.o`,
    "/src/main.o",
    "-lc",
    builtins,
    "-o",
    "/src/main.wasm",
  ];
  expect(seen(await wpod([...run, ...link]))).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  const main = join(source.path, "main.wasm");
  expect(seen(await wpod(["run", "--rm", main, "grüß dich"]))).toEqual({
    exitCode: 2,
    stdout: "grüß dich\n",
    stderr: "",
  });

  // The same in an image of its own.
  expect(seen(await wpod(["import", main, "greeter:1"]))).toMatchObject({ exitCode: 0 });
  expect(seen(await wpod(["run", "--rm", "greeter:1", "again"]))).toEqual({
    exitCode: 2,
    stdout: "again\n",
    stderr: "",
  });
  expect(Object.keys(await readTree(source.path))).toEqual(["main.c", "main.o", "main.wasm"]);
  expect((await readFile(main)).subarray(0, 4)).toEqual(Buffer.from("\0asm"));
});

test("C: a program that aborts, told in one line", { timeout: TIMEOUT_MS }, async ({ skip }) => {
  need(skip, "npm");
  const source = fileURLToPath(new URL("../fixtures/programs/sources/files.c", import.meta.url));
  expect(seen(await wpod(["run", "--rm", await zigProgram(source), "abort"]))).toEqual({
    exitCode: 134,
    stdout: "",
    stderr: "wpod: the program trapped: unreachable\n",
  });
});
