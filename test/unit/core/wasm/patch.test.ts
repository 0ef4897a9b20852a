import fc from "fast-check";
import { expect, test } from "vitest";
import { applyPatch, compose, insertions, type Piece } from "../../../../runtime/core/wasm/patch.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
/** Changes here and there: where, how much is taken away, and what is put there. */
const changes = fc.array(fc.tuple(fc.nat(300), fc.nat(20), fc.uint8Array({ maxLength: 80 })), {
  maxLength: 6,
});

function changed(from: Uint8Array, steps: readonly [number, number, Uint8Array][]): Uint8Array {
  let now = [...from];
  for (const [at, taken, added] of steps) now = [...now.slice(0, at), ...added, ...now.slice(at + taken)];
  return Uint8Array.from(now);
}

test("what was put into bytes makes of them what it made before, whatever that was", () => {
  fc.assert(
    fc.property(bytes, changes, (from, steps) => {
      const to = changed(from, steps);
      expect(applyPatch(from, { pieces: insertions(from, to) })).toEqual(to);
    }),
  );
});

test("a little that was put into much is all that is new", () => {
  const from = Uint8Array.from({ length: 10_000 }, (_, index) => (index * 7919) % 251);
  const to = changed(from, [
    [9000, 1, Uint8Array.of(1, 2, 3)],
    [5000, 0, Uint8Array.of(9, 9)],
    [10, 2, Uint8Array.of(5)],
  ]);
  const added = insertions(from, to).filter((piece): piece is Uint8Array => piece instanceof Uint8Array);
  expect(added.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(20);
});

test("two changes are one", () => {
  fc.assert(
    fc.property(bytes, changes, changes, (from, one, other) => {
      const middle = changed(from, one);
      const to = changed(middle, other);
      const first: Piece[] = insertions(from, middle);
      const both = compose(first, insertions(middle, to));
      expect(applyPatch(from, { pieces: both })).toEqual(to);
    }),
  );
});
