/** What a tree may hold, and what it holds: the quota of its bytes and names, and what of it is in memory. */
import type { FilesMemory } from "../quota/files-memory.ts";
import type { DiskGauge } from "../quota/io-page.ts";
import { type ChunkMemory, OWN_MEMORY } from "./chunk-memory.ts";
import type { PageCache } from "./page-cache.ts";

export class Space {
  #bytesMax: number;
  #inodesMax: number;
  #bytes = 0;
  #inodes = 0;
  /** Of those: set aside for what may come, and nobody's yet. */
  #asideBytes = 0;
  #asideInodes = 0;
  #gauge: DiskGauge | undefined = undefined;
  /** Undefined: all is in memory, and nothing on disk. */
  pages: PageCache | undefined = undefined;

  /** What chunks in memory are charged to, where there are no pages; those have their own. */
  budget: FilesMemory | undefined = undefined;
  /** Of chunks. */
  memory: ChunkMemory = OWN_MEMORY;

  constructor(bytesMax: number, inodesMax: number) {
    this.#bytesMax = bytesMax;
    this.#inodesMax = inodesMax;
  }

  /** From now on others see what it holds, and say what it may. */
  reportTo(gauge: DiskGauge): void {
    this.#gauge = gauge;
    gauge.publishBytes(this.#bytes - this.#asideBytes);
    gauge.publishInodes(this.#inodes - this.#asideInodes);
  }

  get bytesMax(): number {
    return this.#gauge?.bytesMax ?? this.#bytesMax;
  }
  get inodesMax(): number {
    return this.#gauge?.inodesMax ?? this.#inodesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }
  set bytes(bytes: number) {
    this.#bytes = bytes;
    this.#gauge?.publishBytes(bytes - this.#asideBytes);
  }

  /** Inodes, and names beyond the first of each: a hard link costs memory as an inode does. */
  get inodes(): number {
    return this.#inodes;
  }
  set inodes(inodes: number) {
    this.#inodes = inodes;
    this.#gauge?.publishInodes(inodes - this.#asideInodes);
  }

  /** What is left, for anything; negative, when there is more than there may be. */
  get freeBytes(): number {
    return this.bytesMax - this.#bytes;
  }
  get freeInodes(): number {
    return this.inodesMax - this.#inodes;
  }

  /** False, and nothing taken, when it doesn't fit. */
  takeInode(): boolean {
    if (this.#inodes >= this.inodesMax) {
      this.#gauge?.hitInodes();
      return false;
    }
    this.inodes++;
    return true;
  }

  /** Somebody is told that it doesn't fit. */
  refuseBytes(): void {
    this.#gauge?.hitBytes();
  }

  /** Nobody else gets it, and it isn't used. Negative: it is free again. */
  setAside(bytes: number, inodes: number): void {
    this.#asideBytes += bytes;
    this.#asideInodes += inodes;
    this.#bytes += bytes;
    this.#inodes += inodes;
  }
}
