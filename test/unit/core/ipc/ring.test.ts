import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { Ring } from "../../../../runtime/core/ipc/ring.ts";

const COUNTER_WRAP = 2 ** 32;

describe("a ring", () => {
  test.each([
    { name: "one less than its capacity", sizeBytes: 15, taken: 15 },
    { name: "exactly its capacity", sizeBytes: 16, taken: 16 },
    { name: "one more than its capacity", sizeBytes: 17, taken: 16 },
    { name: "nothing", sizeBytes: 0, taken: 0 },
  ])("takes what fits of $name", ({ sizeBytes, taken }) => {
    const ring = Ring.create(16, new Bell());
    expect(ring.write(new Uint8Array(sizeBytes).fill(7))).toBe(taken);
    expect(ring.available()).toBe(taken);
    expect(ring.free()).toBe(16 - taken);
  });

  test("gives bytes in order, whatever the pieces are", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ write: fc.nat(40), read: fc.nat(40) }), { maxLength: 60 }),
        fc.constantFrom(0, COUNTER_WRAP - 20),
        (steps, start) => {
          const ring = Ring.create(32, new Bell());
          // Positions near the wrap of the counters: as after 4 GiB.
          new Int32Array(ring.buffer).fill(start | 0, 0, 2);
          let next = 0;
          let expected = 0;
          for (const step of steps) {
            const source = Uint8Array.from({ length: step.write }, (_, index) => (next + index) & 0xff);
            next += ring.write(source);
            const target = new Uint8Array(step.read);
            const count = ring.read(target);
            for (let index = 0; index < count; index++) expect(target[index]).toBe(expected++ & 0xff);
          }
          expect(ring.available()).toBe(next - expected);
        },
      ),
    );
  });

  test("tells the reader that the writer is done, and keeps the rest", () => {
    const ring = Ring.create(8, new Bell());
    ring.write(new Uint8Array([1, 2]));
    ring.end();
    expect(ring.ended).toBe(true);
    expect(ring.read(new Uint8Array(8))).toBe(2);
    expect(ring.broken).toBe(false);
  });

  test("tells the writer that the reader has gone", () => {
    const ring = Ring.create(8, new Bell());
    ring.abandon();
    expect(ring.broken).toBe(true);
    expect(ring.ended).toBe(false);
  });
});

describe("a bell", () => {
  test("that rang between the look and the wait doesn't let the waiter sleep", () => {
    const bell = new Bell();
    const seen = bell.now();
    bell.ring();
    bell.wait(seen); // would hang for ever
    expect(bell.now()).not.toBe(seen);
  });

  test("wakes a waiter that has an event loop", async () => {
    const bell = new Bell();
    const seen = bell.now();
    const waiting = bell.later(seen);
    bell.ring();
    await waiting;
    expect(bell.now()).toBe(seen + 1);
  });
});
