/**
 * What of a container's files is in the memory of this thread. What is nowhere else is charged to the container; what is on disk too
 * has what is left.
 */
import type { MemoryAccount } from "./memory-account.ts";

export class FilesMemory {
  readonly #account: MemoryAccount;
  #bytes = 0;
  #cachedBytes = 0;

  constructor(account: MemoryAccount) {
    this.#account = account;
    // Another thread may have had the same files before.
    account.close();
  }

  /** False, and nothing taken, when the container hasn't as much. */
  take(bytes: number): boolean {
    if (!this.#account.charge(this.#bytes + bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.note(-bytes);
  }

  /** So many more are there, whether the container has them or not: what it hasn't is charged as soon as it has. */
  note(bytes: number): void {
    this.#bytes = Math.max(0, this.#bytes + bytes);
    this.#account.charge(this.#bytes);
  }

  /** So many more are cached. */
  cache(bytes: number): void {
    this.#cachedBytes += bytes;
    this.#account.cache(this.#cachedBytes);
  }

  /** So many more may be cached. */
  fits(bytes: number): boolean {
    return bytes <= this.#account.freeBytes;
  }
}
