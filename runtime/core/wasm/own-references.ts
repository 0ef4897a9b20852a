/**
 * Refuses a module that refers to a function, global, memory or table which it doesn't have.
 *
 * V8 would refuse it too. But what is appended to a module takes the next free indexes: the reference would then be one to what
 * was appended, V8 would take it, and the guest could write what only the host and our own code should.
 */
import { walkElements } from "./element-section.ts";
import { expectEnd } from "./import-section.ts";
import { hasMemory, Wanted, walkExpression } from "./instructions.ts";
import type { IndexCounts } from "./module-editor.ts";
import { BinaryReader, MalformedError, SECTION_NAMES, type Section, SectionId } from "./reader.ts";

// Instructions that name a function or a global.
const CALL = 0x10;
const RETURN_CALL = 0x12;
const GLOBAL_GET = 0x23;
const GLOBAL_SET = 0x24;
const REF_FUNC = 0xd2;
// Instructions that reach a memory: loads and stores, plain ones, of vectors, and atomic; then those on whole memories.
const LOADS_AND_STORES = [0x28, 0x3e] as const;
const VECTORS = [0xfd000, 0xfd00b] as const;
const VECTOR_LANES = [0xfd054, 0xfd05d] as const;
const WAITS = [0xfe000, 0xfe002] as const;
const ATOMICS = [0xfe010, 0xfe04e] as const;
// Instructions that name a table, behind a type or a segment where there is one.
const TABLE_GET = 0x25;
const TABLE_SET = 0x26;
const CALL_INDIRECT = 0x11;
const RETURN_CALL_INDIRECT = 0x13;
const TABLE_INIT = 0xfc00c;
const TABLE_COPY = 0xfc00e;
const TABLE_GROW_TO_FILL = [0xfc00f, 0xfc011] as const;
const MEMORY_SIZE = 0x3f;
const MEMORY_GROW = 0x40;
const MEMORY_INIT = 0xfc008;
const MEMORY_COPY = 0xfc00a;
const MEMORY_FILL = 0xfc00b;

/** From here on, an opcode has a second part. */
const FIRST_PREFIX = 0xfb;

/** How instructions of one byte refer to something. */
const NONE = 0;
const FUNCTION = 1;
const GLOBAL = 2;
const MEMORY = 3;
const MEMARG = 4;
const TABLE = 5;
const TYPE_AND_TABLE = 6;
const REFERENCES = new Uint8Array(0x100);
for (const opcode of [CALL, RETURN_CALL, REF_FUNC]) REFERENCES[opcode] = FUNCTION;
for (const opcode of [GLOBAL_GET, GLOBAL_SET]) REFERENCES[opcode] = GLOBAL;
for (const opcode of [TABLE_GET, TABLE_SET]) REFERENCES[opcode] = TABLE;
for (const opcode of [CALL_INDIRECT, RETURN_CALL_INDIRECT]) REFERENCES[opcode] = TYPE_AND_TABLE;
for (const opcode of [MEMORY_SIZE, MEMORY_GROW]) REFERENCES[opcode] = MEMORY;
REFERENCES.fill(MEMARG, LOADS_AND_STORES[0], LOADS_AND_STORES[1] + 1);

export class OwnReferences {
  readonly #bytes: Uint8Array;
  readonly #counts: IndexCounts;

  /** @param counts of what the module has by itself */
  constructor(bytes: Uint8Array, counts: IndexCounts) {
    this.#bytes = bytes;
    this.#counts = counts;
  }

  /** Those that `check` has to see, for `walkInstructions`. */
  get wanted(): Uint8Array {
    const loadsAndStores = this.#counts.memory === 0 ? Wanted.always : Wanted.withMemory;
    return REFERENCES.map((kind, first) => {
      if (first >= FIRST_PREFIX) return Wanted.always;
      if (kind === MEMARG) return loadsAndStores;
      return kind === NONE ? Wanted.never : Wanted.always;
    });
  }

  /**
   * For each instruction, as `walkInstructions` visits them.
   * @throws MalformedError
   */
  readonly check = (opcode: number, start: number): void => {
    const kind = opcode < 0x100 ? REFERENCES[opcode]! : NONE;
    if (kind === FUNCTION) this.#expect(this.#number(start + 1), this.#counts.function, start);
    else if (kind === GLOBAL) this.#expect(this.#number(start + 1), this.#counts.global, start);
    else if (kind === MEMORY) this.#expect(this.#number(start + 1), this.#counts.memory, start);
    else if (kind === MEMARG) this.#checkMemarg(start + 1);
    else if (kind === TABLE) this.#expect(this.#number(start + 1), this.#counts.table, start);
    else if (kind === TYPE_AND_TABLE) this.#expectSecond(start + 1, this.#counts.table, start);
    else if (opcode >= 0x100) this.#checkPrefixed(opcode, start);
  };

  /**
   * Everything but the code: exports, the start function, constant expressions. And whether each section holds as much as it
   * counts: elements behind those that are counted would get the indexes of what is appended.
   * @throws MalformedError
   */
  checkSections(sections: readonly Section[]): void {
    for (const section of sections) {
      const reader = new BinaryReader(this.#bytes, section.content, section.end);
      if (section.id === SectionId.function) for (let left = reader.count(); left > 0; left--) reader.u32();
      else if (section.id === SectionId.global) this.#checkGlobals(reader);
      else if (section.id === SectionId.export) this.#checkExports(reader);
      else if (section.id === SectionId.start) this.#expectNext(reader, this.#counts.function);
      else if (section.id === SectionId.element) this.#checkElements(reader);
      else if (section.id === SectionId.data) this.#checkData(reader);
      else continue;
      expectEnd(reader, SECTION_NAMES.get(section.id)!);
    }
  }

  #checkGlobals(reader: BinaryReader): void {
    for (let left = reader.count(); left > 0; left--) {
      reader.skipValueType();
      reader.byte();
      this.#checkExpression(reader);
    }
  }

  #checkExports(reader: BinaryReader): void {
    const { function: functions, table, memory, global, tag } = this.#counts;
    const counts = [functions, table, memory, global, tag];
    for (let left = reader.count(); left > 0; left--) {
      reader.bytesWithLength();
      this.#expectNext(reader, counts[reader.byte()] ?? 0);
    }
  }

  #checkElements(reader: BinaryReader): void {
    walkElements(reader, {
      table: (index, offset) => this.#expect(index, this.#counts.table, offset),
      instruction: this.check,
      function: (index, offset) => this.#expect(index, this.#counts.function, offset),
    });
  }

  /** @see https://webassembly.github.io/spec/core/binary/modules.html#data-section */
  #checkData(reader: BinaryReader): void {
    for (let left = reader.count(); left > 0; left--) {
      const start = reader.offset;
      const flags = reader.u32();
      if (flags !== 1) this.#expect(flags === 2 ? reader.u32() : 0, this.#counts.memory, start);
      if (flags !== 1) this.#checkExpression(reader);
      reader.bytesWithLength();
    }
  }

  #checkExpression(reader: BinaryReader): void {
    reader.offset = walkExpression(this.#bytes, reader.offset, reader.end, this.check);
  }

  #checkPrefixed(opcode: number, start: number): void {
    // Behind the prefix and the opcode's own number.
    const operands = this.#after(start + 1);
    if (isIn(opcode, VECTORS) || isIn(opcode, VECTOR_LANES) || isIn(opcode, WAITS) || isIn(opcode, ATOMICS)) {
      this.#checkMemarg(operands);
    } else if (opcode === MEMORY_FILL) {
      this.#expect(this.#number(operands), this.#counts.memory, start);
    } else if (opcode === MEMORY_INIT) {
      this.#expectSecond(operands, this.#counts.memory, start);
    } else if (opcode === MEMORY_COPY) {
      this.#expect(this.#number(operands), this.#counts.memory, start);
      this.#expectSecond(operands, this.#counts.memory, start);
    } else if (isIn(opcode, TABLE_GROW_TO_FILL) || opcode === TABLE_COPY) {
      this.#expect(this.#number(operands), this.#counts.table, start);
      if (opcode === TABLE_COPY) this.#expectSecond(operands, this.#counts.table, start);
    } else if (opcode === TABLE_INIT) {
      this.#expectSecond(operands, this.#counts.table, start);
    }
  }

  #checkMemarg(offset: number): void {
    if (hasMemory(this.#bytes, offset))
      this.#expect(this.#number(this.#after(offset)), this.#counts.memory, offset);
    else if (this.#counts.memory === 0) this.#expect(0, 0, offset);
  }

  #expectNext(reader: BinaryReader, count: number): void {
    const start = reader.offset;
    this.#expect(reader.u32(), count, start);
  }

  /** Of two numbers one behind the other. */
  #expectSecond(operands: number, count: number, offset: number): void {
    this.#expect(this.#number(this.#after(operands)), count, offset);
  }

  #expect(index: number, count: number, offset: number): void {
    if (index >= count) throw new MalformedError("refers to what it doesn't have", offset);
  }

  /** An unsigned LEB128 that is known to end. */
  #number(offset: number): number {
    const first = this.#bytes[offset]!;
    return first < 0x80 ? first : readNumber(this.#bytes, offset);
  }

  /** Offset behind a LEB128. */
  #after(offset: number): number {
    let at = offset;
    while (this.#bytes[at]! >= 0x80) at++;
    return at + 1;
  }
}

function isIn(opcode: number, [first, last]: readonly [number, number]): boolean {
  return opcode >= first && opcode <= last;
}

function readNumber(bytes: Uint8Array, offset: number): number {
  let value = 0;
  for (let at = offset, scale = 1; ; at++, scale *= 128) {
    value += (bytes[at]! & 0x7f) * scale;
    if (bytes[at]! < 0x80) return value;
  }
}
