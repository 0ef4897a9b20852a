import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { zigProgram } from "../fixtures/programs/zig-program.ts";
import { needBoth, type ProgramRun, runUnderBoth, type Seen } from "../fixtures/two-runtimes.ts";

/** A cold cache has to fetch 101 MB and build a libc. */
const FETCH_TIMEOUT_MS = 600_000;
const SOURCE = fileURLToPath(new URL("../fixtures/programs/sources/files.c", import.meta.url));

let own: Awaited<ReturnType<typeof engineForTest>>;

beforeAll(async () => {
  own = await engineForTest();
});
afterAll(() => own[Symbol.asyncDispose]());

interface Case extends Omit<ProgramRun, "argv"> {
  args: string[];
  seen: { [What in keyof Seen]?: unknown };
}

const CASES: Case[] = [
  {
    args: ["tree", "/data"],
    files: { "there/already": "x", "there/deeper/": "" },
    seen: {
      exitCode: 0,
      stdout: expect.stringContaining("mtime 1234567890.123456789\n"),
      files: expect.objectContaining({
        "moved/log": "one\ntw",
        "moved/hard": "one\ntw",
        "moved/link": "-> log",
      }),
    },
  },
  { args: ["count"], stdin: "", seen: { exitCode: 0, stdout: "0 bytes, 0 lines, 00000000\n" } },
  {
    args: ["count"],
    stdin: Buffer.alloc(5_000_003, "line of input\n\0\xff"),
    seen: { exitCode: 0, stdout: expect.stringMatching(/^5000003 bytes/) },
  },
  { args: ["exit", "0"], seen: { exitCode: 0, stdout: "", stderr: "" } },
  { args: ["exit", "125"], seen: { exitCode: 125 } },
  { args: ["abort"], seen: { exitCode: 134, stdout: "" } },
  { args: [], seen: { exitCode: 64, stderr: expect.stringContaining("what to do?") } },
];

describe("a C program built by ziglang does the same as under wasmtime", () => {
  test.for(CASES)("$args", { timeout: FETCH_TIMEOUT_MS }, async ({ args, seen, ...run }, { skip }) => {
    needBoth(skip);
    const module = await zigProgram(SOURCE);
    const program = { image: module, module };
    expect(
      await runUnderBoth(own.engine, program, { ...run, argv: ["/program.wasm", ...args] }),
    ).toMatchObject(seen);
  });
});
