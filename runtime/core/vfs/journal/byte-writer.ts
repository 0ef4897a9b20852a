/** Writes little-endian numbers and texts into one buffer that grows. The counterpart of `ByteReader`. */

const CAPACITY_MIN = 1024;
const encoder = new TextEncoder();

export class ByteWriter {
  sizeBytes = 0;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;

  constructor(capacityBytes = CAPACITY_MIN) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Where the next `count` bytes go. */
  #take(count: number): number {
    const at = this.sizeBytes;
    const end = at + count;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.sizeBytes = end;
    return at;
  }

  u8(value: number): void {
    const at = this.#take(1);
    this.#bytes[at] = value;
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, value, true);
  }

  /** Whole numbers up to 2^53, exact. */
  f64(value: number): void {
    const at = this.#take(8);
    this.#view.setFloat64(at, value, true);
  }

  i64(value: bigint): void {
    const at = this.#take(8);
    this.#view.setBigInt64(at, value, true);
  }

  bytes(source: Uint8Array): void {
    const at = this.#take(source.length);
    this.#bytes.set(source, at);
  }

  /** UTF-8 behind its size. */
  text(text: string): void {
    const at = this.#take(4 + text.length);
    const bytes = this.#bytes;
    let index = 0;
    for (; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) break;
      bytes[at + 4 + index] = unit;
    }
    if (index === text.length) {
      this.#view.setUint32(at, text.length, true);
      return;
    }
    this.sizeBytes = at;
    const encoded = encoder.encode(text);
    this.u32(encoded.length);
    this.bytes(encoded);
  }

  /** Overwrites a number that was written before. */
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /** What was written; valid until the next write. */
  written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.sizeBytes);
  }

  clear(): void {
    this.sizeBytes = 0;
  }
}
