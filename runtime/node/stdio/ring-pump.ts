/** The engine's ends of the rings: they fill a guest's input and empty its output, at the pace of whoever is on the other side. */
import type { Ring } from "../../core/ipc/ring.ts";

/** Copies into the ring until the source ends or the guest has gone. Never rejects: a broken source is an end. */
export async function fillRing(ring: Ring, source: AsyncIterator<Uint8Array | string>): Promise<void> {
  try {
    for (let next = await source.next(); !next.done; next = await source.next()) {
      const bytes = typeof next.value === "string" ? Buffer.from(next.value) : next.value;
      if (!(await writeAll(ring, bytes))) break;
    }
  } catch {
    // The source broke: the guest sees an end of file, as from a pipe whose writer died.
  }
  ring.end();
  ring.guestBell.ring();
}

/** False when the guest has gone. */
async function writeAll(ring: Ring, bytes: Uint8Array): Promise<boolean> {
  for (let sentBytes = 0; sentBytes < bytes.length; ) {
    const seen = ring.hostBell.now();
    if (ring.broken) return false;
    const count = ring.write(bytes.subarray(sentBytes));
    sentBytes += count;
    if (count > 0) ring.guestBell.ring();
    else await ring.hostBell.later(seen);
  }
  return true;
}

/**
 * Gives what the guest writes to `take`, piece by piece, until it is done. The bytes are a copy, and `take`'s. When
 * `take` throws, the guest's next write is EPIPE. Whoever abandons the ring stops it after the piece that is being taken.
 */
export async function emptyRing(ring: Ring, take: (bytes: Uint8Array) => unknown): Promise<void> {
  for (;;) {
    const seen = ring.hostBell.now();
    const ended = ring.ended;
    if (ring.broken) return;
    const piece = ring.readable();
    if (piece.length > 0) {
      try {
        await take(Uint8Array.from(piece));
      } catch {
        ring.abandon();
        ring.guestBell.ring();
        return;
      }
      ring.consume(piece.length);
      ring.guestBell.ring();
    } else if (ended) {
      return;
    } else {
      await ring.hostBell.later(seen);
    }
  }
}
