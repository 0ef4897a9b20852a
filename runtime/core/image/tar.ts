/**
 * Reads the headers of a tar that passes by in chunks of any size: ustar, old GNU and pax, with long names, base-256
 * numbers and every form of sparse files. It looks at headers only; where content lies is told as an offset, and
 * nothing is ever unpacked.
 *
 * Where readers of tar differ, it does what Go's `archive/tar` does, since docker, containerd and podman use that: two
 * readers which disagree where an entry ends would see different files in one layer.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 * @see https://www.gnu.org/software/tar/manual/html_node/Tar-Internals.html
 */
import { WpodError } from "../error.ts";
import type { SparsePiece } from "./layer-index.ts";
import { SPARSE_PIECES_MAX, TAR_EXTENSION_BYTES_MAX } from "./limits.ts";
import { decodeText } from "./text.ts";

export type TarEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hard-link"
  | "character-device"
  | "block-device"
  | "fifo";

/** One entry, as the archive says: nothing in it has been judged yet. */
export interface TarEntry {
  type: TarEntryType;
  /** Anything: absolute, with `..`, empty. */
  path: string;
  /** Target of a symbolic or hard link; "" otherwise. */
  linkPath: string;
  /** `0o7777`. */
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  /** As the guest sees it; 0 for what is no file. */
  sizeBytes: number;
  /** Bytes of content in the archive. */
  storedBytes: number;
  /** Where the content starts. */
  offsetBytes: number;
  pieces: readonly SparsePiece[] | undefined;
  deviceMajor: number;
  deviceMinor: number;
}

export type TarEntrySink = (entry: TarEntry) => void;

const BLOCK_BYTES = 512;
const NS_PER_SECOND = 1_000_000_000n;
/** Headers of one archive, extensions included: four a file are more than any writer makes. */
const HEADERS_MAX = 4_000_000;
const ID_MAX = 0xffff_fffe;
/** Seconds whose nanoseconds still fit 64 bits: years 1677 to 2262. */
const MTIME_SECONDS_MAX = 9_223_372_035;

/** Fields of a header: offset and size. */
const Field = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const;
/** Old GNU sparse: pieces at 386, 4 x (offset, size) of 12 bytes each, then "more follow" and the whole size. */
const GNU_SPARSE = { pieces: 386, count: 4, more: 482, realSize: 483 } as const;
/** A block of further pieces: 21 of them, then "more follow". */
const GNU_SPARSE_MORE = { pieces: 0, count: 21, more: 504 } as const;

const CHARACTER = { space: 0x20, zero: 0x30, seven: 0x37 } as const;

type Stage =
  | "header"
  | "pax"
  | "pax-global"
  | "long-name"
  | "long-link"
  | "sparse-block"
  | "sparse-map"
  | "end";
type Pieces = { startBytes: number; sizeBytes: number }[];

export class TarScanner {
  readonly #sink: TarEntrySink;
  /** Position in the archive of the next byte that is pushed. */
  #offsetBytes = 0;
  /** Content that nobody looks at, and how much of its end is padding. */
  #skipBytes = 0;
  #paddingBytes = 0;
  #stage: Stage = "header";
  /** Bytes that the stage needs in one piece. */
  #wantedBytes = BLOCK_BYTES;
  /** What came of them, when a chunk ended in between. */
  #partial = new Uint8Array(BLOCK_BYTES);
  #partialBytes = 0;
  /** Of an extension header, without its padding. */
  #extensionBytes = 0;
  #zeroBlocks = 0;
  #headers = 0;

  // What extension headers said about the entry that follows them.
  #pax: Map<string, string> | undefined;
  /** `GNU.sparse.offset` and `GNU.sparse.numbytes` of format 0.0 repeat: their order is kept apart. */
  #paxPieces: Pieces | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;

  // An entry whose sparse map is still being read.
  #pending: TarEntry | undefined;
  #pieces: Pieces = [];
  #mapText = "";
  #mapNumbers: number[] = [];

  constructor(sink: TarEntrySink) {
    this.#sink = sink;
  }

  /** Bytes from here on that it will not look at. A caller with a file may seek over them: see `skip`. */
  get skippableBytes(): number {
    return this.#stage === "end" ? Number.MAX_SAFE_INTEGER : this.#skipBytes;
  }

  /** The end mark was seen: what follows is not part of the archive. */
  get ended(): boolean {
    return this.#stage === "end";
  }

  /** In place of pushing `bytes` of content, at most `skippableBytes`. */
  skip(bytes: number): void {
    this.#skipBytes = Math.max(0, this.#skipBytes - bytes);
    this.#offsetBytes += bytes;
  }

  /**
   * @param chunk the next bytes; it is not kept
   * @throws WpodError IMAGE_INVALID, and whatever the sink throws; the scanner is of no use after that
   */
  push(chunk: Uint8Array): void {
    let position = 0;
    while (position < chunk.length) {
      const rest = chunk.length - position;
      if (this.#stage === "end") {
        this.#offsetBytes += rest;
        return;
      }
      if (this.#skipBytes > 0) {
        const taken = Math.min(rest, this.#skipBytes);
        this.skip(taken);
        position += taken;
        continue;
      }
      const missing = this.#wantedBytes - this.#partialBytes;
      const taken = Math.min(rest, missing);
      let block: Uint8Array;
      if (this.#partialBytes === 0 && taken === missing) {
        block = chunk.subarray(position, position + taken);
      } else {
        this.#keep(chunk.subarray(position, position + taken));
        block = this.#partial.subarray(0, this.#wantedBytes);
      }
      position += taken;
      this.#offsetBytes += taken;
      if (taken < missing) return;
      this.#partialBytes = 0;
      this.#step(block);
    }
  }

  /**
   * The archive ends here. An end mark is not needed, as for Go's reader; a whole entry is.
   * @throws WpodError IMAGE_INVALID
   */
  finish(): void {
    const whole = this.#stage === "header" && this.#partialBytes === 0 && !this.#isExtended();
    if (this.#stage === "end" || (whole && this.#skipBytes <= this.#paddingBytes)) return;
    throw this.#refuse("the archive ends in the middle of an entry");
  }

  #keep(bytes: Uint8Array): void {
    if (this.#partial.length < this.#wantedBytes) {
      const grown = new Uint8Array(this.#wantedBytes);
      grown.set(this.#partial.subarray(0, this.#partialBytes));
      this.#partial = grown;
    }
    this.#partial.set(bytes, this.#partialBytes);
    this.#partialBytes += bytes.length;
  }

  #step(block: Uint8Array): void {
    switch (this.#stage) {
      case "header":
        this.#header(block);
        return;
      case "pax":
        this.#readPax(block.subarray(0, this.#extensionBytes));
        this.#expectHeader();
        return;
      case "pax-global":
        // Go's reader shows these and applies none: so does everybody who runs images.
        this.#expectHeader();
        return;
      case "long-name":
        this.#longName = cString(block, 0, this.#extensionBytes);
        this.#expectHeader();
        return;
      case "long-link":
        this.#longLink = cString(block, 0, this.#extensionBytes);
        this.#expectHeader();
        return;
      case "sparse-block":
        this.#sparseBlock(block);
        return;
      case "sparse-map":
        this.#sparseMap(block);
        return;
      case "end":
        return;
    }
  }

  #expectHeader(): void {
    this.#stage = "header";
    this.#wantedBytes = BLOCK_BYTES;
  }

  #header(block: Uint8Array): void {
    if (block[0] === 0 && isZero(block)) {
      if (this.#isExtended()) throw this.#refuse("the archive ends in the middle of an entry");
      if (++this.#zeroBlocks === 2) this.#stage = "end";
      return;
    }
    if (this.#zeroBlocks > 0) throw this.#refuse("a lone block of zeros stands between entries");
    if (!hasValidChecksum(block)) throw this.#refuse("a header has a wrong checksum");
    if (++this.#headers > HEADERS_MAX) throw this.#refuse(`it has more than ${HEADERS_MAX} headers`);

    const type = String.fromCharCode(block[Field.type[0]] as number);
    const size = this.#number(block, Field.size, "size");
    switch (type) {
      case "x":
      case "X": // Solaris wrote pax headers so
        this.#extension("pax", size);
        return;
      case "g":
        this.#extension("pax-global", size);
        return;
      case "L":
        this.#extension("long-name", size);
        return;
      case "K":
        this.#extension("long-link", size);
        return;
      case "V": // a volume's label
        this.#content(size);
        return;
      default:
        this.#entry(block, type, size);
        return;
    }
  }

  #extension(stage: Stage, sizeBytes: number): void {
    if (sizeBytes > TAR_EXTENSION_BYTES_MAX) {
      throw this.#refuse(`an extended header has ${sizeBytes} bytes; at most ${TAR_EXTENSION_BYTES_MAX}`);
    }
    if (sizeBytes === 0) {
      if (stage === "pax") this.#pax ??= new Map();
      return;
    }
    // The padding is read along, and cut off where the size matters.
    this.#stage = stage;
    this.#extensionBytes = sizeBytes;
    this.#wantedBytes = roundUp(sizeBytes);
  }

  #entry(block: Uint8Array, flag: string, headerSize: number): void {
    const pax = this.#pax;
    const magic = decodeText(block, Field.magic[0], Field.magic[0] + 6);
    const isUstar = magic === "ustar\0";
    const isGnu = magic === "ustar ";

    let path = this.#longName ?? pax?.get("GNU.sparse.name") ?? pax?.get("path");
    if (path === undefined) {
      path = cString(block, ...Field.name);
      // In GNU's format other things stand where ustar has the prefix.
      const prefix = isUstar ? cString(block, ...Field.prefix) : "";
      if (prefix !== "") path = `${prefix}/${path}`;
    }
    const type = this.#entryType(flag, path);
    const isFile = type === "file";
    const isDevice = (type === "character-device" || type === "block-device") && (isUstar || isGnu);
    const stored = isFile ? (this.#paxNumber("size") ?? headerSize) : 0;
    const entry: TarEntry = {
      type,
      path,
      linkPath:
        type === "symlink" || type === "hard-link"
          ? (this.#longLink ?? pax?.get("linkpath") ?? cString(block, ...Field.linkName))
          : "",
      mode: this.#number(block, Field.mode, "mode") & 0o7777,
      uid: this.#id(this.#paxNumber("uid") ?? this.#number(block, Field.uid, "uid")),
      gid: this.#id(this.#paxNumber("gid") ?? this.#number(block, Field.gid, "gid")),
      mtimeNs: this.#mtimeNs(block),
      sizeBytes: stored,
      storedBytes: stored,
      offsetBytes: this.#offsetBytes,
      pieces: undefined,
      deviceMajor: isDevice ? this.#number(block, Field.deviceMajor, "device number") : 0,
      deviceMinor: isDevice ? this.#number(block, Field.deviceMinor, "device number") : 0,
    };
    if (entry.path.includes("\0") || entry.linkPath.includes("\0")) throw this.#refuse("a path holds a NUL");

    const isOldSparse = flag === "S" && isGnu;
    if (flag === "S" && !isGnu) throw this.#refuse('an entry is of an unknown type, "S"');
    if (isOldSparse) {
      this.#startOldSparse(entry, block);
      return;
    }
    if (isFile && pax !== undefined) {
      this.#startPaxSparse(entry, pax);
      return;
    }
    this.#emit(entry);
  }

  #entryType(flag: string, path: string): TarEntryType {
    switch (flag) {
      case "\0": // before POSIX, a directory was a file whose name ends in a slash
        return path.endsWith("/") ? "directory" : "file";
      case "0":
      case "7": // "contiguous"
      case "S":
        return "file";
      case "1":
        return "hard-link";
      case "2":
        return "symlink";
      case "3":
        return "character-device";
      case "4":
        return "block-device";
      case "5":
        return "directory";
      case "6":
        return "fifo";
      default:
        throw this.#refuse(`an entry is of an unknown type, ${JSON.stringify(flag)}`);
    }
  }

  #emit(entry: TarEntry): void {
    this.#pax = undefined;
    this.#paxPieces = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#pending = undefined;
    this.#expectHeader();
    this.#content(entry.storedBytes);
    this.#sink(entry);
  }

  /** Content follows, and padding to a whole block. */
  #content(storedBytes: number): void {
    this.#skipBytes = roundUp(storedBytes);
    this.#paddingBytes = this.#skipBytes - storedBytes;
    if (!Number.isSafeInteger(this.#offsetBytes + this.#skipBytes))
      throw this.#refuse("a size is out of range");
  }

  #isExtended(): boolean {
    return this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
  }

  // Sparse files

  #startOldSparse(entry: TarEntry, block: Uint8Array): void {
    entry.sizeBytes = this.#number(block, [GNU_SPARSE.realSize, 12], "size");
    this.#pending = entry;
    this.#pieces = [];
    this.#readGnuPieces(block, GNU_SPARSE);
    if (block[GNU_SPARSE.more] !== 0) this.#stage = "sparse-block";
    else this.#emitSparse(entry, this.#pieces);
  }

  #sparseBlock(block: Uint8Array): void {
    this.#readGnuPieces(block, GNU_SPARSE_MORE);
    if (block[GNU_SPARSE_MORE.more] !== 0) return;
    const entry = this.#pending as TarEntry;
    entry.offsetBytes = this.#offsetBytes;
    this.#emitSparse(entry, this.#pieces);
  }

  #readGnuPieces(block: Uint8Array, { pieces, count }: { pieces: number; count: number }): void {
    for (let index = 0; index < count; index++) {
      const at = pieces + index * 24;
      if (block[at] === 0) return; // an empty field ends the list
      this.#addPiece(
        this.#pieces,
        this.#number(block, [at, 12], "sparse piece"),
        this.#number(block, [at + 12, 12], "sparse piece"),
      );
    }
  }

  #startPaxSparse(entry: TarEntry, pax: Map<string, string>): void {
    const major = pax.get("GNU.sparse.major");
    const realSize = this.#paxNumber("GNU.sparse.realsize") ?? this.#paxNumber("GNU.sparse.size");
    if (major !== undefined && major !== "0") {
      if (major !== "1" || (pax.get("GNU.sparse.minor") ?? "0") !== "0") {
        throw this.#refuse("a sparse file is of an unknown format");
      }
      if (realSize === undefined) throw this.#refuse("a sparse file has no size");
      entry.sizeBytes = realSize;
      // Format 1.0: the map stands before the content, as decimal lines, padded to whole blocks.
      this.#pending = entry;
      this.#mapText = "";
      this.#mapNumbers = [];
      this.#stage = "sparse-map";
      this.#wantedBytes = BLOCK_BYTES;
      return;
    }
    const map = pax.get("GNU.sparse.map");
    if (map === undefined && this.#paxPieces === undefined) {
      this.#emit(entry);
      return;
    }
    if (realSize === undefined) throw this.#refuse("a sparse file has no size");
    entry.sizeBytes = realSize;
    this.#emitSparse(entry, map === undefined ? (this.#paxPieces as Pieces) : this.#parseMap(map));
  }

  #parseMap(text: string): Pieces {
    const pieces: Pieces = [];
    if (text === "") return pieces;
    const numbers = text.split(",", SPARSE_PIECES_MAX * 2 + 1);
    if (numbers.length % 2 !== 0) throw this.#refuse("the map of a sparse file is damaged");
    for (let index = 0; index < numbers.length; index += 2) {
      this.#addPiece(
        pieces,
        this.#decimal(numbers[index] as string),
        this.#decimal(numbers[index + 1] as string),
      );
    }
    return pieces;
  }

  #sparseMap(block: Uint8Array): void {
    const entry = this.#pending as TarEntry;
    entry.storedBytes -= BLOCK_BYTES;
    if (entry.storedBytes < 0) throw this.#refuse("the map of a sparse file is longer than the file");
    const numbers = this.#mapNumbers;
    let text = this.#mapText;
    for (const byte of block) {
      if (byte !== 0x0a) {
        text += String.fromCharCode(byte);
        if (text.length > 20) throw this.#refuse("the map of a sparse file is damaged");
        continue;
      }
      numbers.push(this.#decimal(text));
      text = "";
      const count = numbers[0] as number;
      if (count > SPARSE_PIECES_MAX) throw this.#refuse("a sparse file has too many pieces");
      if (numbers.length < 1 + count * 2) continue;
      const pieces: Pieces = [];
      for (let index = 1; index < numbers.length; index += 2) {
        this.#addPiece(pieces, numbers[index] as number, numbers[index + 1] as number);
      }
      entry.offsetBytes = this.#offsetBytes;
      this.#emitSparse(entry, pieces);
      return;
    }
    this.#mapText = text;
  }

  #addPiece(pieces: Pieces, startBytes: number, sizeBytes: number): void {
    if (pieces.length >= SPARSE_PIECES_MAX) throw this.#refuse("a sparse file has too many pieces");
    pieces.push({ startBytes, sizeBytes });
  }

  /** Pieces must be in order, apart from each other, inside the file, and as long as what is stored. */
  #emitSparse(entry: TarEntry, pieces: Pieces): void {
    let endBytes = 0;
    let storedBytes = 0;
    const placed: SparsePiece[] = [];
    for (const { startBytes, sizeBytes } of pieces) {
      if (sizeBytes < 0 || startBytes < endBytes || startBytes + sizeBytes > entry.sizeBytes) {
        throw this.#refuse("the map of a sparse file is damaged");
      }
      // GNU tar ends a map with an empty piece, to say how long the file is.
      if (sizeBytes > 0) {
        placed.push({ startBytes, sizeBytes, offsetBytes: entry.offsetBytes + storedBytes });
      }
      endBytes = startBytes + sizeBytes;
      storedBytes += sizeBytes;
    }
    if (storedBytes !== entry.storedBytes) throw this.#refuse("the map of a sparse file is damaged");
    entry.pieces = placed;
    this.#emit(entry);
  }

  // Values

  /**
   * Records of `LENGTH KEY=VALUE\n`, the length being that of the whole record.
   * @see pax, "pax Extended Header"
   */
  #readPax(block: Uint8Array): void {
    this.#pax ??= new Map();
    let position = 0;
    while (position < block.length) {
      let lengthBytes = 0;
      let at = position;
      for (; at < block.length && at - position < 8; at++) {
        const digit = (block[at] as number) - CHARACTER.zero;
        if (digit < 0 || digit > 9) break;
        lengthBytes = lengthBytes * 10 + digit;
      }
      const end = position + lengthBytes;
      const isRecord =
        at > position &&
        block[at] === CHARACTER.space &&
        end <= block.length &&
        end > at + 2 &&
        block[end - 1] === 0x0a;
      if (!isRecord) throw this.#refuse("a pax header is damaged");
      const equals = block.indexOf(0x3d, at + 1);
      if (equals <= at + 1 || equals >= end - 1) throw this.#refuse("a pax header is damaged");
      this.#paxRecord(decodeText(block, at + 1, equals), decodeText(block, equals + 1, end - 1));
      position = end;
    }
  }

  #paxRecord(key: string, value: string): void {
    switch (key) {
      case "GNU.sparse.offset":
        this.#paxPieces ??= [];
        this.#addPiece(this.#paxPieces, this.#decimal(value), -1);
        return;
      case "GNU.sparse.numbytes": {
        const piece = this.#paxPieces?.at(-1);
        if (piece?.sizeBytes !== -1) throw this.#refuse("the map of a sparse file is damaged");
        piece.sizeBytes = this.#decimal(value);
        return;
      }
      case "path":
      case "linkpath":
      case "size":
      case "mtime":
      case "uid":
      case "gid":
      case "GNU.sparse.name":
      case "GNU.sparse.map":
      case "GNU.sparse.major":
      case "GNU.sparse.minor":
      case "GNU.sparse.realsize":
      case "GNU.sparse.size":
        // An empty value takes an earlier one back.
        if (value === "") this.#pax?.delete(key);
        else this.#pax?.set(key, value);
        return;
      default:
        return; // extended attributes, access times, comments: nothing a guest can see
    }
  }

  #paxNumber(key: string): number | undefined {
    const text = this.#pax?.get(key);
    return text === undefined ? undefined : this.#decimal(text);
  }

  #decimal(text: string): number {
    const value = /^[0-9]{1,19}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value))
      throw this.#refuse(`a number is damaged: ${JSON.stringify(text.slice(0, 30))}`);
    return value;
  }

  #mtimeNs(block: Uint8Array): bigint {
    const text = this.#pax?.get("mtime");
    if (text === undefined) {
      return BigInt(clampSeconds(this.#number(block, Field.mtime, "time", true))) * NS_PER_SECOND;
    }
    const match = /^(-?)([0-9]{1,19})(?:\.([0-9]*))?$/.exec(text);
    if (match === null) throw this.#refuse(`a time is damaged: ${JSON.stringify(text.slice(0, 30))}`);
    const [, sign, seconds, fraction = ""] = match;
    const ns =
      BigInt(clampSeconds(Number(seconds))) * NS_PER_SECOND + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
    return sign === "-" ? -ns : ns;
  }

  #id(value: number): number {
    if (value > ID_MAX) throw this.#refuse(`a user or group id is out of range: ${value}`);
    return value;
  }

  /** Octal digits between spaces and NULs; or base 256, marked by the highest bit. */
  #number(block: Uint8Array, [at, size]: readonly [number, number], what: string, signed = false): number {
    const first = block[at] as number;
    if ((first & 0x80) !== 0) {
      const negative = (first & 0x40) !== 0;
      let value = negative ? (first | 0x80) - 0x100 : first & 0x3f;
      for (let index = at + 1; index < at + size; index++) value = value * 256 + (block[index] as number);
      if (!Number.isSafeInteger(value) || (negative && !signed))
        throw this.#refuse(`a ${what} is out of range`);
      return value;
    }
    let start = at;
    let end = at + size;
    while (start < end && isBlank(block[start] as number)) start++;
    while (end > start && isBlank(block[end - 1] as number)) end--;
    let value = 0;
    for (let index = start; index < end; index++) {
      const digit = (block[index] as number) - CHARACTER.zero;
      // Go reads up to the first NUL, whatever garbage an old writer left behind it.
      if (block[index] === 0) break;
      if (digit < 0 || digit > 7) throw this.#refuse(`a ${what} is no number`);
      value = value * 8 + digit;
    }
    return value;
  }

  #refuse(why: string): WpodError {
    return new WpodError("IMAGE_INVALID", `damaged tar archive: ${why} (near byte ${this.#offsetBytes})`);
  }
}

/** The bytes look like the start of a tar: a first header with a valid checksum, or an archive without entries. */
export function looksLikeTar(start: Uint8Array): boolean {
  if (start.length < BLOCK_BYTES) return false;
  const block = start.subarray(0, BLOCK_BYTES);
  if (isZero(block))
    return start.length >= 2 * BLOCK_BYTES && isZero(start.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES));
  return hasValidChecksum(block);
}

function roundUp(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
}

function clampSeconds(seconds: number): number {
  return Math.max(-MTIME_SECONDS_MAX, Math.min(MTIME_SECONDS_MAX, seconds));
}

function isBlank(byte: number): boolean {
  return byte === 0 || byte === CHARACTER.space;
}

function isZero(block: Uint8Array): boolean {
  for (let index = 0; index < block.length; index++) if (block[index] !== 0) return false;
  return true;
}

/** Old writers summed signed bytes; both are taken, as everywhere. */
function hasValidChecksum(block: Uint8Array): boolean {
  const [at, size] = Field.checksum;
  let stored = 0;
  let digits = 0;
  for (let index = at; index < at + size; index++) {
    const byte = block[index] as number;
    if (isBlank(byte)) {
      if (digits > 0) break;
      continue;
    }
    if (byte < CHARACTER.zero || byte > CHARACTER.seven) return false;
    stored = stored * 8 + byte - CHARACTER.zero;
    digits++;
  }
  if (digits === 0) return false;
  let unsigned = 0;
  let high = 0;
  for (let index = 0; index < BLOCK_BYTES; index++) {
    const byte = block[index] as number;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let index = at; index < at + size; index++) {
    const byte = block[index] as number;
    unsigned += CHARACTER.space - byte;
    high -= byte >> 7;
  }
  return stored === unsigned || stored === unsigned - 256 * high;
}

/** Up to the first NUL of a field. */
function cString(block: Uint8Array, at: number, size: number): string {
  let end = at;
  while (end < at + size && block[end] !== 0) end++;
  return decodeText(block, at, end);
}
