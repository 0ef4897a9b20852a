/**
 * Bytes of a file in memory, in chunks, over the bytes of a layer until they are written.
 *
 * A chunk that isn't there is a hole, or what the layer has there. The first chunk grows by doubling, so that a small
 * file costs its size; the others are whole at once: one growing buffer would stall for 200 ms when a large file
 * doubles, and hold 2 GiB for a byte at 1 GiB.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import type { BlobReader } from "../../../shim/abi/system.ts";
import type { SparsePiece } from "../image/layer-index.ts";
import type { Budget } from "./budget.ts";

export const CHUNK_BYTES = 256 * 1024;
const FIRST_CHUNK_BYTES = 256;
/** Largest file: what a number holds exactly. */
const SIZE_BYTES_MAX = Number.MAX_SAFE_INTEGER;

/** Where a layer has the content of a file. */
export interface LowerContent extends LowerPlace {
  readonly blob: BlobReader;
}

/** The same without the reader: what can be told to another thread. */
export interface LowerPlace {
  /** Which of the layers. */
  readonly layer: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly pieces: readonly SparsePiece[] | undefined;
}

export class FileContent {
  sizeBytes: number;
  /** By index of chunk. A `Map` would cost more for the common, dense file. */
  #chunks: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  /** How far each chunk has been written: what is charged. */
  #used: number[] = [];
  #lower: LowerContent | undefined;
  /** What of the lower content still shows: a truncated file doesn't get it back by growing. */
  #lowerSizeBytes: number;
  readonly #budget: Budget;

  constructor(budget: Budget, lower?: LowerContent) {
    this.#budget = budget;
    this.#lower = lower;
    this.#lowerSizeBytes = lower?.sizeBytes ?? 0;
    this.sizeBytes = this.#lowerSizeBytes;
  }

  /** Nothing has been written: the bytes are the layer's. */
  get untouched(): boolean {
    return this.#lower !== undefined && this.#chunks.length === 0 && this.#lowerSizeBytes === this.sizeBytes;
  }

  readAt(target: Uint8Array, offset: number): number {
    const count = Math.min(target.length, this.sizeBytes - offset);
    if (count <= 0) return 0;
    if (this.#chunks.length === 0 && this.#lower !== undefined && offset + count <= this.#lowerSizeBytes) {
      return readLower(this.#lower, count === target.length ? target : target.subarray(0, count), offset);
    }
    for (let done = 0; done < count; ) {
      const at = offset + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const inChunk = at - index * CHUNK_BYTES;
      const length = Math.min(count - done, CHUNK_BYTES - inChunk);
      const piece = length === target.length ? target : target.subarray(done, done + length);
      const failure = this.#readChunk(piece, index, inChunk);
      if (failure < 0) return done > 0 ? done : failure;
      done += length;
    }
    return count;
  }

  #readChunk(target: Uint8Array, index: number, inChunk: number): number {
    const chunk = this.#chunks[index];
    if (chunk === undefined) return this.#readBelow(target, index * CHUNK_BYTES + inChunk);
    const there = Math.min(target.length, chunk.length - inChunk);
    if (there > 0)
      target.set(there === chunk.length && inChunk === 0 ? chunk : chunk.subarray(inChunk, inChunk + there));
    // The first chunk is as long as was needed; what follows it inside the file are zeros.
    if (there < target.length) target.fill(0, Math.max(there, 0));
    return 0;
  }

  /** What lies under a chunk that isn't there. */
  #readBelow(target: Uint8Array, offset: number): number {
    const lowerCount = Math.min(target.length, Math.max(0, this.#lowerSizeBytes - offset));
    if (lowerCount > 0) {
      const count = readLower(this.#lower!, target.subarray(0, lowerCount), offset);
      if (count < 0) return count;
    }
    if (lowerCount < target.length) target.fill(0, lowerCount);
    return 0;
  }

  /** ENOSPC when nothing more fits; less than all when some did. EFBIG past the largest size. */
  writeAt(source: Uint8Array, offset: number): number {
    if (offset + source.length > SIZE_BYTES_MAX) return -Errno.EFBIG;
    let done = 0;
    while (done < source.length) {
      const at = offset + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const inChunk = at - index * CHUNK_BYTES;
      const wanted = Math.min(source.length - done, CHUNK_BYTES - inChunk);
      const count = this.#writeChunk(
        wanted === source.length ? source : source.subarray(done, done + wanted),
        index,
        inChunk,
      );
      if (count < 0) return done > 0 ? done : count;
      done += count;
      if (at + count > this.sizeBytes) this.sizeBytes = at + count;
      if (count < wanted) break;
    }
    return done;
  }

  #writeChunk(source: Uint8Array, index: number, inChunk: number): number {
    const start = index * CHUNK_BYTES;
    let used = this.#used[index] ?? 0;
    let chunk = this.#chunks[index];
    if (chunk === undefined) {
      // What shows from below is copied up with the first write to a chunk.
      const below = Math.min(
        CHUNK_BYTES,
        Math.max(0, Math.min(this.#lowerSizeBytes, this.sizeBytes) - start),
      );
      const whole = inChunk === 0 && source.length >= below;
      const needed = whole ? source.length : below;
      if (!this.#budget.take(whole ? 0 : needed)) return -Errno.ENOSPC;
      chunk = new Uint8Array(chunkLength(index, Math.max(needed, inChunk + source.length)));
      if (!whole && below > 0) {
        const failure = this.#readBelow(chunk.subarray(0, below), start);
        if (failure < 0) {
          this.#budget.giveBack(needed);
          return failure;
        }
      }
      used = whole ? 0 : below;
      while (this.#chunks.length <= index) {
        this.#chunks.push(undefined);
        this.#used.push(0);
      }
    }
    // Charged to where it has been written: holes in front of it are part of the chunk.
    const end = inChunk + source.length;
    let count = source.length;
    if (end > used) {
      const taken = this.#budget.takeSome(end - used);
      if (used + taken <= inChunk) {
        this.#budget.giveBack(taken);
        if (this.#chunks[index] === undefined) this.#budget.giveBack(used);
        return -Errno.ENOSPC;
      }
      used += taken;
      count = Math.min(count, used - inChunk);
    }
    if (chunk.length < inChunk + count) {
      const grown = new Uint8Array(chunkLength(index, inChunk + count));
      grown.set(chunk);
      chunk = grown;
    }
    chunk.set(count === source.length ? source : source.subarray(0, count), inChunk);
    this.#chunks[index] = chunk;
    this.#used[index] = used;
    return count;
  }

  truncate(sizeBytes: number): number {
    if (sizeBytes > SIZE_BYTES_MAX) return -Errno.EFBIG;
    if (sizeBytes < this.sizeBytes) {
      this.#lowerSizeBytes = Math.min(this.#lowerSizeBytes, sizeBytes);
      const kept = Math.ceil(sizeBytes / CHUNK_BYTES);
      for (let index = kept; index < this.#chunks.length; index++) this.#budget.giveBack(this.#used[index]!);
      if (this.#chunks.length > kept) {
        this.#chunks.length = kept;
        this.#used.length = kept;
      }
      this.#cutLast(kept - 1, sizeBytes - (kept - 1) * CHUNK_BYTES);
    }
    this.sizeBytes = sizeBytes;
    return 0;
  }

  #cutLast(index: number, length: number): void {
    const chunk = this.#chunks[index];
    if (chunk === undefined) return;
    chunk.fill(0, length);
    if (this.#used[index]! > length) {
      this.#budget.giveBack(this.#used[index]! - length);
      this.#used[index] = length;
    }
  }

  /** The file is gone: gives its bytes back. */
  drop(): void {
    for (const used of this.#used) this.#budget.giveBack(used);
    this.#chunks = [];
    this.#used = [];
    this.#lower = undefined;
    this.#lowerSizeBytes = 0;
    this.sizeBytes = 0;
  }

  /** For the hand-over: the buffers go with it. */
  toState(): ContentState {
    const lower = this.#lower;
    return {
      lower: lower && {
        layer: lower.layer,
        offsetBytes: lower.offsetBytes,
        sizeBytes: lower.sizeBytes,
        pieces: lower.pieces,
      },
      sizeBytes: this.sizeBytes,
      lowerSizeBytes: this.#lowerSizeBytes,
      chunks: this.#chunks,
      used: this.#used,
    };
  }

  restore(state: ContentState): void {
    this.sizeBytes = state.sizeBytes;
    this.#lowerSizeBytes = state.lowerSizeBytes;
    this.#chunks = state.chunks;
    this.#used = state.used;
    for (const used of state.used) this.#budget.takeSome(used);
  }
}

export interface ContentState {
  lower: LowerPlace | undefined;
  sizeBytes: number;
  lowerSizeBytes: number;
  chunks: (Uint8Array<ArrayBuffer> | undefined)[];
  used: number[];
}

function chunkLength(index: number, needed: number): number {
  if (index > 0 || needed > CHUNK_BYTES / 2) return CHUNK_BYTES;
  let length = FIRST_CHUNK_BYTES;
  while (length < needed) length *= 2;
  return length;
}

function readLower(lower: LowerContent, target: Uint8Array, offset: number): number {
  if (lower.pieces !== undefined) return readPieces(lower.blob, lower.pieces, target, offset);
  const count = lower.blob.read(target, lower.offsetBytes + offset);
  // A layer that is shorter than its index says was damaged after it was checked.
  return count >= 0 && count < target.length ? -Errno.EIO : count;
}

/** A sparse file of a layer: what lies between its pieces are zeros. */
function readPieces(
  blob: BlobReader,
  pieces: readonly SparsePiece[],
  target: Uint8Array,
  offset: number,
): number {
  target.fill(0);
  const end = offset + target.length;
  for (const piece of pieces) {
    const from = Math.max(offset, piece.startBytes);
    const to = Math.min(end, piece.startBytes + piece.sizeBytes);
    if (from >= to) continue;
    const part = target.subarray(from - offset, to - offset);
    const count = blob.read(part, piece.offsetBytes + (from - piece.startBytes));
    if (count < part.length) return count < 0 ? count : -Errno.EIO;
  }
  return target.length;
}
