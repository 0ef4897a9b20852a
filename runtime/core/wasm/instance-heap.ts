/**
 * Bounds what an instance of a module has on the heap of its thread: tables, the elements to fill them with, and objects that globals
 * begin with. They aren't linear memory, and where V8 makes something large when a heap is full it ends the whole process.
 *
 * Tables get a smaller maximum, as memories do: what the bound leaves is shared equally by those that may grow.
 */
import { walkElements } from "./element-section.ts";
import { type InstructionVisitor, walkExpression } from "./instructions.ts";
import { BinaryReader, expectModule, type Section, SectionId, walkSections } from "./reader.ts";
import { replaceBytes } from "./section-edit.ts";
import { walkTables } from "./table-section.ts";
import { type TableType, writeTableLimits } from "./table-type.ts";
import { type ObjectType, readObjectTypes } from "./type-section.ts";

/** Real programs have some hundred thousand bytes: eight for each function whose address is taken, twice. */
export const INSTANCE_HEAP_BYTES_MAX = 8 * 1024 * 1024;

export type InstanceHeap = BoundedHeap | RefusedHeap;

export interface BoundedHeap {
  readonly kind: "bounded";
  /** The whole module; the same array when nothing had to be changed. */
  readonly bytes: Uint8Array;
}

/** It can't even start. */
export interface RefusedHeap {
  readonly kind: "refused";
  /** As far as it was counted. */
  readonly neededBytes: number;
}

const REFERENCE_BYTES = 8;
const OBJECT_HEADER_BYTES = 24;

// Instructions of constant expressions that make something.
const I32_CONST = 0x41;
const STRUCT_NEW = 0xfb000;
const STRUCT_NEW_DEFAULT = 0xfb001;
const ARRAY_NEW = 0xfb006;
const ARRAY_NEW_DEFAULT = 0xfb007;
const ARRAY_NEW_FIXED = 0xfb008;

/** A table's type, and where its limits stand. */
interface Place {
  readonly section: Section;
  readonly type: TableType;
  readonly start: number;
  readonly end: number;
}

/**
 * @param bytes a module; never written to
 * @throws MalformedError
 */
export function boundInstanceHeap(bytes: Uint8Array): InstanceHeap {
  const { neededBytes, tables } = new StartHeap(bytes);
  if (neededBytes > INSTANCE_HEAP_BYTES_MAX) return { kind: "refused", neededBytes };
  const growing = tables.filter(({ type }) => type.maximum === undefined || type.maximum > type.minimum);
  const leftBytes = INSTANCE_HEAP_BYTES_MAX - neededBytes;
  const share = Math.floor(leftBytes / REFERENCE_BYTES / Math.max(1, growing.length));
  const replacements = growing
    .filter(({ type }) => (type.maximum ?? Infinity) > type.minimum + share)
    .map(({ type, ...place }) => ({ ...place, bytes: writeTableLimits(type, type.minimum + share) }));
  return { kind: "bounded", bytes: replacements.length === 0 ? bytes : replaceBytes(bytes, replacements) };
}

/** What is made before anything of the program runs. */
class StartHeap {
  readonly tables: Place[] = [];
  neededBytes = 0;
  readonly #bytes: Uint8Array;
  #objectTypes: readonly (ObjectType | undefined)[] = [];
  /** What an instruction before pushed, where that is in the module itself. */
  #literal: number | undefined;

  /** @throws MalformedError */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    expectModule(bytes);
    walkSections(bytes, (section) => {
      const reader = new BinaryReader(bytes, section.content, section.end);
      if (section.id === SectionId.type) {
        this.#objectTypes = readObjectTypes({ count: reader.count(), reader });
      } else if (section.id === SectionId.table) this.#countTables(section);
      else if (section.id === SectionId.global) this.#countGlobals(reader);
      else if (section.id === SectionId.element) this.#countElements(reader);
    });
  }

  #countTables(section: Section): void {
    const count = (type: TableType, start: number, end: number) => {
      this.tables.push({ section, type, start, end });
      this.neededBytes += OBJECT_HEADER_BYTES + type.minimum * REFERENCE_BYTES;
    };
    walkTables(this.#bytes, section, count, this.#countInstruction);
  }

  #countGlobals(reader: BinaryReader): void {
    for (let left = reader.count(); left > 0; left--) {
      reader.skipValueType();
      reader.byte();
      this.#countExpression(reader);
    }
  }

  #countElements(reader: BinaryReader): void {
    walkElements(reader, {
      segment: (elementCount) => {
        this.neededBytes += OBJECT_HEADER_BYTES + elementCount * REFERENCE_BYTES;
      },
      instruction: this.#countInstruction,
      function: () => {},
    });
  }

  #countExpression(reader: BinaryReader): void {
    reader.offset = walkExpression(this.#bytes, reader.offset, reader.end, this.#countInstruction);
  }

  readonly #countInstruction: InstructionVisitor = (opcode, start, end) => {
    const literal = this.#literal;
    this.#literal =
      opcode === I32_CONST ? new BinaryReader(this.#bytes, start + 1, end).s32() >>> 0 : undefined;
    if (opcode < STRUCT_NEW || opcode > ARRAY_NEW_FIXED) return;
    const operands = new BinaryReader(this.#bytes, start + 1, end);
    operands.u32(); // the opcode's number behind its prefix
    const type = this.#objectTypes[operands.u32()];
    let bodyBytes = 0;
    if (opcode === STRUCT_NEW || opcode === STRUCT_NEW_DEFAULT) {
      bodyBytes = type?.kind === "struct" ? type.fieldCount * REFERENCE_BYTES : 0;
    } else if (type?.kind === "array") {
      if (opcode === ARRAY_NEW_FIXED) bodyBytes = operands.u32() * type.elementBytes;
      // Reckoned from other numbers: as long as it may be.
      else if (opcode === ARRAY_NEW || opcode === ARRAY_NEW_DEFAULT) {
        bodyBytes = (literal ?? 2 ** 32) * type.elementBytes;
      }
    }
    this.neededBytes += OBJECT_HEADER_BYTES + bodyBytes;
  };
}
