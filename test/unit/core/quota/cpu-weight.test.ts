import { expect, test } from "vitest";
import { cpuWeight } from "../../../../runtime/core/quota/cpu-weight.ts";

// As runc and crun have it since 2025.
test.each([
  [0, 1],
  [2, 1],
  [3, 2],
  [256, 35],
  [512, 59],
  [1023, 100],
  [1024, 100],
  [1025, 101],
  [2048, 174],
  [262_143, 10_000],
  [262_144, 10_000],
  [300_000, 10_000],
])("%i shares are a weight of %i", (shares, weight) => {
  expect(cpuWeight(shares)).toBe(weight);
});
