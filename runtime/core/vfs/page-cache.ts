/**
 * Which chunks of a file system are in memory: as many bytes as they may take, the rest is in a store on disk.
 *
 * A clock: a hand goes round, and what nobody looked at since it last came by goes out. An exact order (LRU) would cost a
 * list at every read, and sequential files don't care.
 */
import { assert } from "../error.ts";
import type { FilesMemory } from "../quota/files-memory.ts";
import { CHUNK_BYTES, type Chunk, NO_BYTES, NO_PIECES, type Piece } from "./chunk.ts";
import { type ChunkMemory, OWN_MEMORY } from "./chunk-memory.ts";

/** Where chunks are that aren't in memory. Answers are 0, or a negative `Errno`. */
export interface ChunkStore {
  /** Writes what is dirty, and leaves the chunks clean; those before one that fails, if it does. */
  put(chunks: readonly Chunk[]): number;
  /** Fills the start of `target`, which is zeros, with what the pieces say. */
  fetch(chunk: Chunk, target: Uint8Array): number;
  /** The chunk has other pieces than before, or none: it was cut, is gone, or has come. */
  moved(chunk: Chunk, before: readonly Piece[]): void;
}

/** Whole buffers that are kept for the next chunk: a new one costs the first touch of its pages, and a collection later. */
const SPARE_COUNT_MAX = 4;
/** What goes to the store at a time, and how many chunks are looked at for that. */
const BATCH_BYTES = 64 * 1024;
const BATCH_LOOKS_MAX = 256;
/** So much is always there to work with, also when the container's memory is used up. */
const WORKING_BYTES = 2 * CHUNK_BYTES;

export class PageCache {
  residentBytes = 0;
  readonly residentBytesMax: number;
  /** Contents note which chunks changed, for a journal. */
  readonly isRecorded: boolean;
  /** Of the chunks. */
  memory: ChunkMemory = OWN_MEMORY;
  #budget: FilesMemory | undefined = undefined;
  readonly #store: ChunkStore;
  readonly #ring: Chunk[] = [];
  #hand = 0;
  readonly #spares: Uint8Array[] = [];

  constructor(store: ChunkStore, residentBytesMax: number, isRecorded: boolean) {
    this.#store = store;
    this.residentBytesMax = residentBytesMax;
    this.isRecorded = isRecorded;
  }

  /** What is in memory is told to it from now on, and no longer to another; what it hasn't goes to the store. */
  chargeTo(budget: FilesMemory | undefined): void {
    if (budget === this.#budget) return;
    this.#budget?.cache(-this.residentBytes);
    this.#budget = budget;
    budget?.cache(this.residentBytes);
  }

  #count(bytes: number): void {
    this.residentBytes += bytes;
    this.#budget?.cache(bytes);
  }

  #hasRoom(sizeBytes: number): boolean {
    const wholeBytes = this.residentBytes + sizeBytes;
    if (wholeBytes > this.residentBytesMax) return false;
    return this.#budget === undefined || wholeBytes <= WORKING_BYTES || this.#budget.fits(sizeBytes);
  }

  /** A buffer, whatever it held before. Counted when the chunk that gets it is `kept`. */
  allocate(sizeBytes: number): Uint8Array {
    if (sizeBytes === CHUNK_BYTES) {
      const spare = this.#spares.pop();
      if (spare !== undefined) return spare;
    }
    return this.memory.take(sizeBytes);
  }

  /**
   * Makes room for so many bytes more, where there is anything that may go.
   * @param pinned stays: its buffer is about to grow
   * @returns what the store said when nothing could be written: ENOSPC, EIO
   */
  reserve(sizeBytes: number, pinned: Chunk | undefined): number {
    if (this.#hasRoom(sizeBytes)) return 0;
    // Twice round: the first may only take marks away.
    let steps = this.#ring.length * 2;
    while (!this.#hasRoom(sizeBytes) && steps-- > 0) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const chunk = this.#ring[this.#hand];
      if (chunk === undefined) break;
      if (chunk === pinned || chunk.isUsed) {
        chunk.isUsed = false;
        this.#hand++;
        continue;
      }
      if (chunk.dirtyTo > 0) {
        const failure = this.#store.put(this.#outgoing(chunk, pinned));
        if (failure < 0) return failure;
      }
      // What came into its place from the end of the ring is looked at next.
      this.#evict(chunk);
    }
    return 0;
  }

  /** With a small chunk go others that will have to go next: one write for many files costs what one for one does. */
  #outgoing(first: Chunk, pinned: Chunk | undefined): readonly Chunk[] {
    const chunks = [first];
    let sizeBytes = first.extent;
    const last = Math.min(this.#hand + BATCH_LOOKS_MAX, this.#ring.length);
    for (let index = this.#hand + 1; index < last && sizeBytes < BATCH_BYTES; index++) {
      const chunk = this.#ring[index]!;
      if (chunk.dirtyTo === 0 || chunk.isUsed || chunk === pinned) continue;
      chunks.push(chunk);
      sizeBytes += chunk.extent;
    }
    return chunks;
  }

  #evict(chunk: Chunk): void {
    const { bytes } = chunk;
    this.#leave(chunk);
    chunk.bytes = NO_BYTES;
    const isWhole = bytes.length === CHUNK_BYTES && bytes.buffer.byteLength === CHUNK_BYTES;
    if (isWhole && this.#spares.length < SPARE_COUNT_MAX) this.#spares.push(bytes);
    else this.memory.give(bytes);
  }

  /**
   * Gives a chunk that is away its bytes.
   * @param isOverwritten all of them are about to be written: they aren't read
   */
  load(chunk: Chunk, isOverwritten: boolean): number {
    const failure = this.reserve(chunk.extent, chunk);
    if (failure < 0) return failure;
    const bytes = this.allocate(chunk.extent);
    if (!isOverwritten) {
      bytes.fill(0);
      const unread = this.#store.fetch(chunk, bytes);
      if (unread < 0) {
        this.memory.give(bytes);
        return unread;
      }
    }
    chunk.bytes = bytes;
    this.keep(chunk);
    return 0;
  }

  /** The chunk has bytes now, and had none that were counted. */
  keep(chunk: Chunk): void {
    assert(chunk.slot < 0, "a chunk is counted once");
    chunk.isUsed = true;
    chunk.slot = this.#ring.length;
    this.#ring.push(chunk);
    this.#count(chunk.bytes.length);
  }

  /** Its buffer was exchanged for a larger one. */
  grown(chunk: Chunk, beforeBytes: number): void {
    if (chunk.slot < 0) this.keep(chunk);
    else this.#count(chunk.bytes.length - beforeBytes);
  }

  #leave(chunk: Chunk): void {
    if (chunk.slot < 0) return;
    this.#count(-chunk.bytes.length);
    const last = this.#ring.pop()!;
    if (last !== chunk) {
      this.#ring[chunk.slot] = last;
      last.slot = chunk.slot;
    }
    chunk.slot = -1;
  }

  /** The chunk is no part of a file any more. */
  drop(chunk: Chunk): void {
    this.#leave(chunk);
    this.setPieces(chunk, NO_PIECES);
  }

  setPieces(chunk: Chunk, pieces: Piece[]): void {
    const before = chunk.pieces;
    if (before === pieces) return;
    chunk.pieces = pieces;
    this.#store.moved(chunk, before);
  }

  /** A chunk that came with a file, from elsewhere or from the disk. */
  enter(chunk: Chunk): void {
    if (chunk.bytes.length > 0) this.keep(chunk);
    if (chunk.pieces.length > 0) this.#store.moved(chunk, NO_PIECES);
  }

  /** What is dirty goes to the store; it stays in memory. */
  put(chunk: Chunk): number {
    return chunk.dirtyTo === 0 ? 0 : this.#store.put([chunk]);
  }
}
