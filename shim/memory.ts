/**
 * A guest's linear memory: the only place where a guest's pointer becomes bytes.
 *
 * Pointers and sizes are `u32` as non-negative numbers, so that no sum of two overflows. `contains` checks a range;
 * after it answered true, the accessors may be used inside the range until the guest runs again. (An accessor outside
 * memory is a defect of ours, and throws.)
 *
 * `memory.grow` detaches the buffer of a memory, or leaves the buffer of a shared one shorter than the memory: both
 * make the cached view too short, so the ordinary bounds check fails, and only then is the view made again.
 */
import { Errno } from "./abi/errno.ts";
import { IOVEC } from "./abi/layout.ts";
import type { Failure } from "./abi/system.ts";
import { GATHER_BYTES_MAX, PATH_BYTES_MAX } from "./limits.ts";

/** Up to here comparing with a string that was seen before is faster than a decoder: 20-80 ns against 120. */
const CACHED_PATH_BYTES_MAX = 48;
const CACHED_PATHS = 256;
/** Up to here copying byte by byte is faster than making the view that a copy needs. */
const COPIED_BYTES_MAX = 32;
const HASHED_BYTES = 8;
const HASH_PRIME = 0x01000193;

const UTF8 = new TextEncoder();
const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class GuestMemory {
  #memory: WebAssembly.Memory | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #shared = false;
  /** Paths that were read lately, by a hash of their bytes. Only ASCII ones, where a character is a byte. */
  readonly #paths: string[] = new Array(CACHED_PATHS).fill("");
  #gathered: Uint8Array | undefined;

  #grown: (() => void) | undefined;

  /**
   * From now on this is the guest's memory.
   * @param grown called when it is another size than before, at the next look
   */
  attach(memory: WebAssembly.Memory, grown?: () => void): void {
    this.#memory = memory;
    this.#grown = grown;
    this.#refresh();
  }

  /** Other threads see it. */
  get shared(): boolean {
    return this.#shared;
  }

  /** The range lies inside memory. */
  contains(ptr: number, sizeBytes: number): boolean {
    return ptr + sizeBytes <= this.#bytes.length || this.#containsNow(ptr, sizeBytes);
  }

  #containsNow(ptr: number, sizeBytes: number): boolean {
    this.#refresh();
    return ptr + sizeBytes <= this.#bytes.length;
  }

  #refresh(): void {
    if (this.#memory === undefined) return;
    const buffer = this.#memory.buffer;
    if (buffer === this.#bytes.buffer && this.#bytes.length === buffer.byteLength) return;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#shared = !(buffer instanceof ArrayBuffer);
    this.#grown?.();
  }

  u8(ptr: number): number {
    return this.#view.getUint8(ptr);
  }
  u16(ptr: number): number {
    return this.#view.getUint16(ptr, true);
  }
  u32(ptr: number): number {
    return this.#view.getUint32(ptr, true);
  }
  u64(ptr: number): bigint {
    return this.#view.getBigUint64(ptr, true);
  }
  setU8(ptr: number, value: number): void {
    this.#view.setUint8(ptr, value);
  }
  setU16(ptr: number, value: number): void {
    this.#view.setUint16(ptr, value, true);
  }
  setU32(ptr: number, value: number): void {
    this.#view.setUint32(ptr, value, true);
  }
  setU64(ptr: number, value: bigint): void {
    this.#view.setBigUint64(ptr, value, true);
  }
  /** A non-negative safe integer as a `u64`: half the price of going through a bigint. */
  setSafeU64(ptr: number, value: number): void {
    this.#view.setUint32(ptr, value, true); // DataView takes it modulo 2^32
    this.#view.setUint32(ptr + 4, value / 0x1_0000_0000, true);
  }
  zero(ptr: number, sizeBytes: number): void {
    this.#bytes.fill(0, ptr, ptr + sizeBytes);
  }
  setBytes(ptr: number, source: Uint8Array): void {
    this.#bytes.set(source, ptr);
  }

  /**
   * Writes a string in UTF-8, cut off after `sizeBytes`, without a NUL.
   *
   * @returns the bytes that the whole string has
   */
  setText(ptr: number, text: string, sizeBytes: number): number {
    const bytes = this.#bytes;
    const length = Math.min(text.length, sizeBytes);
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) return this.#setEncoded(ptr, UTF8.encode(text), sizeBytes);
      bytes[ptr + index] = unit;
    }
    return length === text.length ? length : this.#setEncoded(ptr, UTF8.encode(text), sizeBytes);
  }

  #setEncoded(ptr: number, encoded: Uint8Array, sizeBytes: number): number {
    this.#bytes.set(encoded.length > sizeBytes ? encoded.subarray(0, sizeBytes) : encoded, ptr);
    return encoded.length;
  }

  /** The bytes of a range, as a view; undefined when it leaves memory. */
  slice(ptr: number, sizeBytes: number): Uint8Array | undefined {
    if (!this.contains(ptr, sizeBytes)) return undefined;
    // A view on a detached buffer can't be made, not even an empty one.
    if (this.#bytes.length === 0) this.#refresh();
    return this.#bytes.subarray(ptr, ptr + sizeBytes);
  }

  /** The buffer that one `iovec` describes; undefined when the struct or the buffer leaves memory. */
  iovec(ptr: number): Uint8Array | undefined {
    if (!this.contains(ptr, IOVEC.sizeBytes)) return undefined;
    return this.slice(
      this.#view.getUint32(ptr + IOVEC.buf, true),
      this.#view.getUint32(ptr + IOVEC.buf_len, true),
    );
  }

  /**
   * The bytes of several buffers in a row: a view where one of them has them all, else a copy that the next call overwrites.
   *
   * @param iovsPtr offset of `iovsCount` × `iovec`, which were checked
   * @param totalBytes of all buffers, at most `GATHER_BYTES_MAX`
   * @returns undefined when another thread has changed them since
   */
  gather(iovsPtr: number, iovsCount: number, totalBytes: number): Uint8Array | undefined {
    this.#gathered ??= new Uint8Array(GATHER_BYTES_MAX);
    const gathered = this.#gathered;
    let at = 0;
    for (let index = 0; index < iovsCount; index++) {
      const iovecPtr = iovsPtr + index * IOVEC.sizeBytes;
      const ptr = this.u32(iovecPtr + IOVEC.buf);
      const sizeBytes = this.u32(iovecPtr + IOVEC.buf_len);
      if (!this.contains(ptr, sizeBytes) || at + sizeBytes > totalBytes) return undefined;
      if (sizeBytes === totalBytes) return this.slice(ptr, sizeBytes);
      if (sizeBytes > COPIED_BYTES_MAX) gathered.set(this.#bytes.subarray(ptr, ptr + sizeBytes), at);
      else
        for (let offset = 0; offset < sizeBytes; offset++) gathered[at + offset] = this.#bytes[ptr + offset]!;
      at += sizeBytes;
    }
    return gathered.subarray(0, at);
  }

  /**
   * A path, or what a symbolic link is to point to.
   *
   * @returns EFAULT it leaves memory; ENAMETOOLONG; EINVAL it holds a NUL; EILSEQ it isn't UTF-8
   */
  path(ptr: number, sizeBytes: number): string | Failure {
    if (!this.contains(ptr, sizeBytes)) return -Errno.EFAULT;
    if (sizeBytes > CACHED_PATH_BYTES_MAX) return this.#decodePath(ptr, sizeBytes);

    const bytes = this.#bytes;
    const end = ptr + sizeBytes;
    let hash = sizeBytes;
    for (let at = Math.max(ptr, end - HASHED_BYTES); at < end; at++)
      hash = Math.imul(hash ^ bytes[at]!, HASH_PRIME);
    const slot = (hash ^ (hash >>> 15)) & (CACHED_PATHS - 1);
    const known = this.#paths[slot]!;
    if (known.length === sizeBytes && sameBytes(known, bytes, ptr)) return known;

    const path = this.#decodePath(ptr, sizeBytes);
    if (typeof path === "string" && path.length === sizeBytes) this.#paths[slot] = path;
    return path;
  }

  #decodePath(ptr: number, sizeBytes: number): string | Failure {
    if (sizeBytes >= PATH_BYTES_MAX) return -Errno.ENAMETOOLONG;
    if (sizeBytes === 0) return "";
    // From shared memory by a copy: what is checked has to be what is decoded.
    const bytes = this.#shared
      ? this.#bytes.slice(ptr, ptr + sizeBytes)
      : this.#bytes.subarray(ptr, ptr + sizeBytes);
    if (bytes.includes(0)) return -Errno.EINVAL;
    try {
      return STRICT_UTF8.decode(bytes);
    } catch {
      return -Errno.EILSEQ; // The decoder says no in no other way.
    }
  }
}

/** `text` is ASCII and as long as what lies at `ptr`. */
function sameBytes(text: string, bytes: Uint8Array, ptr: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[ptr + index]) return false;
  }
  return true;
}

/** A string as UTF-8. What isn't valid UTF-16 becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  return UTF8.encode(text);
}
