/**
 * Charges the linear memory of a program to its container. A module that was rewritten (`watchMemory`) asks before it grows; what
 * is charged is what its memories have and what they are about to get, never what the module says: it may call this function
 * with anything, and can only charge itself too much.
 */
import { ProgramEnd } from "../kernel/program-system.ts";
import type { MemoryAccount } from "../quota/memory-account.ts";
import { hostFunction } from "./host-function.ts";
import { PAGE_BYTES } from "./memory-type.ts";
import { MEMORY_ASK_EXPORT, MEMORY_EXPORT, START_EXPORT } from "./memory-watch.ts";

/** More than any memory has. */
const PAGES_MAX = 2n ** 32n;

export class MemoryGuard {
  readonly #account: MemoryAccount;
  readonly #reclaim: () => void;
  readonly #isWatched: boolean;
  #memories: readonly WebAssembly.Memory[] = [];
  #isShared = false;
  #asks = false;
  #isLocked = false;

  /**
   * @param isWatched its module was rewritten: what it exports by these names is ours
   * @param reclaim called when others have more than is left: they may give it up
   */
  constructor(account: MemoryAccount, isWatched: boolean, reclaim: () => void = () => {}) {
    this.#account = account;
    this.#isWatched = isWatched;
    this.#reclaim = reclaim;
  }

  /**
   * Before any of its code runs: from now on it is asked.
   * @param exports of its instance
   * @param provided what it imports as its memory
   */
  attach(exports: Readonly<Record<string, unknown>>, provided: WebAssembly.Memory | undefined): void {
    const memories = Object.entries(exports)
      .filter(([name, value]) => name.startsWith(MEMORY_EXPORT) && value instanceof WebAssembly.Memory)
      .map(([, value]) => value as WebAssembly.Memory);
    const table = exports[MEMORY_ASK_EXPORT];
    if (this.#isWatched && table instanceof WebAssembly.Table) {
      this.#memories = memories;
      this.#asks = true;
      table.set(
        0,
        hostFunction((pages) => this.#ask(pages)),
      );
    } else {
      const memory = exports.memory ?? provided;
      this.#memories = memory instanceof WebAssembly.Memory ? [memory] : [];
    }
    this.#isShared = this.#memories.some(({ buffer }) => !(buffer instanceof ArrayBuffer));
    const start = exports[START_EXPORT];
    if (this.#isWatched && typeof start === "function") start();
  }

  /**
   * A module that wasn't rewritten has grown already: it ends when its container hasn't as much.
   * @throws ProgramEnd
   */
  grown(): void {
    if (this.#asks) return;
    this.#begin();
    const isGranted = this.#account.charge(this.#bytes());
    this.#end();
    if (!isGranted) throw new ProgramEnd({ kind: "memory" });
  }

  /** @param pages to be grown by; -1: it has grown, or not */
  #ask(pages: bigint): number {
    const isDone = pages === -1n;
    // It didn't ask before: another thread may be about to grow.
    if (isDone && this.#isShared && !this.#isLocked) return 0;
    if (!isDone) this.#begin();
    const count = isDone ? 0n : BigInt.asUintN(64, pages);
    const isGranted = count <= PAGES_MAX && this.#account.charge(this.#bytes() + Number(count) * PAGE_BYTES);
    if (isDone || !isGranted) this.#end();
    if (this.#account.freeBytes < 0) this.#reclaim();
    return isGranted ? 1 : 0;
  }

  /** Between this and the end no other thread of the program grows: else what one gets would be forgotten by the other. */
  #begin(): void {
    if (!this.#isShared || this.#isLocked) return;
    this.#account.lock();
    this.#isLocked = true;
  }

  #end(): void {
    if (!this.#isLocked) return;
    this.#isLocked = false;
    this.#account.unlock();
  }

  #bytes(): number {
    return this.#memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }
}
