/**
 * What one holder has of a container's memory: the linear memory of a program, or the files in a thread. Whoever made it gives all
 * back when the holder has gone, however that ended.
 *
 * Shared memory, as `Int32`s: 0 KiB that are charged, 1 held (1) by the thread that grows a memory of several threads,
 * 2 KiB that are cached.
 */
import { threadWaits } from "../ipc/thread-waits.ts";
import { KIB, MemoryBudget, type MemoryBudgetSpec } from "./memory-budget.ts";

const CHARGED = 0;
const LOCK = 1;
const CACHED = 2;
const CELLS = 3;

/** To another thread. */
export interface AccountSpec {
  budget: MemoryBudgetSpec;
  account: SharedArrayBuffer;
}

export class MemoryAccount {
  readonly #budget: MemoryBudget;
  readonly #cells: Int32Array;

  constructor({ budget, account }: AccountSpec) {
    this.#budget = new MemoryBudget(budget);
    this.#cells = new Int32Array(account);
  }

  static create(budget: MemoryBudget): MemoryAccount {
    const account = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT);
    return new MemoryAccount({ budget: budget.spec, account });
  }

  get spec(): AccountSpec {
    return { budget: this.#budget.spec, account: this.#cells.buffer as SharedArrayBuffer };
  }

  get chargedBytes(): number {
    return Atomics.load(this.#cells, CHARGED) * KIB;
  }

  /** See `MemoryBudget`. */
  get freeBytes(): number {
    return this.#budget.freeBytes;
  }

  /** A thread has waited so long for memory. */
  stalled(us: number): void {
    this.#budget.stalled(us);
  }

  /** So many bytes more are in memory as long as nobody needs it. */
  cache(bytes: number): void {
    const kib = Math.ceil(bytes / KIB);
    this.#budget.cache(kib - Atomics.exchange(this.#cells, CACHED, kib));
  }

  /**
   * So many bytes are charged from now on, counted by whole KiB. One thread at a time may say so.
   * @returns false, and nothing changed, when the budget has not as many
   */
  charge(bytes: number): boolean {
    const kib = Math.ceil(bytes / KIB);
    const more = kib - Atomics.load(this.#cells, CHARGED);
    if (more > 0 && !this.#budget.take(more)) return false;
    if (more < 0) this.#budget.give(-more);
    Atomics.store(this.#cells, CHARGED, kib);
    return true;
  }

  /** Gives back all that its holder had, who has gone. */
  close(): void {
    this.#budget.give(Atomics.exchange(this.#cells, CHARGED, 0));
    this.cache(0);
  }

  /** Waits for the other threads of the program. */
  lock(): void {
    while (Atomics.compareExchange(this.#cells, LOCK, 0, 1) !== 0) threadWaits.wait(this.#cells, LOCK, 1);
  }

  unlock(): void {
    Atomics.store(this.#cells, LOCK, 0);
    Atomics.notify(this.#cells, LOCK, 1);
  }
}
