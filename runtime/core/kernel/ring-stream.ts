/** The two ends of a ring, as a guest's program sees them. */
import { Errno } from "../../../shim/abi/errno.ts";
import type { Ring } from "../ipc/ring.ts";
import type { ByteSink, ByteSource } from "./stream.ts";

export class RingSource implements ByteSource {
  readonly #ring: Ring;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  read(target: Uint8Array): number {
    const ring = this.#ring;
    for (;;) {
      const seen = ring.guestBell.now();
      const ended = ring.ended;
      const count = ring.read(target);
      if (count > 0) {
        ring.hostBell.ring();
        return count;
      }
      if (ended) return 0;
      ring.guestBell.wait(seen);
    }
  }

  available(): number {
    return this.#ring.available();
  }

  ended(): boolean {
    return this.#ring.ended && this.#ring.available() === 0;
  }
}

export class RingSink implements ByteSink {
  readonly #ring: Ring;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  write(source: Uint8Array): number {
    const ring = this.#ring;
    let sentBytes = 0;
    while (sentBytes < source.length) {
      const seen = ring.guestBell.now();
      if (ring.broken) return sentBytes > 0 ? sentBytes : -Errno.EPIPE;
      const count = ring.write(sentBytes === 0 ? source : source.subarray(sentBytes));
      sentBytes += count;
      if (count > 0) ring.hostBell.ring();
      else ring.guestBell.wait(seen);
    }
    return sentBytes;
  }

  tryWrite(source: Uint8Array): number {
    const ring = this.#ring;
    if (ring.broken) return -Errno.EPIPE;
    const count = ring.write(source);
    if (count === 0) return -Errno.EAGAIN;
    ring.hostBell.ring();
    return count;
  }

  writable(): boolean {
    return this.#ring.free() > 0 || this.#ring.broken;
  }
}
