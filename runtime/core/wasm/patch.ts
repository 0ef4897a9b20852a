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
  readonly pieces: readonly Piece[];
  /** What else is to be remembered; default: 0. */
  readonly note?: number;
}

export type Piece = Range | Uint8Array;

export function applyPatch(module: Uint8Array, { pieces }: Pick<Patch, "pieces">): Uint8Array {
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

/** More bytes than that in one place aren't found. */
const INSERTED_BYTES_MAX = 64;
/** So many have to be the same behind a difference. */
const SAME_BYTES = 16;

/** What was put into some bytes, here and there a little: the rest as parts of them. */
export function insertions(from: Uint8Array, to: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  let [at, out] = [0, 0];
  while (out < to.length) {
    const start = at;
    while (at < from.length && out < to.length && from[at] === to[out]) {
      at++;
      out++;
    }
    if (at > start) pieces.push([start, at]);
    if (out === to.length) break;
    const [skipped, added] = nextSame(from, at, to, out) ?? [from.length - at, to.length - out];
    pieces.push(to.slice(out, out + added));
    at += skipped;
    out += added;
  }
  return pieces;
}

/** How many bytes further both go on alike. */
function nextSame(from: Uint8Array, at: number, to: Uint8Array, out: number): [number, number] | undefined {
  const isSame = (a: number, b: number) => {
    if (a + SAME_BYTES > from.length || b + SAME_BYTES > to.length) return false;
    for (let index = 0; index < SAME_BYTES; index++) if (from[a + index] !== to[b + index]) return false;
    return true;
  };
  for (let sum = 1; sum <= 2 * INSERTED_BYTES_MAX; sum++) {
    for (
      let skipped = Math.max(0, sum - INSERTED_BYTES_MAX);
      skipped <= Math.min(sum, INSERTED_BYTES_MAX);
      skipped++
    ) {
      if (isSame(at + skipped, out + sum - skipped)) return [skipped, sum - skipped];
    }
  }
  return undefined;
}

/** What two changes make together. @param second of what the first makes */
export function compose(first: readonly Piece[], second: readonly Piece[]): Piece[] {
  const starts: number[] = [];
  let sizeBytes = 0;
  for (const piece of first) {
    starts.push(sizeBytes);
    sizeBytes += isNew(piece) ? piece.length : piece[1] - piece[0];
  }
  const pieces: Piece[] = [];
  let index = 0;
  for (const piece of second) {
    if (isNew(piece)) {
      pieces.push(piece);
      continue;
    }
    const [start, end] = piece;
    while (index > 0 && starts[index]! > start) index--;
    while (index + 1 < first.length && starts[index + 1]! <= start) index++;
    for (let at = start; at < end; ) {
      const source = first[index]!;
      const from = at - starts[index]!;
      const to = Math.min(end, starts[index + 1] ?? sizeBytes) - starts[index]!;
      pieces.push(isNew(source) ? source.subarray(from, to) : [source[0] + from, source[0] + to]);
      at = starts[index]! + to;
      if (at < end) index++;
    }
  }
  return pieces;
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
