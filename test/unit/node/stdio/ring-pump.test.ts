import { expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { Ring } from "../../../../runtime/core/ipc/ring.ts";
import { emptyRing, fillRing } from "../../../../runtime/node/stdio/ring-pump.ts";

const CAPACITY_BYTES = 16;
const numbers = (count: number) => Uint8Array.from({ length: count }, (_, index) => index & 0xff);

/** Both pumps on one ring: what goes in comes out. */
async function through(source: AsyncIterator<Uint8Array | string>): Promise<Buffer> {
  const ring = Ring.create(CAPACITY_BYTES, new Bell());
  const pieces: Uint8Array[] = [];
  const emptied = emptyRing(ring, async (bytes) => {
    pieces.push(bytes);
    // What the guest's end does after it has read.
    await Promise.resolve();
  });
  const filled = fillRing(ring, source);
  ring.guestBell.ring();
  // The two ends share a bell here, which a guest and an engine don't.
  const ringing = setInterval(() => ring.hostBell.ring(), 1);
  await Promise.all([filled, emptied]).finally(() => clearInterval(ringing));
  return Buffer.concat(pieces);
}

test.each([0, 1, 15, 16, 17, 1000])("%d bytes go through a ring of 16, in order", async (count) => {
  const source = (async function* () {
    yield numbers(count);
  })();
  expect(await through(source)).toEqual(Buffer.from(numbers(count)));
});

test("a source that throws is an end; what came before is there", async () => {
  const source = (async function* () {
    yield "before";
    throw new Error("broken");
  })();
  expect((await through(source)).toString()).toBe("before");
});

test("filling stops when the guest has gone, although the ring is full and the source has more", async () => {
  const ring = Ring.create(CAPACITY_BYTES, new Bell());
  let asked = 0;
  const filled = fillRing(ring, {
    async next() {
      asked++;
      return { done: false, value: numbers(CAPACITY_BYTES) };
    },
  });
  while (asked < 2) await new Promise(setImmediate);
  ring.abandon();
  ring.hostBell.ring();
  await filled;
  expect(asked).toBe(2);
});

test("when the taker throws, the ring is broken for the guest, and nothing more is taken", async () => {
  const ring = Ring.create(CAPACITY_BYTES, new Bell());
  ring.write(numbers(3));
  await emptyRing(ring, () => {
    throw new Error("no");
  });
  expect(ring.broken).toBe(true);
});

test("a ring that was abandoned isn't read any more", async () => {
  const ring = Ring.create(CAPACITY_BYTES, new Bell());
  ring.write(numbers(3));
  ring.abandon();
  const taken: Uint8Array[] = [];
  await emptyRing(ring, (bytes) => taken.push(bytes));
  expect(taken).toEqual([]);
});
