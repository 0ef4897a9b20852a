/**
 * The index of a layer as bytes: written once at import, read by every run. A hash table of directories leads to a block
 * for each, which is decoded when that directory is asked for: opening costs nothing, however many entries there are.
 *
 * ```
 * header   "wpodidx1"  u32 entries  u32 directories  u32 slots  u32 bytes of the file  f64 bytes of the tar
 * slots    u32 each: where the block of a directory starts, 0 for none; by FNV-1a of the path, linear probing
 * block    text path, u8 flags (1 opaque), varint whiteouts, text each, varint inode of the first entry,
 *          varint entries (the root's own first, when flags has 2), then each:
 * entry    text name, u8 type (bits 0-2) and flags, varint mode, varint uid, varint gid,
 *          varint seconds of mtime (zigzag), varint nanoseconds, varint size, varint offset / 512 (files only),
 *          then by flag: text target (symlink), varint inode and links (hard link), pieces, device numbers
 * text     varint bytes, UTF-8
 * ```
 * Little-endian; varints are 7 bits a byte, low ones first, up to 2^53.
 */
import type { EntryType } from "./layer-index.ts";

export const INDEX_MAGIC = "wpodidx1";
export const INDEX_HEADER_BYTES = 32;

export const HeaderField = { entries: 8, directories: 12, slots: 16, sizeBytes: 20, tarBytes: 24 } as const;

export const DirectoryFlag = { opaque: 1, hasRoot: 2 } as const;

export const EntryFlag = {
  typeMask: 7,
  implied: 8,
  hardLinked: 16,
  sparse: 32,
} as const;

/** The place in this list is the number in the file. */
export const ENTRY_TYPES: readonly EntryType[] = [
  "file",
  "directory",
  "symlink",
  "character-device",
  "block-device",
  "fifo",
];

/** Contents of a tar start at whole blocks. */
export const OFFSET_UNIT_BYTES = 512;

/** FNV-1a, 32 bits. */
export function hashPath(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) {
    hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193);
  }
  return hash >>> 0;
}
