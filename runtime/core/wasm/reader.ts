/**
 * Reads the binary format of WebAssembly: numbers, names and sections, over bytes that are never copied.
 *
 * The bytes are foreign. Every read is bounded, and numbers are taken as strictly as V8 takes them: whatever one of the two
 * would read otherwise than the other is refused here, so that a limit written by us is the limit that V8 sees.
 * @see https://webassembly.github.io/spec/core/binary/index.html
 */

/** What is wrong with a file, and at which byte of it. */
export interface Problem {
  /** truncated: the file ends before it should; malformed: it says what can't be. */
  readonly kind: "truncated" | "malformed";
  readonly offset: number;
  /** The rest of a sentence that begins with the file: "ends inside its code section". */
  readonly message: string;
}

/** Thrown by readers, caught by whoever was given the bytes: callers of this folder get a `Problem` as a value. */
export class MalformedError extends Error {
  readonly problem: Problem;

  constructor(message: string, offset: number, kind: Problem["kind"] = "malformed") {
    super(message);
    this.problem = { kind, offset, message };
  }
}

/** What every module starts with: `\0asm`, version 1, and layer 0 (u16 each), which is 1 for components. */
export const MODULE_HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

export const SectionId = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

export const SECTION_NAMES: ReadonlyMap<number, string> = new Map<number, string>(
  Object.entries(SectionId).map(([name, id]) => [id, name]),
);

/** The order in which a module's sections stand, each at most once; custom ones stand anywhere. */
export const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

/** V8 takes no more of anything. A small file could else say so much that the lists of it fill the host's memory. */
export const COUNT_MAX = 1_000_000;
/** V8 takes no larger function. */
export const FUNCTION_BYTES_MAX = 7_654_321;
/** V8 counts no custom sections. Real programs have some dozens. */
const SECTION_COUNT_MAX = 10_000;

/** The longest LEB128 of a `u32`. */
const U32_BYTES_MAX = 5;

export interface Section {
  readonly id: number;
  /** Of a custom section; "" otherwise. */
  readonly name: string;
  /** Offsets into the file: of the id, of the content (behind a custom section's name), and of what follows. */
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** A place in some bytes, and an end that no read passes. */
export class BinaryReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  offset: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  get atEnd(): boolean {
    return this.offset >= this.end;
  }

  byte(): number {
    if (this.offset >= this.end) this.#fail("ends where a byte was expected");
    return this.bytes[this.offset++]!;
  }

  /** An unsigned LEB128 of at most 32 bits: five bytes at most, no bit beyond. */
  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f) this.#fail("has a number that is too long");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** An unsigned LEB128 of at most 64 bits. Above `Number.MAX_SAFE_INTEGER` it answers that: nothing here is that large. */
  u64(): number {
    let value = 0n;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift === 63 && byte > 0x01) this.#fail("has a number that is too long");
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    }
  }

  /** A signed LEB128 of at most 32 bits. */
  s32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      // Of the fifth byte four bits count; the three above them repeat the sign.
      if (shift === 28 && (byte & 0x78) !== 0 && (byte & 0x78) !== 0x78)
        this.#fail("has a number that is too long");
      if (shift === 28 && byte >= 0x80) this.#fail("has a number that is too long");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return shift < 28 && (byte & 0x40) !== 0 ? value | (-1 << (shift + 7)) : value;
    }
  }

  /** A vector's length, which can't exceed what is left: each element takes a byte or more. */
  count(): number {
    const count = this.u32();
    if (count > COUNT_MAX) this.#fail(`counts more than ${COUNT_MAX}`);
    if (count > this.end - this.offset) this.#fail("counts more than it holds");
    return count;
  }

  skip(byteCount: number): void {
    if (byteCount > this.end - this.offset) this.#fail("ends too early");
    this.offset += byteCount;
  }

  /** Steps over the declarations of locals, at the start of a function's body. @returns how many locals that are */
  skipLocals(): number {
    let localCount = 0;
    for (let groups = this.count(); groups > 0; groups--) {
      localCount += this.u32();
      this.skipValueType();
    }
    return localCount;
  }

  /** One byte; two kinds of reference have a heap type behind it, a signed LEB128 of at most 33 bits. */
  skipValueType(): void {
    const code = this.byte();
    if (code !== 0x63 && code !== 0x64) return;
    for (let left = U32_BYTES_MAX; left > 0; left--) if (this.byte() < 0x80) return;
    this.#fail("has a type that is too long");
  }

  /** A value type, nothing, or the index of a type: one number, but for two kinds of reference. */
  skipBlockType(): void {
    const code = this.bytes[this.offset];
    if (code === 0x63 || code === 0x64) this.skipValueType();
    else this.s32();
  }

  /** Bytes with their length in front, not copied. */
  bytesWithLength(): Uint8Array {
    const sizeBytes = this.u32();
    const start = this.offset;
    this.skip(sizeBytes);
    return this.bytes.subarray(start, start + sizeBytes);
  }

  name(): string {
    const start = this.offset;
    try {
      return UTF8.decode(this.bytesWithLength());
    } catch (error) {
      if (error instanceof MalformedError) throw error;
      throw new MalformedError("has a name that isn't UTF-8", start);
    }
  }

  #fail(message: string): never {
    throw new MalformedError(message, this.offset);
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws MalformedError for what isn't a module of version 1 */
export function expectModule(bytes: Uint8Array): void {
  const header = new BinaryReader(bytes);
  for (const expected of MODULE_HEADER) {
    if (header.byte() !== expected) throw new MalformedError("isn't a WebAssembly module", header.offset - 1);
  }
}

/**
 * Calls `visit` with each section in turn. Reads their headers only: the time depends on their number, not on the file's size.
 * @param bytes a file whose first eight bytes are a module's
 * @throws MalformedError at the first section that can't be; those before it were visited
 */
export function walkSections(bytes: Uint8Array, visit: (section: Section) => void): void {
  const reader = new BinaryReader(bytes, MODULE_HEADER.length);
  let place = -1;
  for (let count = 1; !reader.atEnd; count++) {
    const start = reader.offset;
    if (count > SECTION_COUNT_MAX)
      throw new MalformedError(`has more than ${SECTION_COUNT_MAX} sections`, start);
    const id = reader.byte();
    const sectionName = SECTION_NAMES.get(id);
    if (sectionName === undefined) throw new MalformedError(`has an unknown section ${id}`, start);
    if (id !== SectionId.custom) {
      const at = SECTION_ORDER.indexOf(id);
      if (at === place) throw new MalformedError(`has two ${sectionName} sections`, start);
      if (at < place) throw new MalformedError(`has its ${sectionName} section in the wrong place`, start);
      place = at;
    }
    const sizeBytes = sectionSize(reader);
    const content = reader.offset;
    const end = content + sizeBytes;
    if (end > bytes.length) {
      throw new MalformedError(
        `ends inside its ${sectionName} section: ${end - bytes.length} bytes are missing`,
        bytes.length,
        "truncated",
      );
    }
    visit(
      id === SectionId.custom
        ? customSection(bytes, start, content, end)
        : { id, name: "", start, content, end },
    );
    reader.offset = end;
  }
}

function sectionSize(reader: BinaryReader): number {
  const start = reader.offset;
  try {
    return reader.u32();
  } catch (error) {
    if (!reader.atEnd || reader.offset - start === U32_BYTES_MAX) throw error;
    throw new MalformedError("ends inside the header of a section", reader.offset, "truncated");
  }
}

function customSection(bytes: Uint8Array, start: number, content: number, end: number): Section {
  const reader = new BinaryReader(bytes, content, end);
  const name = reader.name();
  return { id: SectionId.custom, name, start, content: reader.offset, end };
}

/** An unsigned LEB128 in the fewest bytes. */
export function unsigned(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      out.push(rest);
      return out;
    }
    out.push((rest % 128) | 0x80);
  }
}

/** A signed LEB128 in the fewest bytes. */
export function signed(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest >= -64 && rest < 64) {
      out.push(rest & 0x7f);
      return out;
    }
    out.push((rest & 0x7f) | 0x80);
  }
}
