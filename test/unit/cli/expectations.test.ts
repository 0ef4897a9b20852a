import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Row {
  row: number;
  case: string;
  test?: string;
  contains?: string;
  later?: string;
}

const ROWS: Row[] = JSON.parse(
  readFileSync(new URL("../../../spec/cli/expectations.json", import.meta.url), "utf8"),
).rows;

test("each row is shown by a test, or says why it comes later", () => {
  for (const { row, test: file, contains, later } of ROWS) {
    expect((file === undefined) !== (later === undefined), `row ${row}`).toBe(true);
    expect(file === undefined || contains !== undefined, `row ${row}`).toBe(true);
  }
  const numbers = ROWS.map(({ row }) => row);
  expect(numbers).toEqual([...new Set(numbers)].sort((left, right) => left - right));
});

test.each(ROWS.filter((row) => row.test !== undefined))(
  "row $row is in $test: $contains",
  ({ test: file, contains }) => {
    expect(readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8")).toContain(contains);
  },
);
