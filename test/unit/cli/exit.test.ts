import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EXIT_BY_CODE, exitStatus } from "../../../runtime/cli/exit.ts";
import type { ErrorCode } from "../../../runtime/core/error.ts";

interface SpecEntry {
  exitStatus: number;
  verbs?: Record<string, number>;
}

const SPEC: Record<string, SpecEntry> = JSON.parse(
  readFileSync(new URL("../../../spec/errors.json", import.meta.url), "utf8"),
).codes;

test("spec/errors.json lists the same codes", () => {
  expect(Object.keys(EXIT_BY_CODE).sort()).toEqual(Object.keys(SPEC).sort());
});

test.each(Object.entries(SPEC))("%s ends with the status of spec/errors.json", (code, entry) => {
  expect(exitStatus(code as ErrorCode, "run")).toBe(entry.exitStatus);
  for (const verb of ["rm", "rmi"]) {
    expect(exitStatus(code as ErrorCode, verb), verb).toBe(entry.verbs?.[verb] ?? entry.exitStatus);
  }
});
