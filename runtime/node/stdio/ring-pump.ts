/** The engine's ends of the rings: they fill a guest's input and empty its output, at the pace of whoever is on the other side. */

import { constants, createReadStream } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { Ring } from "../../core/ipc/ring.ts";
import { descriptorKind, openAnew } from "./descriptor.ts";

const PIPE_CHUNK_BYTES = 64 * 1024;

/** Copies into the ring until the source ends or the guest has gone. Never rejects: a broken source is an end. */
export async function fillRing(ring: Ring, source: AsyncIterable<Uint8Array | string>): Promise<void> {
  try {
    for await (const chunk of source) {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
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
 * `take` throws, the guest's next write is EPIPE.
 */
export async function emptyRing(ring: Ring, take: (bytes: Uint8Array) => unknown): Promise<void> {
  for (;;) {
    const seen = ring.hostBell.now();
    const ended = ring.ended;
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

/** A `take` that waits until the stream wants more. */
export function streamTaker(stream: Writable): (bytes: Uint8Array) => Promise<void> {
  return (bytes) =>
    new Promise((resolve, reject) => {
      if (stream.destroyed || stream.writableEnded) {
        reject(new Error("the stream was closed"));
        return;
      }
      stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
}

/** Standard input of this process as a stream that can be dropped at any time and leaves the descriptor as it was. */
export function openStdin(fd = 0): Readable {
  const kind = descriptorKind(fd);
  if (kind === "file") return createReadStream("", { fd, autoClose: false, highWaterMark: 1 << 20 });
  if (kind === "missing") return createReadStream("/dev/null");
  // A descriptor of our own, so that O_NONBLOCK doesn't reach the processes that share this one.
  const own = openAnew(fd, constants.O_RDONLY);
  return new Socket({
    fd: own ?? fd,
    readable: true,
    writable: false,
    highWaterMark: PIPE_CHUNK_BYTES,
  } as object);
}
