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

export class RecordReader {
  readonly #ring: Ring;
  readonly #header = new Uint8Array(HEADER_BYTES);
  /** Of the record whose header was read. */
  #leftBytes = 0;
  #inRecord = false;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /**
   * @param joined records are one stream: as many as fit, and empty ones are nothing
   * @returns undefined when there is nothing
   */
  read(target: Uint8Array, joined: boolean): number | undefined {
    let count = 0;
    while (this.#begin()) {
      const piece = Math.min(this.#leftBytes, target.length - count);
      this.#ring.read(target.subarray(count, count + piece));
      this.#leftBytes -= piece;
      count += piece;
      this.#inRecord = this.#leftBytes > 0;
      if (!joined) return count;
      if (count === target.length) break;
    }
    return count > 0 ? count : undefined;
  }

  /** A read that isn't joined would answer something. */
  hasRecord(): boolean {
    return this.#begin();
  }

  /** Bytes that such a read would answer. */
  available(): number {
    return this.#begin() ? this.#leftBytes : 0;
  }

  #begin(): boolean {
    if (this.#inRecord) return true;
    if (this.#ring.available() < HEADER_BYTES) return false;
    this.#ring.read(this.#header);
    this.#leftBytes = new DataView(this.#header.buffer).getUint32(0, true);
    this.#inRecord = true;
    return true;
  }
}
