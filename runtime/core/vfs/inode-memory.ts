/** What inodes and names of a tree take of its container's memory. The first thousand are a part of what a tree costs anyway. */
import type { FilesMemory } from "../quota/files-memory.ts";

/** What one takes, with a name of 255 bytes and its place in a directory. Measured: 1.2 KB in its own thread, 1.6 KB with the kernel, garbage included. */
export const INODE_BYTES = 1024;
const INODES_FREE = 1024;
/** Charged together: a file more rarely asks for memory. */
const BLOCK_INODES = 64;

export class InodeMemory {
  #memory: FilesMemory | undefined = undefined;
  /** Inodes that are charged: whole blocks, and one more than there need be after some went. */
  #charged = 0;
  /** As long as the count is above the one, and not above the other, nothing changes. */
  #above = Number.NEGATIVE_INFINITY;
  #upTo = Number.POSITIVE_INFINITY;

  /** There are so many now, charged to this from now on, and to nobody else any more. */
  chargeTo(memory: FilesMemory | undefined, count: number): void {
    if (memory === this.#memory) return;
    this.#memory?.give(this.#charged * INODE_BYTES);
    this.#memory = memory;
    memory?.note(blocksFor(count) * INODE_BYTES);
    this.#setCharged(blocksFor(count));
  }

  #setCharged(charged: number): void {
    this.#charged = charged;
    const isCharged = this.#memory !== undefined;
    this.#upTo = isCharged ? INODES_FREE + charged : Number.POSITIVE_INFINITY;
    this.#above =
      isCharged && charged > BLOCK_INODES ? this.#upTo - 2 * BLOCK_INODES : Number.NEGATIVE_INFINITY;
  }

  /** @returns false, and nothing charged, when there is no memory for so many */
  resize(count: number): boolean {
    return (count <= this.#upTo && count > this.#above) || this.#recharge(blocksFor(count));
  }

  #recharge(wanted: number): boolean {
    const memory = this.#memory!;
    if (wanted > this.#charged) {
      if (!memory.take((wanted - this.#charged) * INODE_BYTES)) return false;
      this.#setCharged(wanted);
    } else {
      // Who gives one back and takes it again, as posted calls do, finds it.
      memory.give((this.#charged - wanted - BLOCK_INODES) * INODE_BYTES);
      this.#setCharged(wanted + BLOCK_INODES);
    }
    return true;
  }
}

function blocksFor(count: number): number {
  return Math.ceil(Math.max(0, count - INODES_FREE) / BLOCK_INODES) * BLOCK_INODES;
}
