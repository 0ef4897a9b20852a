import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { rustCompiler, rustProgram } from "../fixtures/programs/rust-program.ts";
import { needBoth, type ProgramCase, runUnderBoth } from "../fixtures/two-runtimes.ts";

const FETCH_TIMEOUT_MS = 300_000;
const SOURCE = fileURLToPath(new URL("../fixtures/programs/sources/files.rs", import.meta.url));

const own = engineForFile();

const CASES: ProgramCase[] = [
  {
    args: ["tree", "/data"],
    seen: {
      exitCode: 0,
      stdout: expect.stringContaining("remove_dir_all: ()\na/\n  log 8\n  random 10\n  renamed 8000\n"),
      files: expect.objectContaining({
        "a/random": "\0\x01\x02\x03\x04\x05\x06\x07\b\t",
        "a/log": "one\ntwo\n",
      }),
    },
  },
  {
    args: ["lines"],
    stdin: "grüße\n\nlängste Zeile\r\nzuletzt",
    seen: { exitCode: 0, stdout: "4 lines, the longest of 13 characters\n" },
  },
  {
    args: ["lines"],
    stdin: Buffer.from([0x61, 0xff, 0x0a]),
    seen: { exitCode: 1, stderr: expect.stringContaining("stream did not contain valid UTF-8") },
  },
  {
    args: ["env", "GREETING", "UNSET"],
    env: { GREETING: "grüß dich" },
    seen: { exitCode: 0, stdout: 'GREETING=Ok("grüß dich")\nUNSET=Err(NotPresent)\n' },
  },
  { args: ["time"], seen: { exitCode: 0, stdout: "slept: true\nafter 2024: true\nthread: true\n" } },
  { args: ["exit", "7"], seen: { exitCode: 7, stdout: "", stderr: "" } },
  {
    args: ["panic"],
    seen: {
      exitCode: 134,
      stdout: "",
      stderr: expect.stringContaining("thread 'main' panicked at 'as asked'"),
    },
  },
  { args: [], seen: { exitCode: 64, stderr: "what to do?\n" } },
];

describe("a Rust program does the same as under wasmtime", () => {
  test.for(CASES)("$args", { timeout: FETCH_TIMEOUT_MS }, async ({ args, seen, ...run }, { skip }) => {
    needBoth(skip);
    const compiler = await rustCompiler();
    if (compiler === undefined) return skip("needs rustc with a standard library for wasm32-wasi");
    const module = await rustProgram(compiler, SOURCE);
    const program = { image: module, module };
    expect(
      await runUnderBoth(own.engine, program, { ...run, argv: ["/program.wasm", ...args] }),
    ).toMatchObject(seen);
  });
});
