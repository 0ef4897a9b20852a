/**
 * Adds to a module: types, globals, functions and exports behind those that are there, code at the start of functions that are
 * there, and code in place of single instructions.
 * Nothing is renumbered, so that everything else stays as it is, names included. Sections that aren't touched are copied whole.
 */

import { assert } from "../error.ts";
import { call } from "./assembly.ts";
import { concatenate } from "./bytes.ts";
import { walkImports } from "./import-section.ts";
import { walkInstructions } from "./instructions.ts";
import { type MemoryType, writeMemoryType } from "./memory-type.ts";
import {
  BinaryReader,
  COUNT_MAX,
  expectModule,
  MalformedError,
  MODULE_HEADER,
  SECTION_ORDER,
  type Section,
  SectionId,
  signed,
  unsigned,
  walkSections,
} from "./reader.ts";
import { type FunctionType, type ObjectType, readObjectTypes, readTypes } from "./type-section.ts";

/** Value types by their byte. */
export const ValueType = { i32: 0x7f, i64: 0x7e } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

/** How many of each kind a module has, imported ones with them. */
export interface IndexCounts {
  readonly function: number;
  readonly table: number;
  readonly memory: number;
  readonly global: number;
  readonly tag: number;
}

const FUNCTION_FORM = 0x60;
const END = 0x0b;
/** Of an export. */
const KINDS = { function: 0, table: 1, memory: 2, global: 3 } as const;
const FUNCREF = 0x70;

export class ModuleEditor {
  readonly #bytes: Uint8Array;
  readonly #sections: Section[] = [];
  readonly #byId = new Map<number, Section>();
  readonly #importedCounts = { function: 0, table: 0, memory: 0, global: 0, tag: 0 };
  readonly #importedTypes: number[] = [];
  #functionTypes: number[] | undefined;
  #typesRead: readonly (FunctionType | undefined)[] | undefined;
  readonly #types: number[][] = [];
  readonly #functions: { type: number; body: Uint8Array }[] = [];
  readonly #globals: number[][] = [];
  readonly #tables: number[][] = [];
  readonly #memories: number[][] = [];
  #dropsStart = false;
  readonly #exports: number[][] = [];
  #exportNames: Set<string> | undefined;
  readonly #inserted = new Map<number, number[]>();
  readonly #customSections: Uint8Array[] = [];
  #rewritten: readonly Uint8Array[] | undefined;
  #replaced: { opcode: number; code: (index: number) => readonly number[] } | undefined;

  /** @throws MalformedError */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    expectModule(bytes);
    walkSections(bytes, (section) => {
      this.#sections.push(section);
      if (section.id !== SectionId.custom) this.#byId.set(section.id, section);
      if (section.id !== SectionId.import) return;
      walkImports(bytes, section, ({ kind, typeStart, typeEnd }) => {
        this.#importedCounts[kind]++;
        if (kind === "function") this.#importedTypes.push(new BinaryReader(bytes, typeStart, typeEnd).u32());
      });
    });
  }

  get sections(): readonly Section[] {
    return this.#sections;
  }

  /** Without what was added. */
  get counts(): IndexCounts {
    const { function: functions, table, memory, global, tag } = this.#importedCounts;
    return {
      function: functions + this.#vector(SectionId.function).count,
      table: table + this.#vector(SectionId.table).count,
      memory: memory + this.#vector(SectionId.memory).count,
      global: global + this.#vector(SectionId.global).count,
      tag: tag + this.#vector(SectionId.tag).count,
    };
  }

  /** The type of a function that the module defines; undefined for an imported one. */
  typeOf(functionIndex: number): FunctionType | undefined {
    const place = functionIndex - this.#importedCounts.function;
    return place < 0 ? undefined : this.signature(functionIndex);
  }

  /** The type of a function, an imported one too; undefined for one that isn't there. */
  signature(functionIndex: number): FunctionType | undefined {
    this.#functionTypes ??= [...this.#importedTypes, ...this.#readFunctionTypes()];
    const typeIndex = this.#functionTypes[functionIndex];
    return typeIndex === undefined ? undefined : this.typeAt(typeIndex);
  }

  /** Undefined where there is none, or none of a function. */
  typeAt(typeIndex: number): FunctionType | undefined {
    return this.#knownTypes()[typeIndex];
  }

  /** The most parameters, and results, that any type of a function has. */
  get aritiesMax(): { readonly params: number; readonly results: number } {
    const most = { params: 0, results: 0 };
    for (const type of this.#knownTypes()) {
      most.params = Math.max(most.params, type?.params.length ?? 0);
      most.results = Math.max(most.results, type?.results.length ?? 0);
    }
    return most;
  }

  /** The module's structs and arrays, by index of their types. */
  get objectTypes(): readonly (ObjectType | undefined)[] {
    return readObjectTypes(this.#vector(SectionId.type));
  }

  /** @returns its index */
  addType(type: FunctionType): number {
    this.#types.push([
      FUNCTION_FORM,
      ...unsigned(type.params.length),
      ...type.params,
      ...unsigned(type.results.length),
      ...type.results,
    ]);
    return this.#knownTypes().length + this.#types.length - 1;
  }

  /** A mutable i32. */
  addGlobal(initial = 0): number {
    this.#globals.push([ValueType.i32, 1, 0x41, ...signed(initial), END]);
    return this.#importedCounts.global + this.#vector(SectionId.global).count + this.#globals.length - 1;
  }

  addMemory(type: MemoryType): number {
    this.#memories.push(writeMemoryType(type));
    return this.#importedCounts.memory + this.#vector(SectionId.memory).count + this.#memories.length - 1;
  }

  /** Of one function, which isn't there yet. */
  addTable(): number {
    this.#tables.push([FUNCREF, 1, 1, 1]);
    return this.#importedCounts.table + this.#vector(SectionId.table).count + this.#tables.length - 1;
  }

  /**
   * What would run when the module is instantiated is exported instead, and doesn't. By a function that calls it: so what V8 takes for no
   * start function, since it has parameters or results, still makes the module invalid.
   */
  exportStart(name: string): void {
    const section = this.#byId.get(SectionId.start);
    if (section === undefined) return;
    const index = new BinaryReader(this.#bytes, section.content, section.end).u32();
    const type = this.addType({ params: [], results: [] });
    this.export("function", name, this.addFunction(type, 0, call(index)));
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
    return this.addBody(type, Uint8Array.from([...declared, ...code, END]));
  }

  /** @param body from the locals to the `end`, without its size in front */
  addBody(type: number, body: Uint8Array): number {
    this.#functions.push({ type, body });
    return (
      this.#importedCounts.function + this.#vector(SectionId.function).count + this.#functions.length - 1
    );
  }

  /** @param functionIndex one that the module defines; once each */
  insertAtStart(functionIndex: number, code: number[]): void {
    assert(
      functionIndex >= this.#importedCounts.function,
      "code goes into functions that the module defines",
    );
    this.#inserted.set(functionIndex - this.#importedCounts.function, code);
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

  /** The bodies of the module's functions, for who rewrites all of them in a way of its own: as many as `count`. */
  get code(): { count: number; reader: BinaryReader } {
    const code = this.#vector(SectionId.code);
    if (code.count !== this.#vector(SectionId.function).count) {
      throw new MalformedError("has another number of functions than of bodies", code.reader.offset);
    }
    return code;
  }

  /** @param pieces as many bodies as `code` has, each with its size in front; they replace all other changes of code */
  replaceCode(pieces: readonly Uint8Array[]): void {
    this.#rewritten = pieces;
  }

  /** It stands in front of the code. */
  addCustomSection(name: string, content: readonly Uint8Array[]): void {
    const encoded = new TextEncoder().encode(name);
    const nameSize = unsigned(encoded.length);
    const sizeBytes = content.reduce((sum, piece) => sum + piece.length, nameSize.length + encoded.length);
    const header = Uint8Array.from([SectionId.custom, ...unsigned(sizeBytes), ...nameSize, ...encoded]);
    this.#customSections.push(header, ...content);
  }

  /** @returns `wanted`, or that with a number behind it where the module exports something by that name */
  freeExportName(wanted: string): string {
    this.#exportNames ??= this.#readExportNames();
    let name = wanted;
    for (let number = 2; this.#exportNames.has(name); number++) name = `${wanted}.${number}`;
    return name;
  }

  /** @throws MalformedError */
  finish(): Uint8Array {
    return concatenate(this.finishInPieces());
  }

  /**
   * Unchanged parts are views of the module.
   * @throws MalformedError
   */
  finishInPieces(): Uint8Array[] {
    const added = new Map<number, readonly ArrayLike<number>[]>([
      [SectionId.type, this.#types],
      [SectionId.function, this.#functions.map(({ type }) => unsigned(type))],
      [SectionId.table, this.#tables],
      [SectionId.memory, this.#memories],
      [SectionId.global, this.#globals],
      [SectionId.export, this.#exports],
      [SectionId.code, this.#functions.map(({ body }) => sized(body))],
    ]);
    const pieces: Uint8Array[] = [MODULE_HEADER];
    const finished = new Set<number>();
    const finish = (id: number) => {
      finished.add(id);
      if (id === SectionId.start && this.#dropsStart) return;
      if (id === SectionId.code) pieces.push(...this.#customSections);
      const elements = added.get(id) ?? [];
      const section = this.#byId.get(id);
      if (elements.length > 0 || (id === SectionId.code && this.#changesCode)) {
        for (const piece of this.#extended(id, elements)) pieces.push(piece);
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
    return pieces;
  }

  #extended(id: number, elements: readonly ArrayLike<number>[]): Uint8Array[] {
    const { count, reader } = this.#vector(id);
    const old =
      id === SectionId.code
        ? (this.#rewritten ?? this.#bodies(reader, count))
        : [reader.bytes.subarray(reader.offset, reader.end)];
    if (count + elements.length > COUNT_MAX) {
      throw new MalformedError("has as much as there may be, and nothing can be added", reader.offset);
    }
    const content = [
      Uint8Array.from(unsigned(count + elements.length)),
      ...old,
      ...elements.map((element) => (element instanceof Uint8Array ? element : Uint8Array.from(element))),
    ];
    const sizeBytes = content.reduce((sum, piece) => sum + piece.length, 0);
    return [Uint8Array.from([id, ...unsigned(sizeBytes)]), ...content];
  }

  get #changesCode(): boolean {
    if (this.#rewritten !== undefined) return true;
    return this.#inserted.size > 0 || this.#replaced !== undefined;
  }

  /** The bodies in pieces: what lies between two changed ones is one piece. */
  #bodies(reader: BinaryReader, count: number): Uint8Array[] {
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

  #readExportNames(): Set<string> {
    const { count, reader } = this.#vector(SectionId.export);
    const names = new Set<string>();
    for (let left = count; left > 0; left--) {
      names.add(reader.name());
      reader.byte();
      reader.u32();
    }
    return names;
  }

  #readFunctionTypes(): number[] {
    const { count, reader } = this.#vector(SectionId.function);
    return Array.from({ length: count }, () => reader.u32());
  }

  #knownTypes(): readonly (FunctionType | undefined)[] {
    this.#typesRead ??= readTypes(this.#vector(SectionId.type));
    return this.#typesRead;
  }
}

function sized(body: Uint8Array): Uint8Array {
  return concatenate([Uint8Array.from(unsigned(body.length)), body]);
}
