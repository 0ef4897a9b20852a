/** A part of a file's content, in memory, on disk, or both. */

export const CHUNK_BYTES = 256 * 1024;

/** Where a store has bytes of a chunk. */
export interface Piece {
  /** In the chunk. */
  start: number;
  sizeBytes: number;
  /** Which of the store's files, and where in it. */
  file: number;
  offsetBytes: number;
}

export interface Chunk {
  /** Behind `extent` is whatever the memory held before: nobody reads it. Shorter than `extent`: not in memory. Belongs to the chunk, or is a part of a larger buffer that nobody writes to. */
  bytes: Uint8Array;
  /** Bytes that were written, from the start of the chunk to the last one. */
  extent: number;
  /** What it takes of the space; at least `extent` and `costMin`. */
  charged: number;
  costMin: number;
  /** What is on disk; a later piece lies over an earlier one, and zeros are between them. None ends behind `extent`. */
  pieces: Piece[];
  /** What was written in memory and is not on disk yet; nothing when `dirtyTo` is 0. */
  dirtyFrom: number;
  dirtyTo: number;
  /** Somebody looked at it since the page cache last came by. */
  isUsed: boolean;
  /** Its place in the page cache; -1: not in memory, or nobody counts. */
  slot: number;
}

/** What chunks have in place of bytes when they have none, or none in memory. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** What chunks have that were never on disk: shared, since most are. */
export const NO_PIECES: Piece[] = [];

export function makeChunk(bytes: Uint8Array, extent: number, charged: number, costMin: number): Chunk {
  return {
    bytes,
    extent,
    charged,
    costMin,
    pieces: NO_PIECES,
    dirtyFrom: 0,
    dirtyTo: 0,
    isUsed: true,
    slot: -1,
  };
}

/** Its bytes have to be fetched before they are looked at. */
export function isAway(chunk: Chunk): boolean {
  return chunk.bytes.length < chunk.extent;
}

export function markDirty(chunk: Chunk, from: number, to: number): void {
  if (chunk.dirtyTo === 0) {
    chunk.dirtyFrom = from;
    chunk.dirtyTo = to;
    return;
  }
  if (from < chunk.dirtyFrom) chunk.dirtyFrom = from;
  if (to > chunk.dirtyTo) chunk.dirtyTo = to;
}

export function piecesBytes(pieces: readonly Piece[]): number {
  let sizeBytes = 0;
  for (const piece of pieces) sizeBytes += piece.sizeBytes;
  return sizeBytes;
}

/** Forgets what is on disk behind `extent`. Makes new pieces: the old ones may stand in a record that is being made. */
export function clipPieces(pieces: readonly Piece[], extent: number): Piece[] {
  const kept: Piece[] = [];
  for (const piece of pieces) {
    const sizeBytes = Math.min(piece.sizeBytes, extent - piece.start);
    if (sizeBytes > 0) kept.push(sizeBytes === piece.sizeBytes ? piece : { ...piece, sizeBytes });
  }
  return kept.length === 0 ? NO_PIECES : kept;
}
