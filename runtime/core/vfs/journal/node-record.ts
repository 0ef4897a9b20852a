/**
 * One inode as bytes: its attributes, and of its content what changed, or all. A snapshot and a journal spell it alike.
 *
 * Layout, little-endian: flags u8, changed u8, mode u32, uid u32, gid u32, inode f64, four times i64 (access, modify,
 * change, birth), linkCount u32, extraNames u32; then, where the flags say so: the target of a link (text); the place in a
 * layer: layer u32, offset f64, size f64, count u32 of pieces (start f64, size f64, offset f64); the content: cutTo f64,
 * size f64, lowerEnd f64, count u32 of chunks: index f64, extent u32, charged u32, costMin u32, and its bytes.
 */
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { SparsePiece } from "../../image/layer-index.ts";
import { CHUNK_BYTES, type Chunk, isAway, makeChunk, NO_BYTES, NO_PIECES, type Piece } from "../chunk.ts";
import { FILE_BYTES_MAX, type FileContent } from "../file-content.ts";
import type { FileSystem } from "../file-system.ts";
import { LowerContent } from "../lower-content.ts";
import { MemoryNode } from "../memory-node.ts";
import { fileTypeOf } from "../mode.ts";
import { type ByteReader, damaged } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

const Flag = { charged: 1, content: 2, lower: 4, target: 8, sparse: 16 } as const;

/** How the bytes of a chunk go along. */
const Form = {
  /** They are zeros. */
  none: 0,
  /** Behind the chunk. */
  inline: 1,
  /** A buffer of their own: its number. */
  buffer: 2,
  /** A count u8 of pieces on disk: start u32, size u32, file u32, offset f64. */
  pieces: 3,
} as const;

/** What one takes at least. */
export const NODE_RECORD_BYTES = 62;
const CHUNK_RECORD_BYTES = 21;
const SPARSE_PIECE_BYTES = 24;
/** Chunks below this are copied: thousands of small transfers take longer. */
const INLINE_BYTES_MAX = 64 * 1024;

/** Says how a record carries bytes of chunks. Undefined: by what is on disk, where all of them are. */
export type BufferList = Uint8Array<ArrayBuffer>[] | undefined;

/** @param onlyChanges of the content; else all of it */
export function writeNode(
  writer: ByteWriter,
  node: MemoryNode,
  buffers: BufferList,
  onlyChanges: boolean,
): void {
  const { content } = node;
  const lower = content?.lower;
  const isLink = node.type === FileType.symbolicLink;
  writer.u8(
    (node.isCharged ? Flag.charged : 0) |
      (content === undefined ? 0 : Flag.content) |
      (lower === undefined ? 0 : Flag.lower) |
      (isLink ? Flag.target : 0) |
      (lower?.pieces === undefined ? 0 : Flag.sparse),
  );
  writer.u8(node.changed);
  writer.u32(node.mode);
  writer.u32(node.userId);
  writer.u32(node.groupId);
  writer.f64(node.ino);
  writer.i64(node.accessNs);
  writer.i64(node.modifyNs);
  writer.i64(node.changeNs);
  writer.i64(node.birthNs);
  writer.u32(node.linkCount);
  writer.u32(node.extraNames);
  if (isLink) writer.text(node.symlink);
  if (lower !== undefined) writeLower(writer, lower);
  if (content !== undefined) writeContent(writer, content, buffers, onlyChanges);
}

function writeLower(writer: ByteWriter, lower: LowerContent): void {
  writer.u32(lower.layer);
  writer.f64(lower.offsetBytes);
  writer.f64(lower.sizeBytes);
  if (lower.pieces === undefined) return;
  writer.u32(lower.pieces.length);
  for (const piece of lower.pieces) {
    writer.f64(piece.startBytes);
    writer.f64(piece.sizeBytes);
    writer.f64(piece.offsetBytes);
  }
}

function writeContent(
  writer: ByteWriter,
  content: FileContent,
  buffers: BufferList,
  onlyChanges: boolean,
): void {
  const { changes } = content;
  const cutTo = onlyChanges ? (changes?.cutTo ?? FILE_BYTES_MAX) : 0;
  writer.f64(Math.min(cutTo, FILE_BYTES_MAX));
  writer.f64(content.sizeBytes);
  writer.f64(content.lowerEnd);
  const countAt = writer.sizeBytes;
  let count = 0;
  writer.u32(0);
  if (!onlyChanges) {
    for (const [index, chunk] of content.written()) {
      writeChunk(writer, index, chunk, buffers);
      count++;
    }
  } else if (changes !== undefined) {
    for (const index of changes.indexes) {
      const chunk = content.chunkAt(index);
      if (chunk === undefined) continue;
      writeChunk(writer, index, chunk, buffers);
      count++;
    }
  }
  if (count > 0) writer.patchU32(countAt, count);
}

function writeChunk(writer: ByteWriter, index: number, chunk: Chunk, buffers: BufferList): void {
  const { bytes, extent, pieces } = chunk;
  writer.f64(index);
  writer.u32(extent);
  writer.u32(chunk.charged);
  writer.u32(chunk.costMin);
  if (buffers === undefined || isAway(chunk) || (chunk.dirtyTo === 0 && pieces.length > 0)) {
    writePieces(writer, pieces);
  } else if (extent === 0) {
    writer.u8(Form.none);
  } else if (extent < INLINE_BYTES_MAX || !isOwn(bytes)) {
    writer.u8(Form.inline);
    writer.bytes(bytes.subarray(0, extent));
  } else {
    writer.u8(Form.buffer);
    writer.u32(buffers.length);
    buffers.push(bytes);
  }
}

/** It can be handed over: it is all of its buffer, which is nobody else's. */
function isOwn(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer && bytes.length === bytes.buffer.byteLength;
}

function writePieces(writer: ByteWriter, pieces: readonly Piece[]): void {
  writer.u8(Form.pieces);
  writer.u8(pieces.length);
  for (const piece of pieces) {
    writer.u32(piece.start);
    writer.u32(piece.sizeBytes);
    writer.u32(piece.file);
    writer.f64(piece.offsetBytes);
  }
}

/** Judges where bytes on disk are said to be. */
export type PieceCheck = (file: number, end: number) => boolean;

/**
 * Into a node of that number, which is made where `find` doesn't know it.
 * @throws WpodError STORE_UNUSABLE
 */
export function readNode(
  reader: ByteReader,
  fileSystem: FileSystem,
  buffers: BufferList,
  isStored: PieceCheck,
  find: (inode: number) => MemoryNode | undefined,
): MemoryNode {
  const flags = reader.u8();
  const changed = reader.u8();
  const mode = reader.u32();
  const uid = reader.u32();
  const gid = reader.u32();
  const inode = reader.f64();
  const accessNs = reader.i64();
  const modifyNs = reader.i64();
  const changeNs = reader.i64();
  const birthNs = reader.i64();
  const linkCount = reader.u32();
  const extraNames = reader.u32();
  const target = (flags & Flag.target) === 0 ? "" : reader.text();
  const lower = (flags & Flag.lower) === 0 ? undefined : readLower(reader, flags, fileSystem);
  let node = find(inode);
  if (node === undefined) {
    const isCharged = (flags & Flag.charged) !== 0;
    node = new MemoryNode(fileSystem, inode, mode, uid, gid, birthNs, isCharged, lower);
  } else if (node.type !== fileTypeOf(mode)) {
    throw damaged("a file became something else");
  }
  node.mode = mode;
  node.userId = uid;
  node.groupId = gid;
  node.accessNs = accessNs;
  node.modifyNs = modifyNs;
  node.changeNs = changeNs;
  node.linkCount = linkCount;
  node.extraNames = extraNames;
  node.changed = changed;
  node.pointTo(target);
  if ((flags & Flag.content) !== 0) {
    if (node.content === undefined) throw damaged("something that is no file has content");
    readContent(reader, node.content, buffers, isStored);
  }
  return node;
}

function readLower(reader: ByteReader, flags: number, fileSystem: FileSystem): LowerContent {
  const layer = reader.u32();
  const offsetBytes = reader.f64();
  const sizeBytes = reader.f64();
  let pieces: SparsePiece[] | undefined;
  if ((flags & Flag.sparse) !== 0) {
    pieces = new Array(reader.count(SPARSE_PIECE_BYTES));
    for (let index = 0; index < pieces.length; index++) {
      pieces[index] = { startBytes: reader.f64(), sizeBytes: reader.f64(), offsetBytes: reader.f64() };
    }
  }
  const source = fileSystem.layers[layer];
  if (source === undefined) throw damaged("a file comes from a layer that isn't there");
  return new LowerContent(source.blob, layer, offsetBytes, sizeBytes, pieces);
}

function readContent(
  reader: ByteReader,
  content: FileContent,
  buffers: BufferList,
  isStored: PieceCheck,
): void {
  const cutTo = reader.f64();
  const sizeBytes = reader.f64();
  const lowerEnd = reader.f64();
  if (lowerEnd > (content.lower?.sizeBytes ?? 0)) throw damaged("a file has more of its layer than there is");
  content.reshape(cutTo, sizeBytes, lowerEnd);
  const count = reader.count(CHUNK_RECORD_BYTES);
  for (let done = 0; done < count; done++) {
    const index = reader.f64();
    content.adopt(index, readChunk(reader, buffers, isStored));
  }
}

function readChunk(reader: ByteReader, buffers: BufferList, isStored: PieceCheck): Chunk {
  const extent = reader.u32();
  const charged = reader.u32();
  const costMin = reader.u32();
  if (extent > CHUNK_BYTES || charged > CHUNK_BYTES || costMin > CHUNK_BYTES || charged < extent) {
    throw damaged("a part of a file is too large");
  }
  const chunk = makeChunk(NO_BYTES, extent, charged, costMin);
  switch (reader.u8()) {
    case Form.none:
      if (extent > 0) throw damaged("a part of a file has no bytes");
      return chunk;
    case Form.inline:
      if (buffers === undefined) break;
      chunk.bytes = reader.bytes(extent);
      chunk.dirtyTo = extent;
      return chunk;
    case Form.buffer: {
      const bytes = buffers?.[reader.u32()];
      if (bytes === undefined || bytes.length < extent) throw damaged("a part of a file has no bytes");
      chunk.bytes = bytes;
      chunk.dirtyTo = extent;
      return chunk;
    }
    case Form.pieces:
      chunk.pieces = readPieces(reader, extent, isStored);
      return chunk;
  }
  throw damaged("a part of a file is of an unknown kind");
}

function readPieces(reader: ByteReader, extent: number, isStored: PieceCheck): Piece[] {
  const count = reader.u8();
  if (count === 0) return NO_PIECES;
  const pieces = new Array<Piece>(count);
  for (let index = 0; index < count; index++) {
    const piece = {
      start: reader.u32(),
      sizeBytes: reader.u32(),
      file: reader.u32(),
      offsetBytes: reader.f64(),
    };
    if (piece.sizeBytes === 0 || piece.start + piece.sizeBytes > extent) {
      throw damaged("a part of a file reaches too far");
    }
    if (!isStored(piece.file, piece.offsetBytes + piece.sizeBytes)) {
      throw damaged("a part of a file lies behind the end of the data");
    }
    pieces[index] = piece;
  }
  return pieces;
}
