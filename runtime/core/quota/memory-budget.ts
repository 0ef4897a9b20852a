/**
 * The memory that one container has, for all threads that work for it: what is taken by one is not there for another.
 *
 * Shared memory, as `Int32`s, in KiB: 0 what is taken, 1 the limit, 2 the most that was ever taken, 3 what is only kept in memory
 * as long as nobody needs it, since it is on disk too: files use what is left for that, and give it up when they see that it is
 * taken, 4 how often something was wanted that wasn't there, 5 microseconds in
 * which threads waited for others to give memory up, and wraps. Everybody takes and gives by compare-and-exchange; nobody waits. A guest sees none of it.
 */
import { WpodError } from "../error.ts";

const USED = 0;
const LIMIT = 1;
const PEAK = 2;
const CACHED = 3;
const REFUSED = 4;
const STALLED = 5;
const CELLS = 6;

export const KIB = 1024;
const KIB_MAX = 2 ** 31 - 1;

/** To another thread. */
export interface MemoryBudgetSpec {
  readonly own: SharedArrayBuffer;
  /** What it is a part of, which has to have as much. */
  readonly group: MemoryBudgetSpec | undefined;
}

export class MemoryBudget {
  readonly spec: MemoryBudgetSpec;
  readonly #cells: Int32Array;
  readonly #group: MemoryBudget | undefined;

  constructor(spec: MemoryBudgetSpec) {
    this.spec = spec;
    this.#cells = new Int32Array(spec.own);
    this.#group = spec.group && new MemoryBudget(spec.group);
  }

  /** @param limitBytes whole KiB of it count, at most 2 TiB */
  static create(limitBytes: number, group?: MemoryBudget): MemoryBudget {
    const own = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT);
    const budget = new MemoryBudget({ own, group: group?.spec });
    budget.limitBytes = limitBytes;
    return budget;
  }

  get limitBytes(): number {
    return Atomics.load(this.#cells, LIMIT) * KIB;
  }

  /** What is taken already is, also where that is more than is allowed now. */
  set limitBytes(bytes: number) {
    Atomics.store(this.#cells, LIMIT, Math.min(Math.floor(bytes / KIB), KIB_MAX));
  }

  /** Nothing was there when it was wanted, so often. */
  get refusedCount(): number {
    return Atomics.load(this.#cells, REFUSED);
  }

  get usedBytes(): number {
    return Atomics.load(this.#cells, USED) * KIB;
  }

  /** Microseconds that threads waited for memory, together; wraps at 2^32. */
  get stalledUs(): number {
    return Atomics.load(this.#cells, STALLED) >>> 0;
  }

  stalled(us: number): void {
    Atomics.add(this.#cells, STALLED, Math.ceil(us));
  }

  /** What nobody has, for anything; negative, when there is more in memory than may be. */
  get freeBytes(): number {
    const cells = this.#cells;
    const own = (Atomics.load(cells, LIMIT) - Atomics.load(cells, USED) - Atomics.load(cells, CACHED)) * KIB;
    return this.#group === undefined ? own : Math.min(own, this.#group.freeBytes);
  }

  /** @param kib negative: fewer than before */
  cache(kib: number): void {
    Atomics.add(this.#cells, CACHED, kib);
    this.#group?.cache(kib);
  }

  get peakBytes(): number {
    return Atomics.load(this.#cells, PEAK) * KIB;
  }

  /** What `take` would answer now. */
  hasRoom(kib: number): boolean {
    const own = Atomics.load(this.#cells, LIMIT) - Atomics.load(this.#cells, USED);
    return kib <= own && (this.#group?.hasRoom(kib) ?? true);
  }

  /** False, and nothing taken, when it doesn't fit. */
  take(kib: number): boolean {
    for (;;) {
      const used = Atomics.load(this.#cells, USED);
      if (kib > Atomics.load(this.#cells, LIMIT) - used) return this.#refuse();
      if (Atomics.compareExchange(this.#cells, USED, used, used + kib) !== used) continue;
      // Its own first: a thread that is ended in between leaves nothing behind for those who live on.
      if (this.#group?.take(kib) === false) {
        Atomics.sub(this.#cells, USED, kib);
        return this.#refuse();
      }
      this.#notePeak(used + kib);
      return true;
    }
  }

  #refuse(): false {
    Atomics.add(this.#cells, REFUSED, 1);
    return false;
  }

  give(kib: number): void {
    Atomics.sub(this.#cells, USED, kib);
    this.#group?.give(kib);
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
