/** The host's side of a metered module: pauses it, bounds it, and reads what it used, from any thread. */
import { MeterOffset } from "./meter-memory.ts";

const I32_BYTES = 4;
const I64_BYTES = 8;

export class MeterControl {
  readonly #words: Int32Array;
  readonly #counters: BigInt64Array;

  /** @param buffer of the memory that a metered module exports */
  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#counters = new BigInt64Array(buffer);
  }

  /** The guest stops at its next look, which is some microseconds away; a call of the host's ends first. */
  pause(): void {
    Atomics.store(this.#words, MeterOffset.pause / I32_BYTES, 1);
  }

  resume(): void {
    Atomics.store(this.#words, MeterOffset.pause / I32_BYTES, 0);
    Atomics.notify(this.#words, MeterOffset.pause / I32_BYTES);
  }

  /** The guest's end, in the course of a call: where it would else come to a look of its own too late. */
  waitWhilePaused(): void {
    const slot = MeterOffset.pause / I32_BYTES;
    while (Atomics.load(this.#words, slot) !== 0) Atomics.wait(this.#words, slot, 1);
  }

  /** Used so far, as of the guest's last look. */
  get rounds(): bigint {
    return Atomics.load(this.#counters, MeterOffset.used / I64_BYTES);
  }

  /**
   * The guest traps at the first look that finds more rounds used, and at every check after that.
   * @param rounds since the start of the instance, not from now on; 0 takes the bound away
   */
  allow(rounds: bigint): void {
    Atomics.store(this.#counters, MeterOffset.allowed / I64_BYTES, rounds);
  }

  /** It has used more than it was allowed to, and was stopped. */
  get isExhausted(): boolean {
    return Atomics.load(this.#words, MeterOffset.exhausted / I32_BYTES) === 1;
  }
}
