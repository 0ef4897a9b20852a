/**
 * A journal as a file: a header, then records, each with its size and a checksum, so that one that was not written whole
 * is told from one that was.
 *
 * Layout, little-endian. Header: magic (8 bytes), version u32, size u32 of the whole header, starts with a checkpoint u8,
 * identity text, CRC-32 u32 of what stands before. Record: size u32 of its payload, CRC-32 u32 of number and payload,
 * number u32, counted from 0; the payload.
 */
import { WpodError } from "../../error.ts";
import { ByteReader, damaged } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { crc32 } from "./crc32.ts";

const MAGIC = "wpodjrnl";
const VERSION = 1;
const FIXED_BYTES = 16;
const HEADER_BYTES_MAX = 1 << 20;
const FRAME_HEADER_BYTES = 12;

export interface JournalHeader {
  /** Of which layers the file system is: it is of no use over others. */
  identity: string;
  /** The first record is the whole state; without it the journal says nothing. */
  hasCheckpoint: boolean;
}

export function encodeHeader({ identity, hasCheckpoint }: JournalHeader): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  for (const letter of MAGIC) writer.u8(letter.charCodeAt(0));
  writer.u32(VERSION);
  writer.u32(0);
  writer.u8(hasCheckpoint ? 1 : 0);
  writer.text(identity);
  writer.patchU32(FIXED_BYTES - 4, writer.sizeBytes + 4);
  writer.u32(crc32(writer.written()));
  return writer.written();
}

/**
 * @returns undefined: it was not written whole, and nothing behind it was written
 * @throws WpodError STORE_UNUSABLE: no journal, or another version
 */
export function decodeHeader(
  bytes: Uint8Array<ArrayBuffer>,
): (JournalHeader & { sizeBytes: number }) | undefined {
  const reader = new ByteReader(bytes);
  for (let index = 0; index < Math.min(MAGIC.length, bytes.length); index++) {
    if (reader.u8() !== MAGIC.charCodeAt(index)) throw damaged("it is no journal");
  }
  if (bytes.length < FIXED_BYTES) return undefined;
  const version = reader.u32();
  if (version !== VERSION) {
    throw new WpodError(
      "STORE_UNUSABLE",
      `a journal has version ${version}, and this wpod reads version ${VERSION}`,
      {
        hint: "use the version of wpod that wrote it",
      },
    );
  }
  const sizeBytes = reader.u32();
  if (sizeBytes < FIXED_BYTES + 9 || sizeBytes > HEADER_BYTES_MAX) throw damaged("its header is none");
  if (bytes.length < sizeBytes) return undefined;
  const hasCheckpoint = reader.u8() !== 0;
  const identity = reader.text();
  const sum = new ByteReader(bytes, sizeBytes - 4).u32();
  if (crc32(bytes.subarray(0, sizeBytes - 4)) !== sum) throw damaged("its header has another checksum");
  return { identity, hasCheckpoint, sizeBytes };
}

/** A record: what `fill` writes, framed. `writer` is cleared first, and holds it. */
export function encodeFrame(
  writer: ByteWriter,
  number: number,
  fill: (writer: ByteWriter) => void,
): Uint8Array<ArrayBuffer> {
  writer.clear();
  writer.u32(0);
  writer.u32(0);
  writer.u32(number);
  fill(writer);
  writer.patchU32(0, writer.sizeBytes - FRAME_HEADER_BYTES);
  writer.patchU32(4, crc32(writer.written().subarray(8)));
  return writer.written();
}

export interface Frame {
  payload: Uint8Array<ArrayBuffer>;
  /** Where the next one starts. */
  end: number;
}

/** Undefined where no whole record of that number starts. */
export function decodeFrame(bytes: Uint8Array<ArrayBuffer>, at: number, number: number): Frame | undefined {
  if (bytes.length - at < FRAME_HEADER_BYTES) return undefined;
  const reader = new ByteReader(bytes, at);
  const sizeBytes = reader.u32();
  const sum = reader.u32();
  if (sizeBytes > reader.leftBytes - 4 || reader.u32() !== number) return undefined;
  const payload = reader.bytes(sizeBytes);
  const end = at + FRAME_HEADER_BYTES + sizeBytes;
  return crc32(bytes.subarray(at + 8, end)) === sum ? { payload, end } : undefined;
}
