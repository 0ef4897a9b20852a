/** spec/audit.json: bugs that others had, and the input that a person gets wrong, each with the test that shows it. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Row {
  area: string;
  bug: string;
  /** Files of this repository, and names of tests or cases in them, as they stand there. */
  tests: { file: string; name: string }[];
  /** Why there is none. */
  missing?: string;
}

const repository = new URL("../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, repository), "utf8");
const rows: Row[] = JSON.parse(read("spec/audit.json"));

test.each(rows)("$area: $bug", ({ tests, missing }) => {
  if (tests.length === 0) expect(missing).toMatch(/./);
  else expect(missing).toBeUndefined();
  for (const { file, name } of tests) expect(read(file), file).toContain(JSON.stringify(name));
});

test("each bug stands there once", () => {
  const bugs = rows.map(({ area, bug }) => `${area}: ${bug}`);
  expect(new Set(bugs).size).toBe(bugs.length);
});
