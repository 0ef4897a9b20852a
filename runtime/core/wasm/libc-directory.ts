/**
 * Finds where wasi-libc keeps the working directory of a program that has `chdir` in it, also when all names are stripped.
 *
 * It is one pointer in the program's data, which first points at "/". Few functions of libc use it, and one of them has a type
 * that hardly anything else has: `__wasilibc_find_relpath_alloc(path, prefix, relative, length, flag)`; it is used beside
 * `getcwd(buffer, size)` or `chdir(path)`.
 * Seen with wasi-libc of clang 16 to 22, of Zig 0.17 and of Rust 1.63, and after wasm-opt had inlined `chdir` itself.
 * @see https://github.com/WebAssembly/wasi-libc/blob/main/libc-bottom-half/sources/chdir.c
 */
import { walkInstructions } from "./instructions.ts";
import type { ModuleEditor } from "./module-editor.ts";
import { ValueType } from "./module-editor.ts";
import type { ModuleInspection } from "./module-inspection.ts";
import { BinaryReader, MalformedError, type Section, SectionId } from "./reader.ts";
import type { FunctionType } from "./type-section.ts";

export interface DirectoryVariable {
  /** Where the pointer stands in memory. */
  readonly address: number;
  /** Functions that use it. */
  readonly functions: readonly number[];
}

// A hostile file could be nothing but what is looked for.
const STRING_COUNT_MAX = 100_000;
const POINTER_COUNT_MAX = 1000;
const USE_COUNT_MAX = 10_000;
/** `chdir`, what it is made of, and what it was inlined into. */
const FUNCTION_COUNT_MAX = 12;

/** Nothing of a program's data is below: compilers keep the first kilobyte free, or put the stack there. */
const ADDRESS_MIN = 1024;

const I32_CONST = 0x41;
const I32_LOAD = 0x28;
const I32_STORE = 0x36;
const SLASH = 0x2f;

/** @returns undefined where there is none, or more than one that could be it */
export function findDirectoryVariable(
  bytes: Uint8Array,
  module: ModuleInspection,
  editor: ModuleEditor,
): DirectoryVariable | undefined {
  const data = module.sections.find(({ id }) => id === SectionId.data);
  const code = module.sections.find(({ id }) => id === SectionId.code);
  if (data === undefined || code === undefined) return undefined;
  try {
    const pointers = findPointers(readSegments(bytes, data));
    if (pointers.size === 0) return undefined;
    const uses = findUses(bytes, code, pointers);
    const importedCount = module.imports.filter(({ kind }) => kind === "function").length;
    const found: DirectoryVariable[] = [];
    for (const [address, places] of uses) {
      const functions = [...places].map((place) => importedCount + place);
      if (functions.length > FUNCTION_COUNT_MAX) continue;
      const types = functions.map((index) => editor.typeOf(index));
      if (types.some(isLookUp) && types.some(isNeighbour)) found.push({ address, functions });
    }
    return found.length === 1 ? found[0] : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

function isLookUp(type: FunctionType | undefined): boolean {
  return hasShape(type, 5);
}

/** `getcwd`, or `chdir`: a program may have only one of them as a function, when it doesn't call it or it was inlined. */
function isNeighbour(type: FunctionType | undefined): boolean {
  return hasShape(type, 2) || hasShape(type, 1);
}

function hasShape(type: FunctionType | undefined, paramCount: number): boolean {
  if (type?.params.length !== paramCount || type.results.length !== 1) return false;
  return [...type.params, ...type.results].every((value) => value === ValueType.i32);
}

interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Segments that are in memory 0 from the start, at addresses that stand in the file. */
function readSegments(bytes: Uint8Array, section: Section): Segment[] {
  const segments: Segment[] = [];
  const reader = new BinaryReader(bytes, section.content, section.end);
  for (let left = reader.count(); left > 0; left--) {
    const kind = reader.u32();
    if (kind > 1) return [];
    let address = -1;
    if (kind === 0) {
      if (reader.byte() !== I32_CONST) return [];
      address = reader.s32() >>> 0;
      if (reader.byte() !== 0x0b) return [];
    }
    const content = reader.bytesWithLength();
    if (kind === 0) segments.push({ address, bytes: content });
  }
  return segments;
}

/** Addresses of words that point at a string "/". */
function findPointers(segments: readonly Segment[]): Set<number> {
  const strings = new Set<number>();
  for (const { address, bytes } of segments) {
    for (let at = bytes.indexOf(SLASH); at >= 0; at = bytes.indexOf(SLASH, at + 1)) {
      if (bytes[at + 1] === 0) strings.add(address + at);
      if (strings.size > STRING_COUNT_MAX) return new Set();
    }
  }
  const pointers = new Set<number>();
  if (strings.size === 0) return pointers;
  for (const { address, bytes } of segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = Math.max(-address & 3, ADDRESS_MIN - address); at + 4 <= bytes.length; at += 4) {
      const word = view.getUint32(at, true);
      if (word !== 0 && strings.has(word)) pointers.add(address + at);
      if (pointers.size > POINTER_COUNT_MAX) return new Set();
    }
  }
  return pointers;
}

/**
 * Which functions use the pointers: by `i32.load` and `i32.store` with the address as offset, or by `i32.const` of the address.
 * First any bytes that look like it, in one pass over all code; then the instructions of the functions where they are.
 * @returns places of functions, counted from 0 behind the imported ones
 */
function findUses(bytes: Uint8Array, code: Section, pointers: ReadonlySet<number>): Map<number, Set<number>> {
  const uses = new Map<number, Set<number>>();
  const likely = likelyUses(bytes, code, pointers);
  if (likely.length === 0 || likely.length > USE_COUNT_MAX) return uses;
  const reader = new BinaryReader(bytes, code.content, code.end);
  const count = reader.count();
  let next = 0;
  for (let place = 0; place < count && next < likely.length; place++) {
    const sizeBytes = reader.u32();
    const body = new BinaryReader(bytes, reader.offset, reader.offset + sizeBytes);
    reader.skip(sizeBytes);
    if (likely[next]! >= body.end) continue;
    while (next < likely.length && likely[next]! < body.end) next++;
    body.skipLocals();
    walkInstructions(bytes, body.offset, body.end, (opcode, start, end) => {
      if (opcode !== I32_LOAD && opcode !== I32_STORE && opcode !== I32_CONST) return;
      const address = addressAt(bytes, start, end);
      if (address === undefined || !pointers.has(address)) return;
      const places = uses.get(address) ?? new Set();
      uses.set(address, places.add(place));
    });
  }
  return uses;
}

function likelyUses(bytes: Uint8Array, code: Section, pointers: ReadonlySet<number>): number[] {
  // Asked at every byte of the code: two bytes of the number, in a table, rule out nearly everything.
  const begins = new Uint8Array(0x1_0000);
  for (const pointer of pointers) {
    // Of two bytes or more, as addresses are; whether a third follows depends on the sign, so both are taken.
    const first = (pointer & 0x7f) | 0x80 | (((pointer >> 7) & 0x7f) << 8);
    begins[first] = 1;
    begins[first | 0x8000] = 1;
  }
  const offsets: number[] = [];
  const { end } = code;
  for (let at = code.content + 2; at < end - 1; at++) {
    if (begins[bytes[at]! | (bytes[at + 1]! << 8)] === 0) continue;
    const start = bytes[at - 1] === I32_CONST ? at - 1 : at - 2;
    const opcode = bytes[start]!;
    if (opcode !== I32_CONST && opcode !== I32_LOAD && opcode !== I32_STORE) continue;
    const address = addressAt(bytes, start, end);
    if (address === undefined || !pointers.has(address)) continue;
    offsets.push(start);
    if (offsets.length > USE_COUNT_MAX) break;
  }
  return offsets;
}

/** The number in a constant, or the offset of a load or store of an aligned word; quick, since it is asked often. */
function addressAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start + 1;
  if (bytes[start] !== I32_CONST) {
    if (bytes[at] !== 2) return undefined;
    at++;
  }
  let value = 0;
  for (let shift = 0; shift < 35 && at < end; shift += 7) {
    const byte = bytes[at++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
  return undefined;
}
