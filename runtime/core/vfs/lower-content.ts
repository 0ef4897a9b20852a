/** The bytes of a file in an image layer: pieces of the layer's tar, zeros between them. Never changed. */
import { Errno } from "../../../shim/abi/errno.ts";
import type { BlobReader } from "../../../shim/abi/system.ts";
import type { SparsePiece } from "../image/layer-index.ts";

export class LowerContent {
  readonly blob: BlobReader;
  /** Which of the layers; 0 is the lowest. */
  readonly layer: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly pieces: readonly SparsePiece[] | undefined;

  constructor(
    blob: BlobReader,
    layer: number,
    offsetBytes: number,
    sizeBytes: number,
    pieces: readonly SparsePiece[] | undefined,
  ) {
    this.blob = blob;
    this.layer = layer;
    this.offsetBytes = offsetBytes;
    this.sizeBytes = sizeBytes;
    this.pieces = pieces;
  }

  /**
   * Fills `target` from `offset` on; all of it lies inside the file.
   * @returns 0, or a negative `Errno` when the blob can't be read: EIO also when it is shorter than its index says
   */
  read(target: Uint8Array, offset: number): number {
    if (this.pieces === undefined) return readFully(this.blob, target, this.offsetBytes + offset);
    target.fill(0);
    const end = offset + target.length;
    for (let index = firstPieceAfter(this.pieces, offset); index < this.pieces.length; index++) {
      const piece = this.pieces[index]!;
      if (piece.startBytes >= end) break;
      const from = Math.max(offset, piece.startBytes);
      const to = Math.min(end, piece.startBytes + piece.sizeBytes);
      if (from >= to) continue;
      const part = target.subarray(from - offset, to - offset);
      const failure = readFully(this.blob, part, piece.offsetBytes + (from - piece.startBytes));
      if (failure < 0) return failure;
    }
    return 0;
  }
}

/** Index of the first piece that ends behind `offset`. Pieces stand in order. */
function firstPieceAfter(pieces: readonly SparsePiece[], offset: number): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const piece = pieces[middle]!;
    if (piece.startBytes + piece.sizeBytes <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function readFully(blob: BlobReader, target: Uint8Array, offset: number): number {
  let done = blob.read(target, offset);
  if (done === target.length) return 0;
  while (done >= 0 && done < target.length) {
    const count = blob.read(target.subarray(done), offset + done);
    if (count < 0) return count;
    if (count === 0) return -Errno.EIO;
    done += count;
  }
  return Math.min(done, 0);
}
