/**
 * Contents on disk: files that are only appended to, so that what a journal says of them stays true, whatever comes later.
 *
 * New bytes go to the file with the highest number. When less than half of it is still needed, a new one is begun, and
 * what is needed is moved there, some at a time. Small pieces are gathered into one write.
 */
import type { Failure } from "../../../../shim/abi/system.ts";
import { assert } from "../../error.ts";
import { CHUNK_BYTES, type Chunk, type Piece, piecesBytes } from "../chunk.ts";
import type { ChunkStore } from "../page-cache.ts";
import type { StoreFile, StoreFolder } from "../store-folder.ts";
import { ByteWriter } from "./byte-writer.ts";

const MAGIC = "wpoddata";
const VERSION = 1;
const HEADER_BYTES = 16;
const GATHERED_BYTES_MAX = 256 * 1024;
/** What is as large goes out by itself. */
const LARGE_BYTES = 64 * 1024;
/** More pieces than this are written anew as one. */
const PIECE_COUNT_MAX = 16;
/** While data moves, the disk is told to begin with so much: all at once would stop the guest at the end. */
const STARTED_BYTES = 8 * 1024 * 1024;

interface DataFile {
  readonly number: number;
  readonly file: StoreFile;
  /** Where the next byte goes; what is gathered counts. */
  endBytes: number;
  liveBytes: number;
  readonly chunks: Set<Chunk>;
  needsSync: boolean;
  /** Since the disk was last told to begin. */
  unstartedBytes: number;
}

export function dataName(number: number): string {
  return `data.${number}`;
}

/** Undefined: not the name of a data file. */
export function dataNumber(name: string): number | undefined {
  const digits = /^data\.([1-9]\d{0,9})$/.exec(name)?.[1];
  const number = Number(digits ?? 0);
  return number > 0 && number < 2 ** 32 ? number : undefined;
}

export class DataLog implements ChunkStore {
  readonly #folder: StoreFolder;
  readonly #deadBytesMin: number;
  /** By number, the lowest first. */
  readonly #files = new Map<number, DataFile>();
  #current: DataFile | undefined = undefined;
  #nextNumber = 1;
  #gathered: Uint8Array<ArrayBuffer> | undefined = undefined;
  #gatheredBytes = 0;
  #scratch: Uint8Array<ArrayBuffer> | undefined = undefined;
  /** A file was made or removed since the folder was last synced. */
  isFolderChanged = false;

  /** @param deadBytesMin below this, moving data wins nothing */
  constructor(folder: StoreFolder, deadBytesMin: number) {
    this.#folder = folder;
    this.#deadBytesMin = deadBytesMin;
  }

  /** A file that is there; call in the order of their numbers. */
  adopt(number: number, file: StoreFile): void {
    const endBytes = Math.max(file.sizeBytes, HEADER_BYTES);
    const data = {
      number,
      file,
      endBytes,
      liveBytes: 0,
      chunks: new Set<Chunk>(),
      needsSync: true,
      unstartedBytes: 0,
    };
    this.#files.set(number, data);
    this.#current = data;
    this.#nextNumber = number + 1;
  }

  /** That many bytes of the file are there. */
  has(number: number, endBytes: number): boolean {
    const data = this.#files.get(number);
    return data !== undefined && endBytes <= data.endBytes;
  }

  /** How far each file reaches that anything is in. */
  ends(): [number: number, endBytes: number][] {
    const ends: [number, number][] = [];
    for (const { number, endBytes, chunks } of this.#files.values()) {
      if (chunks.size > 0) ends.push([number, endBytes]);
    }
    return ends;
  }

  put(chunks: readonly Chunk[]): number {
    for (const chunk of chunks) {
      const failure = this.#put(chunk);
      if (failure < 0) return failure;
    }
    return 0;
  }

  #put(chunk: Chunk): number {
    let from = chunk.dirtyFrom;
    let to = chunk.dirtyTo;
    const before = chunk.pieces;
    const isTooMuch =
      before.length >= PIECE_COUNT_MAX || piecesBytes(before) + (to - from) > chunk.extent + CHUNK_BYTES;
    if (isTooMuch) {
      from = 0;
      to = chunk.extent;
    }
    const offsetBytes = this.#append(chunk.bytes.subarray(from, to));
    if (offsetBytes < 0) return offsetBytes;
    chunk.dirtyTo = 0;
    const piece = { start: from, sizeBytes: to - from, file: this.#current!.number, offsetBytes };
    chunk.pieces = withPiece(before, piece);
    this.moved(chunk, before);
    return 0;
  }

  fetch(chunk: Chunk, target: Uint8Array): number {
    for (const { start, sizeBytes, file, offsetBytes } of chunk.pieces) {
      const data = this.#files.get(file);
      assert(data !== undefined, "a piece is in a file that is there");
      const part = target.subarray(start, start + sizeBytes);
      // What was gathered is not in the file yet; a piece may begin there and end here.
      const fileEnd = data === this.#current ? data.endBytes - this.#gatheredBytes : data.endBytes;
      const inFile = Math.min(sizeBytes, Math.max(0, fileEnd - offsetBytes));
      if (inFile > 0) {
        const failure = data.file.read(part.subarray(0, inFile), offsetBytes);
        if (failure < 0) return failure;
      }
      if (inFile < sizeBytes) {
        const from = offsetBytes + inFile - fileEnd;
        part.set(this.#gathered!.subarray(from, from + sizeBytes - inFile), inFile);
      }
    }
    return 0;
  }

  moved(chunk: Chunk, before: readonly Piece[]): void {
    for (const { file, sizeBytes } of before) {
      const data = this.#files.get(file);
      if (data === undefined) continue;
      data.liveBytes -= sizeBytes;
      data.chunks.delete(chunk);
    }
    for (const { file, sizeBytes } of chunk.pieces) {
      const data = this.#files.get(file)!;
      data.liveBytes += sizeBytes;
      data.chunks.add(chunk);
    }
  }

  /** Where it is now; a negative `Errno` when it is not. */
  #append(source: Uint8Array): number {
    const opened = this.#current ?? this.begin();
    if (typeof opened === "number") return opened;
    if (source.length >= LARGE_BYTES) {
      const failure = this.flush() || opened.file.write(source, opened.endBytes);
      if (failure < 0) return failure;
      opened.needsSync = true;
    } else {
      if (this.#gatheredBytes + source.length > GATHERED_BYTES_MAX) {
        const failure = this.flush();
        if (failure < 0) return failure;
      }
      this.#gathered ??= new Uint8Array(GATHERED_BYTES_MAX);
      this.#gathered.set(source, this.#gatheredBytes);
      this.#gatheredBytes += source.length;
    }
    const offsetBytes = opened.endBytes;
    opened.endBytes += source.length;
    opened.unstartedBytes += source.length;
    if (this.hasOld && opened.unstartedBytes > STARTED_BYTES) {
      opened.unstartedBytes = 0;
      opened.file.startSync();
    }
    return offsetBytes;
  }

  /** Begins a new file. */
  begin(): DataFile | Failure {
    const failure = this.flush();
    if (failure < 0) return failure;
    const number = this.#nextNumber;
    const file = this.#folder.create(dataName(number));
    if (typeof file === "number") return file;
    const unwritten = file.write(header(number), 0);
    if (unwritten < 0) {
      file.close();
      this.#folder.remove(dataName(number));
      return unwritten as Failure;
    }
    this.adopt(number, file);
    this.isFolderChanged = true;
    return this.#current!;
  }

  /** What was gathered is the file's. */
  flush(): number {
    const count = this.#gatheredBytes;
    if (count === 0) return 0;
    const data = this.#current!;
    const failure = data.file.write(this.#gathered!.subarray(0, count), data.endBytes - count);
    if (failure < 0) return failure;
    this.#gatheredBytes = 0;
    data.needsSync = true;
    return 0;
  }

  sync(): number {
    const unwritten = this.flush();
    if (unwritten < 0) return unwritten;
    for (const data of this.#files.values()) {
      if (!data.needsSync) continue;
      const failure = data.file.sync();
      if (failure < 0) return failure;
      data.needsSync = false;
    }
    return 0;
  }

  /** More than half of it is not needed any more, or old files are to go. */
  get isWasteful(): boolean {
    const data = this.#current;
    if (data === undefined) return false;
    if (this.#files.size > 1) return true;
    const deadBytes = data.endBytes - HEADER_BYTES - data.liveBytes;
    return deadBytes > this.#deadBytesMin && deadBytes > data.liveBytes;
  }

  /** There are files that are to go. */
  get hasOld(): boolean {
    return this.#files.size > 1;
  }

  /**
   * Copies what is needed of old files to the newest.
   * @param bytesMax stops behind so many
   * @returns 1 when nothing is left to move, 0 when there is, or a negative `Errno`
   */
  moveSome(bytesMax: number): number {
    let left = bytesMax;
    for (const data of this.#files.values()) {
      if (data === this.#current) break;
      for (const chunk of data.chunks) {
        if (left <= 0) return 0;
        const moved = this.#move(chunk);
        if (moved < 0) return moved;
        left -= moved;
      }
    }
    return 1;
  }

  /** How many bytes it had. */
  #move(chunk: Chunk): number {
    let end = 0;
    for (const piece of chunk.pieces) end = Math.max(end, piece.start + piece.sizeBytes);
    this.#scratch ??= new Uint8Array(CHUNK_BYTES);
    const bytes = this.#scratch.subarray(0, end).fill(0);
    const unread = this.fetch(chunk, bytes);
    if (unread < 0) return unread;
    const offsetBytes = this.#append(bytes);
    if (offsetBytes < 0) return offsetBytes;
    const before = chunk.pieces;
    chunk.pieces = [{ start: 0, sizeBytes: end, file: this.#current!.number, offsetBytes }];
    this.moved(chunk, before);
    return end;
  }

  /** Nothing says any more that old files are needed. */
  removeOld(): void {
    for (const data of this.#files.values()) {
      if (data === this.#current || data.chunks.size > 0) continue;
      this.#files.delete(data.number);
      this.#folder.discard(dataName(data.number), data.file);
      this.isFolderChanged = true;
    }
  }

  close(): void {
    for (const { file } of this.#files.values()) file.close();
    this.#files.clear();
    this.#current = undefined;
  }
}

/** One more piece, over the others: those that it covers are gone, and one that it goes on from grows. */
function withPiece(before: readonly Piece[], piece: Piece): Piece[] {
  const end = piece.start + piece.sizeBytes;
  const kept = before.filter(({ start, sizeBytes }) => start < piece.start || start + sizeBytes > end);
  const last = kept.at(-1);
  const goesOn =
    last !== undefined &&
    last.file === piece.file &&
    last.start + last.sizeBytes === piece.start &&
    last.offsetBytes + last.sizeBytes === piece.offsetBytes;
  if (!goesOn) return kept.length === 0 ? [piece] : [...kept, piece];
  kept[kept.length - 1] = { ...last, sizeBytes: last.sizeBytes + piece.sizeBytes };
  return kept;
}

function header(number: number): Uint8Array {
  const writer = new ByteWriter(HEADER_BYTES);
  for (const letter of MAGIC) writer.u8(letter.charCodeAt(0));
  writer.u32(VERSION);
  writer.u32(number);
  return writer.written();
}

/** A data file begins as one. Shorter than its beginning: nothing was written to it. */
export function isDataFile(file: StoreFile, number: number): boolean {
  if (file.sizeBytes < HEADER_BYTES) return true;
  const found = new Uint8Array(HEADER_BYTES);
  if (file.read(found, 0) < 0) return false;
  return header(number).every((byte, index) => byte === found[index]);
}
