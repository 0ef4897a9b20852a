import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { caseOf, judge, readSuite } from "../../conformance/suite.ts";

const CORE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const COMPONENT = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);

test("programs are found in any folder, components left out, each with its specification", () => {
  const checkout = mkdtempSync(join(tmpdir(), "wpod-suite-"));
  try {
    mkdirSync(join(checkout, "c/one"), { recursive: true });
    writeFileSync(join(checkout, "c/one/b.wasm"), CORE);
    writeFileSync(join(checkout, "c/one/b.json"), '{"root": "data.dir", "exit_code": 3}');
    writeFileSync(join(checkout, "a.wasm"), CORE);
    writeFileSync(join(checkout, "p3.wasm"), COMPONENT);
    const { cases, componentCount } = readSuite(checkout);
    expect(componentCount).toBe(1);
    expect(cases.map(({ name, root, exitCode }) => ({ name, root, exitCode }))).toEqual([
      { name: "a", root: undefined, exitCode: 0 },
      { name: "c/one/b", root: join(checkout, "c/one/data.dir"), exitCode: 3 },
    ]);
  } finally {
    rmSync(checkout, { recursive: true });
  }
});

describe("a specification", () => {
  test("of nothing", () => {
    expect(caseOf("x", "/s/x.wasm", {} as never)).toMatchObject({
      args: [],
      env: {},
      exitCode: 0,
      root: undefined,
    });
  });

  test("as a list of operations is the same as the older form", () => {
    const operations = [
      { type: "run", args: ["a"], env: { A: "1" }, root: "d" },
      { type: "read", id: "stderr", payload: "oh" },
      { type: "wait", exit_code: 2 },
    ];
    const older = { type: "run", args: ["a"], env: { A: "1" }, root: "d", stderr: "oh", exit_code: 2 };
    expect(caseOf("x", "/s/x.wasm", { type: "", operations })).toEqual(caseOf("x", "/s/x.wasm", older));
  });

  test("with a network is refused", () => {
    expect(() => caseOf("x", "/s/x.wasm", { type: "", operations: [{ type: "connect" }] })).toThrow(
      "connect",
    );
  });
});

describe("the verdict", () => {
  const expected = caseOf("x", "/s/x.wasm", { type: "run", exit_code: 3, stdout: "out\n" });
  test.each([
    { ending: { exitCode: 3, stdout: "out\n", stderr: "whatever" }, complaint: undefined },
    { ending: { exitCode: 0, stdout: "out\n", stderr: "why" }, complaint: "exit 0, not 3: why" },
    { ending: { exitCode: null, stdout: "out\n", stderr: "" }, complaint: "exit by a signal, not 3" },
    { ending: { exitCode: 3, stdout: "out", stderr: "" }, complaint: 'stdout is "out", not "out\\n"' },
  ])("on $ending", ({ ending, complaint }) => {
    expect(judge(expected, ending)).toBe(complaint);
  });
});
