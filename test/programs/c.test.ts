import { lstatSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { hostTree, textOrBytes } from "../fixtures/host-tree.ts";
import { zigProgram } from "../fixtures/programs/zig-program.ts";
import { needBoth, type ProgramCase, runUnderBoth } from "../fixtures/two-runtimes.ts";

/** A cold cache has to fetch 101 MB and build a libc. */
const FETCH_TIMEOUT_MS = 600_000;
const SOURCE = fileURLToPath(new URL("../fixtures/programs/sources/files.c", import.meta.url));

const own = engineForFile();

const CASES: ProgramCase[] = [
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

describe("the time that a guest gives to a file of a volume reaches the host", () => {
  const cases = [
    { seconds: "981173106", nanoseconds: "789000000" },
    { seconds: "1234567890", nanoseconds: "123456789" },
    { seconds: "0", nanoseconds: "0" },
  ];
  test.for(cases)(
    "$seconds s and $nanoseconds ns",
    { timeout: FETCH_TIMEOUT_MS },
    async ({ seconds, nanoseconds }, { skip }) => {
      needBoth(skip);
      await using volume = await hostTree({ file: "x" });
      const { stdout, exitCode } = await own.engine.run(await zigProgram(SOURCE), {
        args: ["touch", "/v/file", seconds, nanoseconds],
        mounts: [{ type: "bind", source: volume.path, target: "/v" }],
        stdout: "collect",
      });
      expect(textOrBytes(stdout)).toBe(`utimensat: 0\nstat: 0\n${seconds}.${nanoseconds.padStart(9, "0")}\n`);
      expect(exitCode).toBe(0);
      const wantedNs = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
      const { mtimeNs } = lstatSync(join(volume.path, "file"), { bigint: true });
      // Node sets a double of seconds: 238 ns fine today, and never earlier than asked for.
      expect(mtimeNs).toBeGreaterThanOrEqual(wantedNs);
      expect(mtimeNs - wantedNs).toBeLessThan(1000n);
    },
  );
});
