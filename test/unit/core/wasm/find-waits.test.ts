import { expect, test } from "vitest";
import { findWaits } from "../../../../runtime/core/wasm/find-waits.ts";
import { OWN_LOOPS, WAITING_THREADS } from "../../../fixtures/endless-loops.ts";

test("waits are found where they stand", () => {
  const { bytes } = WAITING_THREADS;
  const offsets = findWaits(bytes);
  expect(offsets.map((offset) => [...bytes.subarray(offset, offset + 2)])).toEqual([[0xfe, 0x01]]);
});

test("a module without them, or without sense, has none", () => {
  for (const { bytes } of OWN_LOOPS) expect(findWaits(bytes)).toEqual([]);
  expect(findWaits(WAITING_THREADS.bytes.subarray(0, -3))).toEqual([]);
  expect(findWaits(new Uint8Array())).toEqual([]);
});
