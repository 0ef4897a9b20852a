import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { hostTree, type Tree } from "../fixtures/host-tree.ts";
import { clangArchive } from "../fixtures/programs/images.ts";
import { clang } from "../fixtures/programs/pinned.ts";
import { needBoth, type Program, runUnderBoth, type Seen } from "../fixtures/two-runtimes.ts";

/** A cold cache has to fetch 27 MB and compile 75 MB for wasmtime: 40 s on two cores. */
const FETCH_TIMEOUT_MS = 600_000;

/** What `clang -###` says it would do to link; it can't, for WASI has no processes. */
const LINK = [
  "wasm-ld",
  "-m",
  "wasm32",
  "-L/usr/lib/wasm32-unknown-wasip1",
  "-L/usr/lib/wasm32-wasip1",
  "/usr/lib/wasm32-wasip1/crt1-command.o",
];
const LIBRARIES = ["-lc", "/usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a"];

let own: Awaited<ReturnType<typeof engineForTest>>;
let image: string;

beforeAll(async () => {
  own = await engineForTest();
  const [loaded] = await own.engine.images.load(await clangArchive());
  image = loaded?.tags[0] ?? "";
}, FETCH_TIMEOUT_MS);
afterAll(() => own[Symbol.asyncDispose]());

async function toolchain(): Promise<Program> {
  const { module, usr } = await clang();
  return { image, module, inImage: { "/usr": usr } };
}

/** One run of the multi-call program, by its `argv[0]`. */
async function run(argv: string[], files: Tree): Promise<Seen> {
  return await runUnderBoth(own.engine, await toolchain(), { argv, files });
}

describe("one program is many, by its argv[0]", () => {
  const cases = [
    { argv: ["clang", "-dumpmachine"], stdout: "wasm32-unknown-wasip1" },
    { argv: ["wasm-ld", "--version"], stdout: "LLD 22" },
    { argv: ["llvm-ar", "--version"], stdout: "LLVM version 22" },
  ];
  test.for(cases)("$argv", { timeout: FETCH_TIMEOUT_MS }, async ({ argv, stdout }, { skip }) => {
    needBoth(skip);
    const seen = await run(argv, {});
    expect(seen).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(stdout) });
  });
});

test("compiles and links C to a program that runs", { timeout: FETCH_TIMEOUT_MS }, async ({ skip }) => {
  needBoth(skip);
  const compiled = await run(["clang", "-O2", "-Wall", "-c", "/data/main.c", "-o", "/data/main.o"], {
    "main.c": `
#include <math.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  char line[100];
  for (int index = 1; index < argc; index++) printf("%d %s\\n", index, argv[index]);
  while (fgets(line, sizeof line, stdin)) printf("%zu %.3f %s", strlen(line), sqrt(strlen(line)), line);
  FILE *file = fopen("/data/made", "w");
  fputs("made by a program that was made here\\n", file);
  return fclose(file) + argc;
}
`,
  });
  expect(compiled).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
  expect(Object.keys(compiled.files)).toEqual(["main.c", "main.o"]);

  const linked = await run(
    [...LINK, "/data/main.o", ...LIBRARIES, "-s", "-o", "/data/main.wasm"],
    compiled.files,
  );
  expect(linked).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });

  await using made = await hostTree({ "main.wasm": linked.files["main.wasm"] ?? "" });
  const module = join(made.path, "main.wasm");
  const seen = await runUnderBoth(
    own.engine,
    { image: module, module },
    { argv: ["/main.wasm", "eins", "zwei"], stdin: "one\nthree\n" },
  );
  expect(seen).toMatchObject({
    exitCode: 3,
    stdout: "1 eins\n2 zwei\n4 2.000 one\n6 2.449 three\n",
    files: { made: "made by a program that was made here\n" },
  });
});

test("compiles C++ with its standard library", { timeout: FETCH_TIMEOUT_MS }, async ({ skip }) => {
  needBoth(skip);
  const compiled = await run(
    ["clang++", "-std=c++20", "-fno-exceptions", "-c", "/data/map.cc", "-o", "/data/map.o"],
    {
      "map.cc": `
#include <iostream>
#include <map>
#include <string>
int main() {
  std::map<std::string, int> counts;
  for (std::string word; std::cin >> word;) counts[word]++;
  for (auto &[word, count] : counts) std::cout << word << ' ' << count << std::endl;
}
`,
    },
  );
  expect(compiled).toMatchObject({ exitCode: 0, stderr: "" });
  const libraries = ["-lc++", "-lc++abi", ...LIBRARIES];
  const linked = await run([...LINK, "/data/map.o", ...libraries, "-o", "/data/map.wasm"], compiled.files);
  expect(linked).toMatchObject({ exitCode: 0, stderr: "" });

  await using made = await hostTree({ "map.wasm": linked.files["map.wasm"] ?? "" });
  const module = join(made.path, "map.wasm");
  const seen = await runUnderBoth(
    own.engine,
    { image: module, module },
    { argv: ["/map.wasm"], stdin: "b a\nb c b" },
  );
  expect(seen).toMatchObject({ exitCode: 0, stdout: "a 1\nb 3\nc 1\n" });
});

test("tells what is wrong with a source, and leaves no object", { timeout: FETCH_TIMEOUT_MS }, async ({
  skip,
}) => {
  needBoth(skip);
  const seen = await run(["clang", "-c", "/data/bad.c", "-o", "/data/bad.o"], {
    "bad.c": '#include "missing.h"\nint main(void) { return x; }\n',
  });
  expect(seen).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("/data/bad.c:1:10: fatal error: 'missing.h' file not found"),
  });
  expect(Object.keys(seen.files)).toEqual(["bad.c"]);
});
