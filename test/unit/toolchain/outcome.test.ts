import { expect, test } from "vitest";
import { closingLine, judgeRun, type TestOutcome } from "../../toolchain/outcome.ts";

const passed: TestOutcome = { id: "a.test.ts > adds", state: "passed", note: undefined };
const failed: TestOutcome = { id: "a.test.ts > divides", state: "failed", note: undefined };
const skipped: TestOutcome = {
  id: "b.test.ts > compiles > C (x.c)",
  state: "skipped",
  note: "needs cc on PATH",
};
const silent: TestOutcome = { id: "b.test.ts > later", state: "skipped", note: undefined };

const list = (id: string) => [{ id, reason: "no such machine" }];

const cases = [
  { name: "all pass", outcomes: [passed, passed], line: "2 passed, 0 failed", exitCode: 0 },
  { name: "one fails", outcomes: [passed, failed], line: "1 passed, 1 failed", exitCode: 1 },
  {
    name: "nothing was run",
    outcomes: [],
    line: "0 passed, 0 failed",
    exitCode: 1,
    remark: "no test was run",
  },
  { name: "everything was skipped", outcomes: [skipped], line: "0 passed, 0 failed, 1 skipped", exitCode: 1 },
  {
    name: "a file that can't be loaded is a failure",
    outcomes: [passed],
    broken: ["c.test.ts"],
    line: "1 passed, 1 failed",
    exitCode: 1,
    remark: "broken: c.test.ts",
  },
  {
    name: "a skip says why, and is fine where any may be",
    outcomes: [passed, skipped],
    line: "1 passed, 0 failed, 1 skipped",
    exitCode: 0,
    remark: "skipped: b.test.ts > compiles > C (x.c): needs cc on PATH",
  },
  {
    name: "a skip fails where none may be",
    outcomes: [passed, skipped],
    allowed: [],
    line: "1 passed, 0 failed, 1 skipped",
    exitCode: 1,
    remark: "skipped, and spec/skips.json doesn't list it: b.test.ts > compiles > C (x.c): needs cc on PATH",
  },
  { name: "unless it is listed", outcomes: [passed, skipped], allowed: list(skipped.id), exitCode: 0 },
  {
    name: "by a pattern",
    outcomes: [passed, skipped],
    allowed: list("b.test.ts > * > C (x.c)"),
    exitCode: 0,
  },
  {
    name: "a part of its id isn't enough",
    outcomes: [passed, skipped],
    allowed: list("b.test.ts"),
    exitCode: 1,
  },
  {
    name: "what is listed is text",
    outcomes: [passed, skipped],
    allowed: list("b.test.ts > compiles > C .x.c."),
    exitCode: 1,
  },
  {
    name: "the list gives the reason to a test that has none",
    outcomes: [passed, silent],
    allowed: list(silent.id),
    exitCode: 0,
    remark: "skipped: b.test.ts > later: no such machine",
  },
];

test.each(cases)("$name", ({ outcomes, broken = [], allowed, line, exitCode, remark }) => {
  const verdict = judgeRun(outcomes, broken, allowed);
  expect(verdict.exitCode).toBe(exitCode);
  if (line !== undefined) expect(closingLine(verdict)).toBe(line);
  if (remark !== undefined) expect(verdict.remarks).toContain(remark);
});
