/**
 * Adds to a module: types, globals, functions and exports behind those that are there, code at the start of functions that are
 * there, and code in place of single instructions.
 * Nothing is renumbered, so that everything else stays as it is, names included. Sections that aren't touched are copied whole.
 */
import { assert } from "../error.ts";
import { concatenate } from "./bytes.ts";
import { walkImports } from "./import-section.ts";
import { walkInstructions } from "./instructions.ts";
import {
  BinaryReader,
  MalformedError,
  SECTION_ORDER,
  type Section,
  SectionId,
  unsigned,
  walkSections,
} from "./reader.ts";

/** Value types by their byte. */
export const ValueType = { i32: 0x7f, i64: 0x7e } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

export interface FunctionType {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

const HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const FUNCTION_FORM = 0x60;
const END = 0x0b;
/** Of an export. */
const KINDS = { function: 0, table: 1, memory: 2, global: 3 } as const;
const FUNCREF = 0x70;

export class ModuleEditor {
  readonly #bytes: Uint8Array;
  readonly #sections: Section[] = [];
  readonly #byId = new Map<number, Section>();
  #importedFunctionCount = 0;
  #importedGlobalCount = 0;
  #importedTableCount = 0;
  #functionTypes: number[] | undefined;
  #typesRead: readonly FunctionType[] | "not plain" | undefined;
  readonly #types: number[][] = [];
  readonly #functions: { type: number; body: number[] }[] = [];
  readonly #globals: number[][] = [];
  readonly #tables: number[][] = [];
  #dropsStart = false;
  readonly #exports: number[][] = [];
  readonly #inserted = new Map<number, number[]>();
  #replaced: { opcode: number; code: (index: number) => readonly number[] } | undefined;

  /** @throws MalformedError */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    walkSections(bytes, (section) => {
      this.#sections.push(section);
      if (section.id !== SectionId.custom) this.#byId.set(section.id, section);
      if (section.id !== SectionId.import) return;
      walkImports(bytes, section, ({ kind }) => {
        if (kind === "function") this.#importedFunctionCount++;
        else if (kind === "global") this.#importedGlobalCount++;
        else if (kind === "table") this.#importedTableCount++;
      });
    });
  }

  /**
   * The type of a function that the module defines; undefined for an imported one, and for a type that isn't plain (the
   * garbage collection proposal groups types, which this doesn't count).
   */
  typeOf(functionIndex: number): FunctionType | undefined {
    this.#functionTypes ??= this.#readFunctionTypes();
    const typeIndex = this.#functionTypes[functionIndex - this.#importedFunctionCount];
    return typeIndex === undefined ? undefined : this.#plainTypes()?.[typeIndex];
  }

  /** @returns its index; undefined where types can't be counted, and nothing can be added */
  addType(type: FunctionType): number | undefined {
    const known = this.#plainTypes();
    if (known === undefined) return undefined;
    this.#types.push([
      FUNCTION_FORM,
      type.params.length,
      ...type.params,
      type.results.length,
      ...type.results,
    ]);
    return known.length + this.#types.length - 1;
  }

  /** A mutable i32 that starts with 0. */
  addGlobal(): number {
    this.#globals.push([ValueType.i32, 1, 0x41, 0, END]);
    return this.#importedGlobalCount + this.#vector(SectionId.global).count + this.#globals.length - 1;
  }

  /** Of one function, which isn't there yet. */
  addTable(): number {
    this.#tables.push([FUNCREF, 1, 1, 1]);
    return this.#importedTableCount + this.#vector(SectionId.table).count + this.#tables.length - 1;
  }

  /** What would run when the module is instantiated is exported instead, and doesn't. */
  exportStart(name: string): void {
    const section = this.#byId.get(SectionId.start);
    if (section === undefined) return;
    const index = new BinaryReader(this.#bytes, section.content, section.end).u32();
    this.export("function", name, index);
    this.#dropsStart = true;
  }

  /**
   * @param type index of its type
   * @param locals count of them behind its parameters, all of `localType`
   * @param code instructions without the `end` of the function
   */
  addFunction(
    type: number,
    locals: number,
    code: readonly number[],
    localType: ValueType = ValueType.i32,
  ): number {
    const declared = locals === 0 ? [0] : [1, ...unsigned(locals), localType];
    this.#functions.push({ type, body: [...declared, ...code, END] });
    return this.#importedFunctionCount + this.#vector(SectionId.function).count + this.#functions.length - 1;
  }

  /** @param functionIndex one that the module defines; once each */
  insertAtStart(functionIndex: number, code: number[]): void {
    assert(functionIndex >= this.#importedFunctionCount, "code goes into functions that the module defines");
    this.#inserted.set(functionIndex - this.#importedFunctionCount, code);
  }

  export(kind: keyof typeof KINDS, name: string, index: number): void {
    const bytes = new TextEncoder().encode(name);
    this.#exports.push([...unsigned(bytes.length), ...bytes, KINDS[kind], ...unsigned(index)]);
  }

  /**
   * Each instruction of this opcode, in all functions that the module defines, becomes other code.
   * @param code from the number that stands behind the opcode
   */
  replaceInstruction(opcode: number, code: (index: number) => readonly number[]): void {
    this.#replaced = { opcode, code };
  }

  /** @throws MalformedError */
  finish(): Uint8Array {
    const added = new Map<number, number[][]>([
      [SectionId.type, this.#types],
      [SectionId.function, this.#functions.map(({ type }) => unsigned(type))],
      [SectionId.table, this.#tables],
      [SectionId.global, this.#globals],
      [SectionId.export, this.#exports],
      [SectionId.code, this.#functions.map(({ body }) => [...unsigned(body.length), ...body])],
    ]);
    const pieces: Uint8Array[] = [HEADER];
    const finished = new Set<number>();
    const finish = (id: number) => {
      finished.add(id);
      if (id === SectionId.start && this.#dropsStart) return;
      const elements = added.get(id) ?? [];
      const section = this.#byId.get(id);
      if (elements.length > 0 || (id === SectionId.code && this.#changesCode)) {
        pieces.push(...this.#extended(id, elements));
      } else if (section !== undefined) {
        pieces.push(this.#bytes.subarray(section.start, section.end));
      }
    };
    for (const section of this.#sections) {
      if (section.id === SectionId.custom) {
        // Holds offsets into function bodies, which move.
        if (section.name.startsWith("metadata.code.")) continue;
        pieces.push(this.#bytes.subarray(section.start, section.end));
        continue;
      }
      for (const id of SECTION_ORDER.slice(0, SECTION_ORDER.indexOf(section.id) + 1)) {
        if (!finished.has(id)) finish(id);
      }
    }
    for (const id of SECTION_ORDER) if (!finished.has(id)) finish(id);
    return concatenate(pieces);
  }

  #extended(id: number, elements: readonly number[][]): Uint8Array[] {
    const { count, reader } = this.#vector(id);
    const old =
      id === SectionId.code ? this.#code(reader, count) : [reader.bytes.subarray(reader.offset, reader.end)];
    const content = [
      Uint8Array.from(unsigned(count + elements.length)),
      ...old,
      ...elements.map((element) => Uint8Array.from(element)),
    ];
    const sizeBytes = content.reduce((sum, piece) => sum + piece.length, 0);
    return [Uint8Array.from([id, ...unsigned(sizeBytes)]), ...content];
  }

  get #changesCode(): boolean {
    return this.#inserted.size > 0 || this.#replaced !== undefined;
  }

  /** The bodies in pieces: what lies between two changed ones is one piece. */
  #code(reader: BinaryReader, count: number): Uint8Array[] {
    const { bytes } = reader;
    const pieces: Uint8Array[] = [];
    const last = this.#replaced === undefined ? Math.max(-1, ...this.#inserted.keys()) : count - 1;
    if (last >= count) throw new MalformedError("has fewer functions than it says", reader.offset);
    let copied = reader.offset;
    for (let place = 0; place <= last; place++) {
      const start = reader.offset;
      const sizeBytes = reader.u32();
      const body = new BinaryReader(bytes, reader.offset, reader.offset + sizeBytes);
      reader.skip(sizeBytes);
      const changed = this.#body(body, this.#inserted.get(place));
      if (changed === undefined) continue;
      pieces.push(bytes.subarray(copied, start), Uint8Array.from(unsigned(changed.length)), changed);
      copied = body.end;
    }
    pieces.push(bytes.subarray(copied, reader.end));
    return pieces;
  }

  /** One function's body with what was asked for; undefined where nothing changes. */
  #body(body: BinaryReader, inserted: readonly number[] | undefined): Uint8Array | undefined {
    if (inserted === undefined && this.#replaced === undefined) return undefined;
    const { bytes, end } = body;
    const pieces: Uint8Array[] = [];
    let copied = body.offset;
    body.skipLocals();
    if (inserted !== undefined) {
      pieces.push(bytes.subarray(copied, body.offset), Uint8Array.from(inserted));
      copied = body.offset;
    }
    if (this.#replaced !== undefined) {
      const { opcode, code } = this.#replaced;
      walkInstructions(bytes, body.offset, end, (found, start, after) => {
        if (found !== opcode) return;
        const index = new BinaryReader(bytes, start + 1, after).u32();
        pieces.push(bytes.subarray(copied, start), Uint8Array.from(code(index)));
        copied = after;
      });
    }
    if (pieces.length === 0) return undefined;
    pieces.push(bytes.subarray(copied, end));
    return concatenate(pieces);
  }

  #vector(id: number): { count: number; reader: BinaryReader } {
    const section = this.#byId.get(id);
    const reader = new BinaryReader(this.#bytes, section?.content, section === undefined ? 0 : section.end);
    return { count: section === undefined ? 0 : reader.count(), reader };
  }

  #readFunctionTypes(): number[] {
    const { count, reader } = this.#vector(SectionId.function);
    return Array.from({ length: count }, () => reader.u32());
  }

  #plainTypes(): readonly FunctionType[] | undefined {
    if (this.#typesRead === undefined) this.#typesRead = this.#readPlainTypes() ?? "not plain";
    return this.#typesRead === "not plain" ? undefined : this.#typesRead;
  }

  #readPlainTypes(): FunctionType[] | undefined {
    const { count, reader } = this.#vector(SectionId.type);
    const types: FunctionType[] = [];
    for (let left = count; left > 0; left--) {
      if (reader.byte() !== FUNCTION_FORM) return undefined;
      const params = readPlainTypes(reader);
      const results = readPlainTypes(reader);
      if (params === undefined || results === undefined) return undefined;
      types.push({ params, results });
    }
    return types;
  }
}

/** Types of one byte: numbers, vectors, and the two older references. */
function readPlainTypes(reader: BinaryReader): number[] | undefined {
  const types: number[] = [];
  for (let left = reader.count(); left > 0; left--) {
    const type = reader.byte();
    if (type === 0x63 || type === 0x64) return undefined;
    types.push(type);
  }
  return types;
}
