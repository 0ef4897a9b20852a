import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { demandOf, divideCpus } from "../../../../runtime/core/quota/cpu-division.ts";

const ALL = Infinity;
const of = (...pairs: [shares: number, demandCpus: number][]) =>
  pairs.map(([shares, demandCpus]) => ({ shares, demandCpus }));

describe("a division of CPUs", () => {
  test.each([
    { name: "nobody", total: 2, demands: of(), parts: [] },
    { name: "one has all", total: 2, demands: of([1024, ALL]), parts: [2] },
    { name: "equals have equal parts", total: 1, demands: of([1024, ALL], [1024, ALL]), parts: [0.5, 0.5] },
    { name: "3:1", total: 1, demands: of([3072, ALL], [1024, ALL]), parts: [0.75, 0.25] },
    {
      name: "who wants less leaves the rest",
      total: 1,
      demands: of([3072, 0.15], [1024, ALL]),
      parts: [0.15, 0.85],
    },
    {
      name: "the rest is divided by shares, too",
      total: 2,
      demands: of([1024, 0.2], [2048, ALL], [1024, ALL]),
      parts: [0.2, 1.2, 0.6],
    },
    {
      name: "who wants less than what the rest makes of its part is content, too",
      total: 1,
      demands: of([1000, 0.1], [1000, 0.4], [1000, ALL]),
      parts: [0.1, 0.4, 0.5],
    },
    { name: "all are content", total: 4, demands: of([2, 0.5], [262_144, 1]), parts: [0.5, 1] },
    { name: "who wants nothing gets nothing", total: 1, demands: of([1024, 0], [1024, ALL]), parts: [0, 1] },
    { name: "there is nothing", total: 0, demands: of([1024, ALL], [1024, 0.5]), parts: [0, 0] },
  ])("$name", ({ total, demands, parts }) => {
    const got = divideCpus(total, demands);
    expect(got.length).toBe(parts.length);
    for (const [index, part] of parts.entries()) expect(got[index]).toBeCloseTo(part, 9);
  });

  const demand = fc.record({
    shares: fc.integer({ min: 2, max: 262_144 }),
    demandCpus: fc.oneof(fc.constant(ALL), fc.double({ min: 0, max: 4, noNaN: true })),
  });

  test("gives all that is wanted and there, to nobody more than it wants, and by shares to who isn't content", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 64, noNaN: true }),
        fc.array(demand, { maxLength: 20 }),
        (total, demands) => {
          const parts = divideCpus(total, demands);
          const sum = parts.reduce((all, part) => all + part, 0);
          const wanted = demands.reduce((all, { demandCpus }) => all + demandCpus, 0);
          expect(sum).toBeCloseTo(Math.min(total, wanted), 6);
          const rates = demands.flatMap(({ shares, demandCpus }, index) => {
            expect(parts[index]).toBeLessThanOrEqual(demandCpus);
            expect(parts[index]).toBeGreaterThanOrEqual(0);
            return parts[index]! < demandCpus ? [parts[index]! / shares] : [];
          });
          for (const rate of rates) expect(rate).toBeCloseTo(rates[0]!, 9);
          // Nobody who is content has more for a share than who isn't.
          for (const [index, { shares, demandCpus }] of demands.entries()) {
            if (rates.length === 0 || parts[index]! < demandCpus) continue;
            expect(parts[index]! / shares).toBeLessThanOrEqual(rates[0]! + 1e-9);
          }
        },
      ),
    );
  });
});

describe("what one wants", () => {
  test.each([
    { used: 0, part: 0.5, wants: 0.05 },
    { used: 0.01, part: 0.5, wants: 0.05 },
    { used: 0.2, part: 0.5, wants: 0.3 },
    { used: 0.449, part: 0.5, wants: 0.6735 },
    { used: 0.45, part: 0.5, wants: Infinity },
    { used: 0.5, part: 0.5, wants: Infinity },
    { used: 0, part: 0, wants: Infinity },
  ])("by $used of $part: $wants", ({ used, part, wants }) => {
    expect(demandOf(used, part)).toBeCloseTo(wants, 9);
  });

  test("one that wakes up comes to its part in a few looks, and the other has all until then", () => {
    const shares = [1024, 1024];
    let parts = [1, 0];
    // The second has done nothing; from now on both would use all.
    let demands = [ALL, demandOf(0, 0.05)];
    const seen: number[] = [];
    for (let look = 0; look < 4; look++) {
      parts = divideCpus(
        1,
        shares.map((each, index) => ({ shares: each, demandCpus: demands[index]! })),
      );
      seen.push(parts[1]!);
      demands = parts.map((part) => demandOf(part, part));
    }
    expect(seen[0]).toBeCloseTo(0.05, 9);
    expect(seen[1]).toBeCloseTo(0.5, 9);
    expect(seen[3]).toBeCloseTo(0.5, 9);
  });
});
