/**
 * A futex that many things can ring: one waiter looks at what it waits for, then sleeps until somebody rings.
 *
 * The order makes it safe: `seen = bell.now()`, look, `bell.wait(seen)`. What happens between the look and the wait
 * has changed the number, so the wait returns at once. One `Int32` slot; it counts rings and wraps.
 */
import { threadWaits } from "./thread-waits.ts";

export class Bell {
  readonly buffer: SharedArrayBuffer;
  readonly #slot: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4), offsetBytes = 0) {
    this.buffer = buffer;
    this.#slot = new Int32Array(buffer, offsetBytes, 1);
  }

  now(): number {
    return Atomics.load(this.#slot, 0);
  }

  ring(): void {
    Atomics.add(this.#slot, 0, 1);
    Atomics.notify(this.#slot, 0);
  }

  /** Blocks until it has been rung since `seen`, at most this long. Only in a thread that may block. */
  wait(seen: number, timeoutMs = Infinity): void {
    threadWaits.wait(this.#slot, 0, seen, timeoutMs);
  }

  /** The same for a thread with an event loop. */
  async later(seen: number): Promise<void> {
    const waiting = Atomics.waitAsync(this.#slot, 0, seen);
    if (waiting.async) await waiting.value;
  }
}
