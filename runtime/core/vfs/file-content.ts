/**
 * The bytes of one regular file: chunks of 256 KiB in memory over what an image layer has.
 *
 * A chunk that isn't there reads from the layer up to `lowerEnd`, and as zeros behind it: so holes cost nothing, the
 * first write to a file of the image copies only the chunks that it touches, and truncating copies nothing. One
 * contiguous buffer was measured against this: doubling it stalled a guest for 200-340 ms, and a byte at 1 GiB took 2 GiB.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import type { LowerContent } from "./lower-content.ts";
import type { Space } from "./space.ts";

export const CHUNK_BYTES = 256 * 1024;
/** Offsets are numbers: beyond this they aren't exact. */
export const FILE_BYTES_MAX = Number.MAX_SAFE_INTEGER;
/** What a chunk costs at least when it doesn't follow a full one: else single bytes, far apart, would cost only themselves. */
const LONE_CHUNK_BYTES = 4096;
const GROWN_BYTES_MIN = 256;

/** Bytes of `bytes` behind `extent` are zero. */
interface Chunk {
  bytes: Uint8Array<ArrayBuffer>;
  /** Bytes that were written, from the start of the chunk to the last one. */
  extent: number;
  /** What it takes of the space; at least `extent` and `costMin`. */
  charged: number;
  costMin: number;
}

/** A chunk with its place in the file: for snapshots. */
export interface ChunkParts extends Chunk {
  index: number;
}

const NOTHING = new Uint8Array(0);

export class FileContent {
  sizeBytes: number;
  readonly #space: Space;
  readonly lower: LowerContent | undefined;
  /** Where the layer's bytes end: its size, or less after a truncation. */
  #lowerEnd: number;
  #first: Chunk | undefined = undefined;
  #rest: Map<number, Chunk> | undefined = undefined;

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
      const failure = this.#readPiece(this.#chunk(index), target, done, at, inChunk, pieceBytes);
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
    let chunk = this.#chunk(index);
    if (chunk === undefined) {
      const made = this.#makeChunk(index, inChunk, count);
      if (typeof made === "number") return made;
      chunk = made;
    }
    let end = inChunk + count;
    if (end > chunk.extent) {
      end = this.#charge(chunk, end);
      count = end - inChunk;
      if (count <= 0) {
        this.#dropIfEmpty(index, chunk);
        return -Errno.ENOSPC;
      }
      if (end > chunk.bytes.length) grow(chunk, end, index);
      if (end > chunk.extent) chunk.extent = end;
    }
    copy(source, from, count, chunk.bytes, inChunk);
    return count;
  }

  /** Takes space for bytes up to `end`, or as many as fit. Answers how far the chunk may reach. */
  #charge(chunk: Chunk, end: number): number {
    const need = Math.max(end, chunk.costMin) - chunk.charged;
    if (need <= 0) return end;
    const free = this.#space.bytesMax - this.#space.bytes;
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

  /** A chunk that holds what the layer has of it, unless all of that is about to be overwritten. */
  #makeChunk(index: number, inChunk: number, count: number): Chunk | number {
    const start = index * CHUNK_BYTES;
    const chunk: Chunk = {
      bytes: NOTHING,
      extent: 0,
      charged: 0,
      costMin: index === 0 || this.#isFull(index - 1) ? 0 : LONE_CHUNK_BYTES,
    };
    const lowerBytes = Math.min(CHUNK_BYTES, this.#lowerEnd - start);
    if (lowerBytes > 0 && (inChunk > 0 || count < lowerBytes)) {
      if (this.#space.bytesMax - this.#space.bytes < lowerBytes) return -Errno.ENOSPC;
      grow(chunk, Math.max(lowerBytes, inChunk + count), index);
      const failure = this.lower!.read(chunk.bytes.subarray(0, lowerBytes), start);
      if (failure < 0) return failure;
      this.#space.bytes += lowerBytes;
      chunk.charged = lowerBytes;
      chunk.extent = lowerBytes;
    } else if (lowerBytes > 0 && this.#space.bytesMax - this.#space.bytes < lowerBytes) {
      // A short write would lose the rest of what the layer has.
      return -Errno.ENOSPC;
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
    if (this.#first !== undefined) this.#cutChunk(0, this.#first, sizeBytes);
    if (this.#rest === undefined) return;
    for (const [index, chunk] of this.#rest) this.#cutChunk(index, chunk, sizeBytes - index * CHUNK_BYTES);
  }

  /** @param keptBytes how many of its bytes stay; may be negative, or more than a chunk has */
  #cutChunk(index: number, chunk: Chunk, keptBytes: number): void {
    if (keptBytes >= CHUNK_BYTES) return;
    if (keptBytes <= 0) {
      this.#space.bytes -= chunk.charged;
      this.#dropChunk(index);
      return;
    }
    if (keptBytes < chunk.extent) {
      chunk.bytes.fill(0, keptBytes, chunk.extent);
      chunk.extent = keptBytes;
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
    if (length > this.#space.bytesMax + this.#lowerEnd) return -Errno.ENOSPC;
    let need = 0;
    for (let index = Math.floor(offset / CHUNK_BYTES); index * CHUNK_BYTES < end; index++) {
      need += this.#missing(index, end);
    }
    if (need > this.#space.bytesMax - this.#space.bytes) return -Errno.ENOSPC;
    for (let index = Math.floor(offset / CHUNK_BYTES); index * CHUNK_BYTES < end; index++) {
      const missing = this.#missing(index, end);
      if (missing === 0) continue;
      let chunk = this.#chunk(index);
      if (chunk === undefined) {
        chunk = { bytes: NOTHING, extent: 0, charged: 0, costMin: 0 };
        this.#setChunk(index, chunk);
      }
      chunk.charged += missing;
      this.#space.bytes += missing;
    }
    if (end > this.sizeBytes) this.sizeBytes = end;
    return 0;
  }

  #missing(index: number, end: number): number {
    const start = index * CHUNK_BYTES;
    const chunk = this.#chunk(index);
    if (chunk === undefined && start < this.#lowerEnd) return 0;
    return Math.max(0, Math.min(CHUNK_BYTES, end - start) - (chunk?.charged ?? 0));
  }

  /** Gives back all space. The file must not be used after it. */
  release(): void {
    this.#cut(0);
    this.sizeBytes = 0;
  }

  /** What was written, for a hand-over: buffers that belong to nobody else. */
  *written(): Iterable<ChunkParts> {
    if (this.#first !== undefined) yield { index: 0, ...this.#first };
    for (const [index, chunk] of this.#rest ?? []) yield { index, ...chunk };
  }

  get lowerEnd(): number {
    return this.#lowerEnd;
  }

  /** The counterpart of `written`: charges what it is told was charged. */
  adopt(sizeBytes: number, lowerEnd: number, chunks: readonly ChunkParts[]): void {
    this.sizeBytes = sizeBytes;
    this.#lowerEnd = lowerEnd;
    for (const { index, bytes, extent, charged, costMin } of chunks) {
      this.#space.bytes += charged;
      this.#setChunk(index, { bytes, extent, charged, costMin });
    }
  }

  #chunk(index: number): Chunk | undefined {
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

  #dropChunk(index: number): void {
    if (index === 0) this.#first = undefined;
    else this.#rest?.delete(index);
  }

  #dropIfEmpty(index: number, chunk: Chunk): void {
    if (chunk.extent === 0 && chunk.charged === 0) this.#dropChunk(index);
  }

  #isFull(index: number): boolean {
    const chunk = this.#chunk(index);
    if (chunk === undefined) return (index + 1) * CHUNK_BYTES <= this.#lowerEnd;
    return chunk.extent === CHUNK_BYTES;
  }
}

/** The first buffer of a small file is exact; then it doubles, up to a chunk. A chunk that follows a full one is whole at once. */
function grow(chunk: Chunk, end: number, index: number): void {
  const old = chunk.bytes;
  let capacity = end;
  if (old.length > 0) capacity = Math.max(end, GROWN_BYTES_MIN, Math.min(CHUNK_BYTES, old.length * 2));
  else if (index > 0 && chunk.costMin === 0) capacity = CHUNK_BYTES;
  const bytes = new Uint8Array(capacity);
  if (chunk.extent > 0) bytes.set(chunk.extent === old.length ? old : old.subarray(0, chunk.extent));
  chunk.bytes = bytes;
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
