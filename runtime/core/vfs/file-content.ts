/**
 * The bytes of one regular file: chunks of 256 KiB in memory over what an image layer has.
 *
 * A chunk that isn't there reads from the layer up to `lowerEnd`, and as zeros behind it: so holes cost nothing, the
 * first write to a file of the image copies only the chunks that it touches, and truncating copies nothing. One
 * contiguous buffer was measured against this: doubling it stalled a guest for 200-340 ms, and a byte at 1 GiB took 2 GiB.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { CHUNK_BYTES, type Chunk, clipPieces, isAway, makeChunk, markDirty, NO_BYTES } from "./chunk.ts";
import type { LowerContent } from "./lower-content.ts";
import type { PageCache } from "./page-cache.ts";
import type { Space } from "./space.ts";

/** Offsets are numbers: beyond this they aren't exact. */
export const FILE_BYTES_MAX = Number.MAX_SAFE_INTEGER;
/** What a chunk costs at least when it doesn't follow a full one: else single bytes, far apart, would cost only themselves. */
const LONE_CHUNK_BYTES = 4096;
const GROWN_BYTES_MIN = 256;

/** What became of a content since a journal last asked. */
export interface ContentChanges {
  /** How short it was cut meanwhile. */
  cutTo: number;
  /** Chunks that were made or written. One that isn't there any more was cut off. */
  indexes: Set<number>;
}

export class FileContent {
  sizeBytes: number;
  readonly #space: Space;
  readonly lower: LowerContent | undefined;
  /** Where the layer's bytes end: its size, or less after a truncation. */
  #lowerEnd: number;
  #first: Chunk | undefined = undefined;
  #rest: Map<number, Chunk> | undefined = undefined;
  #changes: ContentChanges | undefined = undefined;

  constructor(space: Space, lower: LowerContent | undefined) {
    this.#space = space;
    this.lower = lower;
    this.sizeBytes = lower === undefined ? 0 : lower.sizeBytes;
    this.#lowerEnd = this.sizeBytes;
  }

  /** Nothing was written or cut off: what the layer has is what is read. */
  get isLower(): boolean {
    const lower = this.lower;
    return (
      lower !== undefined &&
      this.#first === undefined &&
      this.#rest === undefined &&
      this.sizeBytes === lower.sizeBytes &&
      this.#lowerEnd === lower.sizeBytes
    );
  }

  /** Bytes read, short only at the end of the file; a negative `Errno` when the layer can't be read. */
  read(target: Uint8Array, offset: number): number {
    const leftBytes = this.sizeBytes - offset;
    if (leftBytes <= 0) return 0;
    const count = Math.min(target.length, leftBytes);
    if (offset + count <= CHUNK_BYTES) {
      const failure = this.#readPiece(this.#first, target, 0, offset, offset, count);
      return failure < 0 ? failure : count;
    }
    let done = 0;
    while (done < count) {
      const at = offset + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const inChunk = at - index * CHUNK_BYTES;
      const pieceBytes = Math.min(count - done, CHUNK_BYTES - inChunk);
      const failure = this.#readPiece(this.chunkAt(index), target, done, at, inChunk, pieceBytes);
      if (failure < 0) return done > 0 ? done : failure;
      done += pieceBytes;
    }
    return count;
  }

  #readPiece(
    chunk: Chunk | undefined,
    target: Uint8Array,
    targetAt: number,
    at: number,
    inChunk: number,
    count: number,
  ): number {
    let done = 0;
    if (chunk !== undefined) {
      if (isAway(chunk)) {
        const failure = this.#space.pages!.load(chunk, false);
        if (failure < 0) return failure;
      }
      chunk.isUsed = true;
      done = Math.min(count, Math.max(0, chunk.extent - inChunk));
      if (done > 0) copy(chunk.bytes, inChunk, done, target, targetAt);
    } else if (at < this.#lowerEnd) {
      done = Math.min(count, this.#lowerEnd - at);
      const whole = targetAt === 0 && done === target.length;
      const failure = this.lower!.read(whole ? target : target.subarray(targetAt, targetAt + done), at);
      if (failure < 0) return failure;
    }
    if (done < count) target.fill(0, targetAt + done, targetAt + count);
    return 0;
  }

  /**
   * Bytes written, short when the space is used up or the file is as long as it can be.
   * @returns ENOSPC or EFBIG when not one byte fits; EIO when the layer can't be read
   */
  write(source: Uint8Array, offset: number): number {
    let count = source.length;
    if (count === 0) return 0;
    if (offset + count > FILE_BYTES_MAX) {
      count = FILE_BYTES_MAX - offset;
      if (count <= 0) return -Errno.EFBIG;
    }
    let done = 0;
    while (done < count) {
      const at = offset + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const inChunk = at - index * CHUNK_BYTES;
      const pieceBytes = Math.min(count - done, CHUNK_BYTES - inChunk);
      const written = this.#writePiece(index, inChunk, source, done, pieceBytes);
      if (written < 0) {
        if (done === 0) return written;
        break;
      }
      done += written;
      if (written < pieceBytes) break;
    }
    if (offset + done > this.sizeBytes) this.sizeBytes = offset + done;
    return done;
  }

  #writePiece(index: number, inChunk: number, source: Uint8Array, from: number, count: number): number {
    let chunk = this.chunkAt(index);
    if (chunk === undefined) {
      const made = this.#makeChunk(index, inChunk, count);
      if (typeof made === "number") return made;
      chunk = made;
    }
    const pages = this.#space.pages;
    if (isAway(chunk)) {
      const failure = pages!.load(chunk, inChunk === 0 && count >= chunk.extent);
      if (failure < 0) return failure;
    }
    let end = inChunk + count;
    if (end > chunk.extent) {
      const charged = chunk.charged;
      end = this.#charge(chunk, end);
      count = end - inChunk;
      if (count <= 0) {
        this.#dropIfEmpty(index, chunk);
        return this.#full();
      }
      if (end > chunk.bytes.length) {
        const failure = grow(chunk, end, index, this.#space);
        if (failure < 0) {
          this.#space.bytes -= chunk.charged - charged;
          chunk.charged = charged;
          this.#dropIfEmpty(index, chunk);
          return failure;
        }
      }
      // What a hole was until now is read from now on.
      if (inChunk > chunk.extent) chunk.bytes.fill(0, chunk.extent, inChunk);
      if (end > chunk.extent) chunk.extent = end;
    }
    copy(source, from, count, chunk.bytes, inChunk);
    if (pages !== undefined) {
      chunk.isUsed = true;
      markDirty(chunk, inChunk, end);
      this.#note(index, pages);
    }
    return count;
  }

  #note(index: number, pages: PageCache): void {
    if (pages.isRecorded) this.#changesSince().indexes.add(index);
  }

  #changesSince(): ContentChanges {
    this.#changes ??= { cutTo: Number.POSITIVE_INFINITY, indexes: new Set() };
    return this.#changes;
  }

  /** Takes space for bytes up to `end`, or as many as fit. Answers how far the chunk may reach. */
  #charge(chunk: Chunk, end: number): number {
    const need = Math.max(end, chunk.costMin) - chunk.charged;
    if (need <= 0) return end;
    const free = this.#space.freeBytes;
    if (need <= free) {
      this.#space.bytes += need;
      chunk.charged += need;
      return end;
    }
    if (free <= 0 || chunk.charged + free < chunk.costMin) return chunk.charged;
    this.#space.bytes += free;
    chunk.charged += free;
    return chunk.charged;
  }

  #full(): number {
    this.#space.refuseBytes();
    return -Errno.ENOSPC;
  }

  /** A chunk that holds what the layer has of it, unless all of that is about to be overwritten. */
  #makeChunk(index: number, inChunk: number, count: number): Chunk | number {
    const start = index * CHUNK_BYTES;
    const costMin = index === 0 || this.#isFull(index - 1) ? 0 : LONE_CHUNK_BYTES;
    const chunk = makeChunk(NO_BYTES, 0, 0, costMin);
    const pages = this.#space.pages;
    const lowerBytes = Math.min(CHUNK_BYTES, this.#lowerEnd - start);
    if (lowerBytes > 0 && (inChunk > 0 || count < lowerBytes)) {
      if (this.#space.freeBytes < lowerBytes) return this.#full();
      const refused = grow(chunk, Math.max(lowerBytes, inChunk + count), index, this.#space);
      if (refused < 0) return refused;
      const failure = this.lower!.read(chunk.bytes.subarray(0, lowerBytes), start);
      if (failure < 0) {
        pages?.drop(chunk);
        return failure;
      }
      this.#space.bytes += lowerBytes;
      chunk.charged = lowerBytes;
      chunk.extent = lowerBytes;
      markDirty(chunk, 0, lowerBytes);
    } else if (lowerBytes > 0 && this.#space.freeBytes < lowerBytes) {
      // A short write would lose the rest of what the layer has.
      return this.#full();
    }
    this.#setChunk(index, chunk);
    return chunk;
  }

  /** EFBIG beyond what a file can be. Growing takes no space. */
  truncate(sizeBytes: number): number {
    if (sizeBytes > FILE_BYTES_MAX) return -Errno.EFBIG;
    if (sizeBytes < this.sizeBytes) this.#cut(sizeBytes);
    this.sizeBytes = sizeBytes;
    return 0;
  }

  #cut(sizeBytes: number): void {
    if (sizeBytes < this.#lowerEnd) this.#lowerEnd = sizeBytes;
    if (this.#space.pages?.isRecorded === true) {
      const changes = this.#changesSince();
      if (sizeBytes < changes.cutTo) changes.cutTo = sizeBytes;
    }
    if (this.#first !== undefined) this.#cutChunk(0, this.#first, sizeBytes);
    if (this.#rest === undefined) return;
    for (const [index, chunk] of this.#rest) this.#cutChunk(index, chunk, sizeBytes - index * CHUNK_BYTES);
  }

  /** @param keptBytes how many of its bytes stay; may be negative, or more than a chunk has */
  #cutChunk(index: number, chunk: Chunk, keptBytes: number): void {
    if (keptBytes >= CHUNK_BYTES) return;
    if (keptBytes <= 0) {
      this.#space.bytes -= chunk.charged;
      this.#dropChunk(index, chunk);
      return;
    }
    if (keptBytes < chunk.extent) {
      chunk.extent = keptBytes;
      const pieces = clipPieces(chunk.pieces, keptBytes);
      if (this.#space.pages === undefined) chunk.pieces = pieces;
      else this.#space.pages.setPieces(chunk, pieces);
      if (chunk.dirtyTo > keptBytes) chunk.dirtyTo = chunk.dirtyFrom < keptBytes ? keptBytes : 0;
    }
    const charged = Math.max(keptBytes, chunk.costMin);
    if (charged < chunk.charged) {
      this.#space.bytes -= chunk.charged - charged;
      chunk.charged = charged;
    }
  }

  /** Takes the space now, so that writes there can't fail for want of it. What the layer has counts as there. */
  allocate(offset: number, length: number): number {
    const end = offset + length;
    if (end > FILE_BYTES_MAX) return -Errno.EFBIG;
    // The loops below run once for each chunk: bounded by the space, since what is charged already is in it too.
    if (length > this.#space.bytesMax + this.#lowerEnd) return this.#full();
    let need = 0;
    for (let index = Math.floor(offset / CHUNK_BYTES); index * CHUNK_BYTES < end; index++) {
      need += this.#missing(index, end);
    }
    if (need > this.#space.freeBytes) return this.#full();
    for (let index = Math.floor(offset / CHUNK_BYTES); index * CHUNK_BYTES < end; index++) {
      const missing = this.#missing(index, end);
      if (missing === 0) continue;
      let chunk = this.chunkAt(index);
      if (chunk === undefined) {
        chunk = makeChunk(NO_BYTES, 0, 0, 0);
        this.#setChunk(index, chunk);
      }
      if (this.#space.pages !== undefined) this.#note(index, this.#space.pages);
      chunk.charged += missing;
      this.#space.bytes += missing;
    }
    if (end > this.sizeBytes) this.sizeBytes = end;
    return 0;
  }

  #missing(index: number, end: number): number {
    const start = index * CHUNK_BYTES;
    const chunk = this.chunkAt(index);
    if (chunk === undefined && start < this.#lowerEnd) return 0;
    return Math.max(0, Math.min(CHUNK_BYTES, end - start) - (chunk?.charged ?? 0));
  }

  /** Gives back all space. The file must not be used after it. */
  release(): void {
    this.#cut(0);
    this.sizeBytes = 0;
  }

  /** What was written. */
  *written(): Iterable<[index: number, chunk: Chunk]> {
    if (this.#first !== undefined) yield [0, this.#first];
    if (this.#rest !== undefined) yield* this.#rest;
  }

  /** Undefined: nothing changed. */
  get changes(): ContentChanges | undefined {
    return this.#changes;
  }

  /** A journal has them. */
  forgetChanges(): void {
    this.#changes = undefined;
  }

  get lowerEnd(): number {
    return this.#lowerEnd;
  }

  /** The counterpart of `written`: charges what it is told was charged. In place of what it has there, if anything. */
  adopt(index: number, chunk: Chunk): void {
    const before = this.chunkAt(index);
    if (before !== undefined) this.#space.bytes -= before.charged;
    this.#space.bytes += chunk.charged;
    this.#setChunk(index, chunk);
  }

  /** The file system pages from now on: what is here already counts too. */
  enterPages(pages: PageCache): void {
    for (const [index, chunk] of this.written()) {
      // What is neither on disk nor here is zeros, and needs no place.
      if (chunk.pieces.length === 0 && chunk.extent > 0 && !isAway(chunk)) {
        markDirty(chunk, 0, chunk.extent);
        this.#note(index, pages);
      }
      pages.enter(chunk);
    }
  }

  /** What a record says of it. What was cut off meanwhile is cut off first. */
  reshape(cutTo: number, sizeBytes: number, lowerEnd: number): void {
    if (cutTo < this.sizeBytes) this.#cut(cutTo);
    this.sizeBytes = sizeBytes;
    this.#lowerEnd = lowerEnd;
  }

  /**
   * The bytes of a chunk that is all written, or is the last of the file; undefined where it isn't, or isn't in memory.
   * @param fetch has it come into memory
   */
  resident(index: number, fetch: boolean): Uint8Array | undefined {
    const chunk = this.chunkAt(index);
    const bytes = Math.min(CHUNK_BYTES, this.sizeBytes - index * CHUNK_BYTES);
    if (chunk === undefined || chunk.extent < bytes) return undefined;
    if (isAway(chunk) && (!fetch || this.#space.pages!.load(chunk, false) < 0)) return undefined;
    chunk.isUsed = true;
    return chunk.bytes;
  }

  chunkAt(index: number): Chunk | undefined {
    return index === 0 ? this.#first : this.#rest?.get(index);
  }

  #setChunk(index: number, chunk: Chunk): void {
    if (index === 0) {
      this.#first = chunk;
      return;
    }
    this.#rest ??= new Map();
    this.#rest.set(index, chunk);
  }

  #dropChunk(index: number, chunk: Chunk): void {
    this.#space.pages?.drop(chunk);
    this.#space.memory.give(chunk.bytes);
    if (this.#space.pages === undefined) this.#space.budget?.give(chunk.bytes.length);
    if (index === 0) this.#first = undefined;
    else this.#rest?.delete(index);
  }

  #dropIfEmpty(index: number, chunk: Chunk): void {
    if (chunk.extent === 0 && chunk.charged === 0) this.#dropChunk(index, chunk);
  }

  #isFull(index: number): boolean {
    const chunk = this.chunkAt(index);
    if (chunk === undefined) return (index + 1) * CHUNK_BYTES <= this.#lowerEnd;
    return chunk.extent === CHUNK_BYTES;
  }
}

/** The first buffer of a small file is exact; then it doubles, up to a chunk. A chunk that follows a full one is whole at once. Answers 0, what the page cache said, or ENOSPC: the container has no memory for it. */
function grow(chunk: Chunk, end: number, index: number, { pages, memory, budget }: Space): number {
  const old = chunk.bytes;
  let capacity = end;
  if (old.length > 0) capacity = Math.max(end, GROWN_BYTES_MIN, Math.min(CHUNK_BYTES, old.length * 2));
  else if (index > 0 && chunk.costMin === 0) capacity = CHUNK_BYTES;
  if (pages !== undefined) {
    const failure = pages.reserve(capacity - old.length, chunk);
    if (failure < 0) return failure;
  } else if (budget !== undefined && !budget.take(capacity - old.length)) {
    if (!budget.take(end - old.length)) return -Errno.ENOSPC;
    capacity = end;
  }
  const bytes = pages === undefined ? memory.take(capacity) : pages.allocate(capacity);
  if (chunk.extent > 0) bytes.set(chunk.extent === old.length ? old : old.subarray(0, chunk.extent));
  chunk.bytes = bytes;
  memory.give(old);
  pages?.grown(chunk, old.length);
  return 0;
}

function copy(source: Uint8Array, from: number, count: number, target: Uint8Array, at: number): void {
  if (count < 32) {
    for (let index = 0; index < count; index++) target[at + index] = source[from + index]!;
  } else if (from === 0 && count === source.length) {
    target.set(source, at);
  } else {
    target.set(source.subarray(from, from + count), at);
  }
}
