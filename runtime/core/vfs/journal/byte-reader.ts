/** Reads what `ByteWriter` wrote, or what somebody else left there: never past the end, never more than there is. */
import { WpodError } from "../../error.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Up to here a loop is faster than the decoder. */
const SHORT_TEXT_BYTES = 32;

export class ByteReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array<ArrayBuffer>, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  get leftBytes(): number {
    return this.#bytes.length - this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw damaged("it ends too early");
    this.#at = at + count;
    return at;
  }

  u8(): number {
    const at = this.#take(1);
    return this.#bytes[at]!;
  }

  u32(): number {
    const at = this.#take(4);
    return this.#view.getUint32(at, true);
  }

  /** A whole number from 0 to 2^53. */
  f64(): number {
    const at = this.#take(8);
    const value = this.#view.getFloat64(at, true);
    if (!Number.isSafeInteger(value) || value < 0) throw damaged("a number is out of range");
    return value;
  }

  i64(): bigint {
    const at = this.#take(8);
    return this.#view.getBigInt64(at, true);
  }

  /** A part of the buffer itself. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  text(): string {
    const sizeBytes = this.u32();
    const at = this.#take(sizeBytes);
    const bytes = this.#bytes;
    if (sizeBytes <= SHORT_TEXT_BYTES) {
      let text = "";
      let index = at;
      for (; index < at + sizeBytes; index++) {
        const unit = bytes[index]!;
        if (unit >= 0x80) break;
        text += String.fromCharCode(unit);
      }
      if (index === at + sizeBytes) return text;
    }
    return decoder.decode(bytes.subarray(at, at + sizeBytes));
  }

  /** A number of things that take at least `eachBytes` each. */
  count(eachBytes: number): number {
    const count = this.u32();
    if (count * eachBytes > this.leftBytes) throw damaged("it has more entries than bytes");
    return count;
  }
}

export function damaged(why: string): WpodError {
  return new WpodError("STORE_UNUSABLE", `the journal of a writable layer is damaged: ${why}`);
}
