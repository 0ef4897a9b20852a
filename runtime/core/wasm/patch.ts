/**
 * What becomes of a module, as far as it is new: the rest is told by its place. A patch can be kept, and is for each module that has the
 * same bytes where it looked.
 */

/** Offsets of its first byte, and behind its last one. */
export type Range = readonly [start: number, end: number];

export interface Patch {
  /** What it depends on, in order. */
  readonly reads: readonly Range[];
  /** Parts of the module, and bytes that are new, one behind the other. */
  readonly pieces: readonly (Range | Uint8Array)[];
}

export function applyPatch(module: Uint8Array, { pieces }: Patch): Uint8Array {
  const sizeBytes = pieces.reduce(
    (sum, piece) => sum + (isNew(piece) ? piece.length : piece[1] - piece[0]),
    0,
  );
  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    const bytes = isNew(piece) ? piece : module.subarray(piece[0], piece[1]);
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

export function isNew(piece: Range | Uint8Array): piece is Uint8Array {
  return piece instanceof Uint8Array;
}

/** @param pieces those that lie in the module's own memory are parts of it */
export function patchOf(module: Uint8Array, reads: readonly Range[], pieces: readonly Uint8Array[]): Patch {
  return {
    reads,
    pieces: pieces.map((piece) => {
      const start = piece.byteOffset - module.byteOffset;
      const isPart = piece.buffer === module.buffer && start >= 0 && start + piece.length <= module.length;
      return isPart ? ([start, start + piece.length] as const) : piece;
    }),
  };
}
