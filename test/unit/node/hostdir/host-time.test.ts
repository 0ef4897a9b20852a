import { closeSync, fstatSync, futimesSync, openSync } from "node:fs";
import { join } from "node:path";
import { bigInt, assert as check, property } from "fast-check";
import { expect, test } from "vitest";
import { hostSeconds } from "../../../../runtime/node/hostdir/host-time.ts";
import { hostTree } from "../../../fixtures/host-tree.ts";

const S = 1_000_000_000n;

test.each([
  { name: "the beginning", ns: 0n },
  { name: "one nanosecond", ns: 1n },
  { name: "whole seconds", ns: 1_700_000_000n * S },
  { name: "milliseconds", ns: 981_173_106n * S + 789_000_000n },
  { name: "microseconds", ns: 1_700_000_000n * S + 123_456_000n },
  { name: "nanoseconds", ns: 1_234_567_890n * S + 123_456_789n },
  { name: "just before the beginning", ns: -1n },
  { name: "half a second before it", ns: -S / 2n },
  { name: "long before it", ns: -1_000_000_000n * S + 1n },
])("a file gets $name", async ({ ns }) => {
  await using tree = await hostTree({ file: "" });
  const fd = openSync(join(tree.path, "file"), "r+");
  futimesSync(fd, hostSeconds(ns), hostSeconds(ns));
  const { atimeNs, mtimeNs } = fstatSync(fd, { bigint: true });
  closeSync(fd);
  expect(mtimeNs).toBe(atimeNs);
  expectClose(mtimeNs, ns);
});

test("no time becomes earlier, or later by a microsecond, and what was set stays when it is set again", async () => {
  await using tree = await hostTree({ file: "" });
  const fd = openSync(join(tree.path, "file"), "r+");
  const set = (ns: bigint): bigint => {
    futimesSync(fd, 0, hostSeconds(ns));
    return fstatSync(fd, { bigint: true }).mtimeNs;
  };
  const runs = process.env.WPOD_TEST_LONG === "1" ? 20_000 : 500;
  check(
    property(bigInt(-2_000_000_000n * S, 4_000_000_000n * S), (ns) => {
      const found = set(ns);
      expectClose(found, ns);
      expect(set(found)).toBe(found);
    }),
    { numRuns: runs },
  );
  closeSync(fd);
});

function expectClose(found: bigint, ns: bigint): void {
  expect(found).toBeGreaterThanOrEqual(ns);
  expect(found - ns).toBeLessThan(1000n);
}
