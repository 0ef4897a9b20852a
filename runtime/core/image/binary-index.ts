/** Reads the index of a layer straight from its bytes, a directory at a time. */
import { WpodError } from "../error.ts";
import {
  DirectoryFlag,
  ENTRY_TYPES,
  EntryFlag,
  HeaderField,
  hashPath,
  INDEX_HEADER_BYTES,
  INDEX_MAGIC,
  OFFSET_UNIT_BYTES,
} from "./index-format.ts";
import type { EntryType, LayerEntry, LayerIndex, SparsePiece } from "./layer-index.ts";
import { decodeText } from "./text.ts";

const NS_PER_SECOND = 1_000_000_000n;
const encoder = new TextEncoder();

/**
 * @param bytes a whole index file; it is kept, and must not change
 * @throws WpodError BLOB_CORRUPT when it is no index, or cut off
 */
export function openIndex(bytes: Uint8Array): BinaryIndex {
  return new BinaryIndex(bytes);
}

export class BinaryIndex implements LayerIndex {
  readonly entryCount: number;
  /** Of the tar that this is the index of. */
  readonly tarSizeBytes: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #slotMask: number;
  /** Where the next value of a block is read. */
  #at = 0;

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isWhole =
      bytes.length >= INDEX_HEADER_BYTES &&
      decodeText(bytes, 0, INDEX_MAGIC.length) === INDEX_MAGIC &&
      view.getUint32(HeaderField.sizeBytes, true) === bytes.length;
    if (!isWhole) {
      throw new WpodError("BLOB_CORRUPT", "the index of a layer is damaged", {
        hint: "load the image again",
      });
    }
    this.#bytes = bytes;
    this.#view = view;
    this.entryCount = view.getUint32(HeaderField.entries, true);
    this.tarSizeBytes = view.getFloat64(HeaderField.tarBytes, true);
    this.#slotMask = view.getUint32(HeaderField.slots, true) - 1;
  }

  root(): LayerEntry | undefined {
    const flags = this.#seek("");
    if ((flags & DirectoryFlag.hasRoot) === 0) return undefined;
    this.#skipWhiteouts();
    const inode = this.#varint();
    this.#varint();
    return this.#entry(inode);
  }

  children(directory: string): readonly LayerEntry[] {
    const flags = this.#seek(directory);
    if (flags < 0) return NO_ENTRIES;
    this.#skipWhiteouts();
    let inode = this.#varint();
    let count = this.#varint();
    if ((flags & DirectoryFlag.hasRoot) !== 0) {
      this.#entry(inode++);
      count--;
    }
    const entries = new Array<LayerEntry>(count);
    for (let index = 0; index < count; index++) entries[index] = this.#entry(inode++);
    return entries;
  }

  whiteouts(directory: string): readonly string[] {
    if (this.#seek(directory) < 0) return NO_NAMES;
    const count = this.#varint();
    if (count === 0) return NO_NAMES;
    const names = new Array<string>(count);
    for (let index = 0; index < count; index++) names[index] = this.#text();
    return names;
  }

  isOpaque(directory: string): boolean {
    const flags = this.#seek(directory);
    return flags >= 0 && (flags & DirectoryFlag.opaque) !== 0;
  }

  /** Goes behind the flags of a directory's block. Answers the flags, or -1 where the layer doesn't mention it. */
  #seek(directory: string): number {
    const path = encoder.encode(directory);
    let slot = hashPath(path, 0, path.length) & this.#slotMask;
    for (;;) {
      const block = this.#view.getUint32(INDEX_HEADER_BYTES + slot * 4, true);
      if (block === 0) return -1;
      this.#at = block;
      if (this.#matches(path)) return this.#bytes[this.#at++] as number;
      slot = (slot + 1) & this.#slotMask;
    }
  }

  #matches(path: Uint8Array): boolean {
    const size = this.#varint();
    if (size !== path.length) return false;
    for (let index = 0; index < size; index++) {
      if (this.#bytes[this.#at + index] !== path[index]) return false;
    }
    this.#at += size;
    return true;
  }

  #skipWhiteouts(): void {
    for (let count = this.#varint(); count > 0; count--) {
      const size = this.#varint();
      this.#at += size;
    }
  }

  #entry(ordinal: number): LayerEntry {
    const name = this.#text();
    const bits = this.#bytes[this.#at++] as number;
    const type = ENTRY_TYPES[bits & EntryFlag.typeMask] as EntryType;
    const mode = this.#varint();
    const uid = this.#varint();
    const gid = this.#varint();
    const zigzag = this.#varint();
    const seconds = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    const mtimeNs = BigInt(seconds) * NS_PER_SECOND + BigInt(this.#varint());

    let sizeBytes = 0;
    let offsetBytes = 0;
    let target = "";
    let deviceMajor = 0;
    let deviceMinor = 0;
    if (type === "file") {
      sizeBytes = this.#varint();
      offsetBytes = this.#varint() * OFFSET_UNIT_BYTES;
    } else if (type === "symlink") {
      target = this.#text();
    } else if (type === "character-device" || type === "block-device") {
      deviceMajor = this.#varint();
      deviceMinor = this.#varint();
    }
    const isLinked = (bits & EntryFlag.hardLinked) !== 0;
    const inode = isLinked ? this.#varint() : ordinal;
    const linkCount = isLinked ? this.#varint() : 1;
    const pieces = (bits & EntryFlag.sparse) !== 0 ? this.#pieces(offsetBytes) : undefined;
    return {
      name,
      type,
      mode,
      uid,
      gid,
      mtimeNs,
      sizeBytes,
      offsetBytes,
      target,
      inode,
      linkCount,
      pieces,
      deviceMajor,
      deviceMinor,
      implied: (bits & EntryFlag.implied) !== 0,
    };
  }

  /** Stored one behind the other; only the holes and the sizes are written down. */
  #pieces(offsetBytes: number): SparsePiece[] {
    const count = this.#varint();
    const pieces = new Array<SparsePiece>(count);
    let startBytes = 0;
    let at = offsetBytes;
    for (let index = 0; index < count; index++) {
      startBytes += this.#varint();
      const sizeBytes = this.#varint();
      pieces[index] = { startBytes, sizeBytes, offsetBytes: at };
      startBytes += sizeBytes;
      at += sizeBytes;
    }
    return pieces;
  }

  #text(): string {
    const size = this.#varint();
    const start = this.#at;
    this.#at += size;
    return decodeText(this.#bytes, start, this.#at);
  }

  #varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] as number;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let factor = 128;
    do {
      byte = bytes[this.#at++] as number;
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte >= 0x80);
    return value;
  }
}

const NO_ENTRIES: readonly LayerEntry[] = [];
const NO_NAMES: readonly string[] = [];
