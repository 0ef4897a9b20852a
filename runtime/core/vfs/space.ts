/** What a tree may hold, and what it holds: the quota of its bytes and names, and what of it is in memory. */
import type { FilesMemory } from "../quota/files-memory.ts";
import { type ChunkMemory, OWN_MEMORY } from "./chunk-memory.ts";
import type { PageCache } from "./page-cache.ts";

export class Space {
  readonly bytesMax: number;
  readonly inodesMax: number;
  bytes = 0;
  /** Inodes, and names beyond the first of each: a hard link costs memory as an inode does. */
  inodes = 0;
  /** Undefined: all is in memory, and nothing on disk. */
  pages: PageCache | undefined = undefined;

  /** What chunks in memory are charged to, where there are no pages; those have their own. */
  budget: FilesMemory | undefined = undefined;
  /** Of chunks. */
  memory: ChunkMemory = OWN_MEMORY;

  constructor(bytesMax: number, inodesMax: number) {
    this.bytesMax = bytesMax;
    this.inodesMax = inodesMax;
  }

  /** False, and nothing taken, when it doesn't fit. */
  takeInode(): boolean {
    if (this.inodes >= this.inodesMax) return false;
    this.inodes++;
    return true;
  }
}
