/**
 * What a terminal's program reads, through a ring: records of 4 bytes of length, little-endian, and their bytes. A record
 * comes whole. In canonical mode a read gets bytes of one only, and an empty one is an end of file.
 */
import type { Ring } from "../ipc/ring.ts";

const HEADER_BYTES = 4;

/** A record of what is longer than this is cut in two. */
export function recordBytesMax(ring: Ring): number {
  return ring.capacityBytes / 4;
}

/** @returns false when there is no room yet; ring the reader's bell when there was */
export function writeRecord(ring: Ring, bytes: Uint8Array): boolean {
  if (ring.free() < HEADER_BYTES + bytes.length) return false;
  const record = new Uint8Array(HEADER_BYTES + bytes.length);
  new DataView(record.buffer).setUint32(0, bytes.length, true);
  record.set(bytes, HEADER_BYTES);
  ring.write(record);
  return true;
}

/** Where a reader is, for whoever reads after it. */
export interface RecordPlace {
  /** Bytes of the record that is being read; undefined: none is. */
  recordLeft: number | undefined;
}

export class RecordReader {
  readonly #ring: Ring;
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #place: RecordPlace;

  constructor(ring: Ring, place: RecordPlace) {
    this.#ring = ring;
    this.#place = place;
  }

  /**
   * @param joined records are one stream: as many as fit, and empty ones are nothing
   * @returns undefined when there is nothing
   */
  read(target: Uint8Array, joined: boolean): number | undefined {
    let count = 0;
    for (let left = this.available(); left !== undefined; left = this.available()) {
      const piece = Math.min(left, target.length - count);
      this.#ring.read(target.subarray(count, count + piece));
      this.#place.recordLeft = left > piece ? left - piece : undefined;
      count += piece;
      if (!joined) return count;
      if (count === target.length) break;
    }
    return count > 0 ? count : undefined;
  }

  /** Bytes that a read would answer that isn't joined; undefined when it would answer nothing. */
  available(): number | undefined {
    const left = this.#place.recordLeft;
    if (left !== undefined) return left;
    if (this.#ring.available() < HEADER_BYTES) return undefined;
    this.#ring.read(this.#header);
    const length = new DataView(this.#header.buffer).getUint32(0, true);
    this.#place.recordLeft = length;
    return length;
  }
}
