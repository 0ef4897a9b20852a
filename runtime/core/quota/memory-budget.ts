/**
 * The memory that one container has, for all threads that work for it: what is taken by one is not there for another.
 *
 * Shared memory, as `Int32`s, in KiB: 0 what is taken, 1 the limit, 2 the most that was ever taken, 3 what is only kept in memory
 * as long as nobody needs it, since it is on disk too: files use what is left for that, and give it up when they see that it is
 * taken. Everybody takes and gives by compare-and-exchange; nobody waits. A guest sees none of it.
 */
import { WpodError } from "../error.ts";

const USED = 0;
const LIMIT = 1;
const PEAK = 2;
const CACHED = 3;
const CELLS = 4;

export const KIB = 1024;
const KIB_MAX = 2 ** 31 - 1;

export class MemoryBudget {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** @param limitBytes whole KiB of it count, at most 2 TiB */
  static create(limitBytes: number): MemoryBudget {
    const budget = new MemoryBudget(new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT));
    budget.#cells[LIMIT] = Math.min(Math.floor(limitBytes / KIB), KIB_MAX);
    return budget;
  }

  get limitBytes(): number {
    return this.#cells[LIMIT]! * KIB;
  }

  get usedBytes(): number {
    return Atomics.load(this.#cells, USED) * KIB;
  }

  /** What nobody has, for anything; negative, when there is more in memory than may be. */
  get freeBytes(): number {
    const cells = this.#cells;
    return (cells[LIMIT]! - Atomics.load(cells, USED) - Atomics.load(cells, CACHED)) * KIB;
  }

  /** @param kib negative: fewer than before */
  cache(kib: number): void {
    Atomics.add(this.#cells, CACHED, kib);
  }

  get peakBytes(): number {
    return Atomics.load(this.#cells, PEAK) * KIB;
  }

  /** What `take` would answer now. */
  hasRoom(kib: number): boolean {
    return kib <= this.#cells[LIMIT]! - Atomics.load(this.#cells, USED);
  }

  /** False, and nothing taken, when it doesn't fit. */
  take(kib: number): boolean {
    for (;;) {
      const used = Atomics.load(this.#cells, USED);
      if (kib > this.#cells[LIMIT]! - used) return false;
      if (Atomics.compareExchange(this.#cells, USED, used, used + kib) !== used) continue;
      this.#notePeak(used + kib);
      return true;
    }
  }

  give(kib: number): void {
    Atomics.sub(this.#cells, USED, kib);
  }

  #notePeak(kib: number): void {
    for (;;) {
      const peak = Atomics.load(this.#cells, PEAK);
      if (kib <= peak || Atomics.compareExchange(this.#cells, PEAK, peak, kib) === peak) return;
    }
  }
}

/** What is said where something doesn't fit that somebody asked for. */
export function memoryLimit({ limitBytes, usedBytes }: MemoryBudget, what: string, bytes: number): WpodError {
  return new WpodError(
    "MEMORY_LIMIT",
    `${what} needs ${bytes} bytes of memory to begin with, and ${limitBytes - usedBytes} of the container's ${limitBytes} are left`,
    { hint: "raise the container's limit: --memory" },
  );
}
