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

/** Bytes that are written one behind the other, their number not known before. */
export class ByteWriter {
  #bytes: Uint8Array;
  #size = 0;

  /** @param expectedBytes how many it will be, about */
  constructor(expectedBytes: number) {
    this.#bytes = new Uint8Array(expectedBytes);
  }

  /** What was written; not copied. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Of what was written. */
  get size(): number {
    return this.#size;
  }

  write(piece: ArrayLike<number>): void {
    const { length } = piece;
    this.#reserve(length);
    const to = this.#bytes;
    let at = this.#size;
    for (let index = 0; index < length; index++) to[at++] = piece[index]!;
    this.#size = at;
  }

  /** `bytes[start, end)` */
  copy(bytes: Uint8Array, start: number, end: number): void {
    const sizeBytes = end - start;
    this.#reserve(sizeBytes);
    const to = this.#bytes;
    let at = this.#size;
    if (sizeBytes > BY_HAND_MAX_BYTES) to.set(bytes.subarray(start, end), at);
    else for (let from = start; from < end; from++) to[at++] = bytes[from]!;
    this.#size += sizeBytes;
  }

  #reserve(sizeBytes: number): void {
    if (this.#size + sizeBytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 1.5, this.#size + sizeBytes));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Below this a loop is faster than a call that copies. */
const BY_HAND_MAX_BYTES = 64;
