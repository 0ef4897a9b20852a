import { expect, test } from "vitest";
import type { BenchCase } from "../../bench/bench-case.ts";
import { judgeTarget, measureCase } from "../../bench/measure.ts";
import { ratios, summarise } from "../../bench/statistics.ts";

const summaries = [
  { name: "one value", values: [7], median: 7, p10: 7, p90: 7 },
  { name: "an odd count, not in order", values: [9, 1, 5], median: 5, p10: 1.8, p90: 8.2 },
  { name: "an even count", values: [1, 2, 3, 4], median: 2.5, p10: 1.3, p90: 3.7 },
  { name: "numbers, not text", values: [10, 9, 100], median: 10, p10: 9.2, p90: 82 },
];
test.each(summaries)("summary of $name", ({ values, median, p10, p90 }) => {
  const summary = summarise(values);
  expect(summary.median).toBeCloseTo(median);
  expect(summary.p10).toBeCloseTo(p10);
  expect(summary.p90).toBeCloseTo(p90);
});

test("a slow minute that hits both sides is in no ratio", () => {
  // The machine got ten times slower after the second round; the subject always took twice as long.
  expect(ratios([2, 2, 20, 20, 20], [1, 1, 10, 10, 10])).toMatchObject({ median: 2, p10: 2, p90: 2 });
});

const side = (name: string, values: number[], log: string[]) => ({
  name,
  measure: () => {
    log.push(name);
    return values.shift() ?? Number.NaN;
  },
});

test("both sides take turns, each first as often, and the first round isn't counted", async () => {
  const log: string[] = [];
  const bench: BenchCase = {
    name: "n",
    unit: "ms",
    subject: side("a", [1000, 4, 6, 5], log),
    baseline: side("b", [1000, 2, 2, 2], log),
    ratioMax: 2.5,
  };
  const measured = await measureCase(bench, 3);
  expect(log.join("")).toBe("ba" + "ab" + "ba" + "ab");
  expect(measured.subject.median).toBe(5);
  expect(measured.ratio?.median).toBe(2.5);
  expect(measured).toMatchObject({ target: "<= 2.5 x b", reached: true });
});

const base: BenchCase = { name: "n", unit: "MB/s", subject: side("a", [], []), baseline: side("b", [], []) };
const targets = [
  { name: "nothing asked", value: 1, ratio: 9, target: undefined, reached: undefined },
  { name: "ratio at its bound", ratioMax: 2.2, value: 1, ratio: 2.2, target: "<= 2.2 x b", reached: true },
  { name: "ratio above it", ratioMax: 2.2, value: 1, ratio: 2.21, target: "<= 2.2 x b", reached: false },
  { name: "ratio at its lower bound", ratioMin: 2, value: 1, ratio: 2, target: ">= 2 x b", reached: true },
  { name: "ratio below it", ratioMin: 2, value: 1, ratio: 1.99, target: ">= 2 x b", reached: false },
  {
    name: "value above its bound",
    valueMax: 150,
    value: 151,
    ratio: 1,
    target: "<= 150 MB/s",
    reached: false,
  },
  {
    name: "both have to hold",
    ratioMax: 2,
    valueMax: 150,
    value: 9,
    ratio: 3,
    target: "<= 2 x b, <= 150 MB/s",
    reached: false,
  },
];
test.each(targets)("target: $name", ({ name: _, value, ratio, target, reached, ...bounds }) => {
  expect(judgeTarget({ ...base, ...bounds }, value, ratio)).toEqual({ target, reached });
});
