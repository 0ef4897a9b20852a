/** Writes what `binary-index.ts` reads: see `index-format.ts` for the layout. */
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
import type { EntryType, SparsePiece } from "./layer-index.ts";

/** An inode of the layer: names point to it, several ones for a hard link. */
export interface IndexNode {
  readonly type: EntryType;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  readonly sizeBytes: number;
  readonly offsetBytes: number;
  readonly target: string;
  readonly pieces: readonly SparsePiece[] | undefined;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** The archive has no header for it, only a path under it. */
  implied: boolean;
  /** Names that point to it; filled in by the writer. */
  linkCount: number;
  /** 0 until the writer has numbered it. */
  inode: number;
  /** Undefined for what is no directory. */
  readonly directory: IndexDirectory | undefined;
}

export interface IndexDirectory {
  readonly children: Map<string, IndexNode>;
  readonly whiteouts: Set<string>;
  opaque: boolean;
}

const NS_PER_SECOND = 1_000_000_000n;
const encoder = new TextEncoder();

/**
 * @param root a directory; `implied` when the archive has no entry for it
 * @param tarBytes of the whole uncompressed archive
 */
export function writeIndex(root: IndexNode, tarBytes: number): Uint8Array<ArrayBuffer> {
  const directories = listDirectories(root);
  let slots = 2;
  while (slots < directories.length * 2) slots *= 2;

  const writer = new Writer();
  writer.skip(INDEX_HEADER_BYTES + slots * 4);
  const starts: { start: number; hash: number }[] = [];
  let nextInode = 1;
  for (const { path, node } of directories) {
    const { children, whiteouts, opaque } = node.directory as IndexDirectory;
    const hasRoot = node === root && !root.implied;
    const start = writer.at;
    writer.text(path);
    const pathEnd = writer.at;
    starts.push({ start, hash: hashPath(writer.bytes, pathEnd - writer.lastTextBytes, pathEnd) });
    writer.byte((opaque ? DirectoryFlag.opaque : 0) | (hasRoot ? DirectoryFlag.hasRoot : 0));
    writer.varint(whiteouts.size);
    for (const name of whiteouts) writer.text(name);
    writer.varint(nextInode);
    writer.varint(children.size + (hasRoot ? 1 : 0));
    if (hasRoot) writeEntry(writer, "", root, nextInode++);
    for (const [name, child] of children) writeEntry(writer, name, child, nextInode++);
  }

  const bytes = writer.bytes.slice(0, writer.at);
  const view = new DataView(bytes.buffer);
  bytes.set(encoder.encode(INDEX_MAGIC), 0);
  view.setUint32(HeaderField.entries, nextInode - 1, true);
  view.setUint32(HeaderField.directories, directories.length, true);
  view.setUint32(HeaderField.slots, slots, true);
  view.setUint32(HeaderField.sizeBytes, bytes.length, true);
  view.setFloat64(HeaderField.tarBytes, tarBytes, true);
  for (const { start, hash } of starts) {
    let slot = hash & (slots - 1);
    while (view.getUint32(INDEX_HEADER_BYTES + slot * 4, true) !== 0) slot = (slot + 1) & (slots - 1);
    view.setUint32(INDEX_HEADER_BYTES + slot * 4, start, true);
  }
  return bytes;
}

/** Those with something in them, parents first; counts the names of each node on the way. */
function listDirectories(root: IndexNode): { path: string; node: IndexNode }[] {
  const found = [{ path: "", node: root }];
  root.linkCount = 1;
  for (const { path, node } of found) {
    for (const [name, child] of (node.directory as IndexDirectory).children) {
      child.linkCount++;
      const { directory } = child;
      if (directory === undefined) continue;
      if (directory.children.size > 0 || directory.whiteouts.size > 0 || directory.opaque) {
        found.push({ path: path === "" ? name : `${path}/${name}`, node: child });
      }
    }
  }
  return found;
}

function writeEntry(writer: Writer, name: string, node: IndexNode, ordinal: number): void {
  if (node.inode === 0) node.inode = ordinal;
  const isLinked = node.linkCount > 1;
  writer.text(name);
  writer.byte(
    ENTRY_TYPES.indexOf(node.type) |
      (node.implied ? EntryFlag.implied : 0) |
      (isLinked ? EntryFlag.hardLinked : 0) |
      (node.pieces === undefined ? 0 : EntryFlag.sparse),
  );
  writer.varint(node.mode);
  writer.varint(node.uid);
  writer.varint(node.gid);
  // Seconds are rounded down, so that the nanoseconds are never negative.
  let seconds = node.mtimeNs / NS_PER_SECOND;
  if (seconds * NS_PER_SECOND > node.mtimeNs) seconds--;
  const whole = Number(seconds);
  writer.varint(whole >= 0 ? whole * 2 : -whole * 2 - 1);
  writer.varint(Number(node.mtimeNs - seconds * NS_PER_SECOND));
  if (node.type === "file") {
    writer.varint(node.sizeBytes);
    writer.varint(node.offsetBytes / OFFSET_UNIT_BYTES);
  } else if (node.type === "symlink") {
    writer.text(node.target);
  } else if (node.type === "character-device" || node.type === "block-device") {
    writer.varint(node.deviceMajor);
    writer.varint(node.deviceMinor);
  }
  if (isLinked) {
    writer.varint(node.inode);
    writer.varint(node.linkCount);
  }
  if (node.pieces === undefined) return;
  writer.varint(node.pieces.length);
  let endBytes = 0;
  for (const { startBytes, sizeBytes } of node.pieces) {
    writer.varint(startBytes - endBytes);
    writer.varint(sizeBytes);
    endBytes = startBytes + sizeBytes;
  }
}

/** Bytes that grow. */
class Writer {
  bytes = new Uint8Array(64 * 1024);
  at = 0;
  /** Of the last `text`, without its length. */
  lastTextBytes = 0;

  skip(bytes: number): void {
    this.#reserve(bytes);
    this.at += bytes;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.bytes[this.at++] = value;
  }

  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }

  text(value: string): void {
    const encoded = encoder.encode(value);
    this.varint(encoded.length);
    this.#reserve(encoded.length);
    this.bytes.set(encoded, this.at);
    this.at += encoded.length;
    this.lastTextBytes = encoded.length;
  }

  #reserve(bytes: number): void {
    const needed = this.at + bytes;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }
}
