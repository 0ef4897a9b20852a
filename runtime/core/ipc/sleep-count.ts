/**
 * Tells another thread that the one whose futex this is does nothing: it needn't be asked what CPU time it uses.
 *
 * `Int32` slots, behind that of a `Bell`: 1 threads that sleep, 2 how often one fell asleep.
 */
const SLEEPING = 1;
const COUNT = 2;

export const SLEEPER_BELL_BYTES = 3 * Int32Array.BYTES_PER_ELEMENT;

export type Activity = "asleep" | "awake" | "both";

export class SleepCount {
  readonly #slots: Int32Array;
  #seen = 0;

  /** @param buffer of the bell, `SLEEPER_BELL_BYTES` of it */
  constructor(buffer: SharedArrayBuffer) {
    this.#slots = new Int32Array(buffer);
  }

  sleep(wait: () => void): void {
    Atomics.add(this.#slots, SLEEPING, 1);
    Atomics.add(this.#slots, COUNT, 1);
    wait();
    Atomics.sub(this.#slots, SLEEPING, 1);
  }

  /** What it has done since this was asked last. Of a program with one thread. */
  activity(): Activity {
    const isSleeping = Atomics.load(this.#slots, SLEEPING) > 0;
    const count = Atomics.load(this.#slots, COUNT);
    const isSame = count === this.#seen;
    this.#seen = count;
    if (!isSame) return "both";
    return isSleeping ? "asleep" : "awake";
  }
}
