import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BuddySpace, orderOf, type Place, placeBytes } from "../../../../runtime/core/vfs/buddy-space.ts";

const BLOCK_BYTES = 256 * 1024;

test.each([
  { sizeBytes: 1, bytes: 512 },
  { sizeBytes: 512, bytes: 512 },
  { sizeBytes: 513, bytes: 1024 },
  { sizeBytes: 1024, bytes: 1024 },
  { sizeBytes: 1025, bytes: 2048 },
  { sizeBytes: BLOCK_BYTES / 2 + 1, bytes: BLOCK_BYTES },
  { sizeBytes: BLOCK_BYTES, bytes: BLOCK_BYTES },
])("$sizeBytes bytes go into a place of $bytes", ({ sizeBytes, bytes }) => {
  expect(placeBytes(orderOf(sizeBytes))).toBe(bytes);
});

test("what doesn't fit into the largest place is a defect", () => {
  expect(() => orderOf(BLOCK_BYTES + 1)).toThrow("a chunk fits");
});

describe("places", () => {
  test("that are taken one after the other are neighbours, and the file grows by no more than they need", () => {
    const space = new BuddySpace();
    const offsets = Array.from({ length: 512 }, () => space.take(0).offsetBytes);
    expect(offsets).toEqual(Array.from({ length: 512 }, (_, index) => index * 512));
    expect(space.endBytes).toBe(BLOCK_BYTES);
    expect(space.take(0).offsetBytes).toBe(BLOCK_BYTES);
  });

  test("never lie over each other, are aligned, and are there again when they are given back, also to who comes after", () => {
    const step = fc.record({ gives: fc.boolean(), order: fc.nat(9), which: fc.nat(), isMoved: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let space = new BuddySpace();
        const taken: Place[] = [];
        for (const { gives, order, which, isMoved } of steps) {
          if (isMoved === 0) {
            const { endBytes } = space;
            space = new BuddySpace(taken);
            expect(space.endBytes).toBeLessThanOrEqual(endBytes);
          }
          if (gives && taken.length > 0) {
            space.give(taken.splice(which % taken.length, 1)[0]!);
            continue;
          }
          const place = space.take(order);
          expect(place.order).toBe(order);
          expect(place.offsetBytes % placeBytes(order)).toBe(0);
          expect(place.offsetBytes + placeBytes(order)).toBeLessThanOrEqual(space.endBytes);
          for (const other of taken) {
            const isBefore = other.offsetBytes + placeBytes(other.order) <= place.offsetBytes;
            expect(isBefore || place.offsetBytes + placeBytes(order) <= other.offsetBytes).toBe(true);
          }
          taken.push(place);
        }
        for (const place of taken) space.give(place);
        // All is joined again: whole blocks fit, and the file doesn't grow for them.
        const { endBytes } = space;
        for (let block = 0; block < endBytes / BLOCK_BYTES; block++) space.take(9);
        expect(space.endBytes).toBe(endBytes);
      }),
    );
  });
});
