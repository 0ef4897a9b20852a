/** Puts pieces one behind the other: one copy of each. */
export function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  let sizeBytes = 0;
  for (const piece of pieces) sizeBytes += piece.length;
  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
