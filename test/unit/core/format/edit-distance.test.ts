import * as fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, nearest } from "../../../../runtime/core/format/edit-distance.ts";

test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["kitten", "sitting", 3],
  ["memory", "memroy", 2],
  ["cpus", "cpu", 1],
  ["abc", "abc", 0],
])("from %j to %j: %i", (left, right, distance) => {
  expect(editDistance(left, right)).toBe(distance);
});

test("it is a distance: none to itself, the same both ways, and no way round is shorter", () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom("a", "b", "c") });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(editDistance(a, a)).toBe(0);
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
      if (a !== b) expect(editDistance(a, b)).toBeGreaterThan(0);
    }),
  );
});

test.each([
  { typed: "memroy", found: "memory" },
  { typed: "CPU", found: "cpus" },
  { typed: "zzzz", found: "cpus" },
])("nearest to $typed is $found", ({ typed, found }) => {
  expect(nearest(typed, ["cpus", "memory", "storage"])).toBe(found);
});

test("nothing is nearest where there is nothing", () => {
  expect(nearest("x", [])).toBeUndefined();
});
