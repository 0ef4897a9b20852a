/**
 * Walks the instructions of a function body without decoding more than it takes to find the next one.
 *
 * Knows every instruction that V8 in Node 24 and 26 takes by default: the core specification 3.0 (SIMD, relaxed SIMD,
 * bulk memory, references, GC, exceptions, tail calls, multi-memory, memory64), threads, and the older exceptions.
 * @see https://webassembly.github.io/spec/core/binary/instructions.html
 */

import { MalformedError } from "./reader.ts";

/** Where an instruction starts, and its opcode: `0xFC008` and the like for those with a prefix (SIMD has some above 0xFF). */
export type InstructionVisitor = (opcode: number, startOffset: number, endOffset: number) => void;

// How the bytes behind an opcode are laid out.
const NONE = 0;
const INDEX = 1; // one LEB u32 (or a signed one: the bytes look alike)
const TWO_INDEXES = 2;
const MEMARG = 3; // align, [memory index], offset
const BLOCK = 4; // block type: one signed LEB, or a value type of several bytes
const BRANCH_TABLE = 5;
const TYPES = 6; // vector of value types
const FOUR_BYTES = 7;
const EIGHT_BYTES = 8;
const HEAP_TYPE = 9;
const TRY_TABLE = 10;
const ONE_BYTE = 11;
const SIXTEEN_BYTES = 12;
const MEMARG_LANE = 13;
const CAST_BRANCH = 14; // flags, label, two heap types
const UNKNOWN = 255;

const END = 0x0b;
/** From here on, an opcode has a second part. */
const FIRST_PREFIX = 0xfb;
const NO_OPCODE = -1;

/** Whether a visitor wants an instruction. `withMemory` is for loads and stores: only those that name another memory than 0. */
export const Wanted = { never: 0, always: 1, withMemory: 2 } as const;
const ALL = new Uint8Array(0x100).fill(Wanted.always);

/** Bit of a memarg's alignment that says a memory index follows. */
const MEMARG_HAS_MEMORY = 0x40;

const PLAIN = table([
  [0x00, 0x01, NONE], // unreachable nop
  [0x02, 0x04, BLOCK], // block loop if
  [0x05, 0x05, NONE], // else
  [0x06, 0x06, BLOCK], // try (older exceptions)
  [0x07, 0x09, INDEX], // catch throw rethrow
  [0x0a, 0x0b, NONE], // throw_ref end
  [0x0c, 0x0d, INDEX], // br br_if
  [0x0e, 0x0e, BRANCH_TABLE],
  [0x0f, 0x0f, NONE], // return
  [0x10, 0x10, INDEX], // call
  [0x11, 0x11, TWO_INDEXES], // call_indirect
  [0x12, 0x12, INDEX], // return_call
  [0x13, 0x13, TWO_INDEXES], // return_call_indirect
  [0x14, 0x15, INDEX], // call_ref return_call_ref
  [0x18, 0x18, INDEX], // delegate
  [0x19, 0x1b, NONE], // catch_all drop select
  [0x1c, 0x1c, TYPES], // select t
  [0x1f, 0x1f, TRY_TABLE],
  [0x20, 0x26, INDEX], // local.* global.* table.get table.set
  [0x28, 0x3e, MEMARG], // loads and stores
  [0x3f, 0x40, INDEX], // memory.size memory.grow
  [0x41, 0x42, INDEX], // i32.const i64.const
  [0x43, 0x43, FOUR_BYTES],
  [0x44, 0x44, EIGHT_BYTES],
  [0x45, 0xc4, NONE], // numeric
  [0xd0, 0xd0, HEAP_TYPE], // ref.null
  [0xd1, 0xd1, NONE], // ref.is_null
  [0xd2, 0xd2, INDEX], // ref.func
  [0xd3, 0xd4, NONE], // ref.eq ref.as_non_null
  [0xd5, 0xd6, INDEX], // br_on_null br_on_non_null
]);

/** 0xFB: garbage collection. */
const GC = table([
  [0, 1, INDEX], // struct.new struct.new_default
  [2, 5, TWO_INDEXES], // struct.get* struct.set
  [6, 7, INDEX], // array.new array.new_default
  [8, 10, TWO_INDEXES], // array.new_fixed array.new_data array.new_elem
  [11, 14, INDEX], // array.get* array.set
  [15, 15, NONE], // array.len
  [16, 16, INDEX], // array.fill
  [17, 19, TWO_INDEXES], // array.copy array.init_data array.init_elem
  [20, 23, HEAP_TYPE], // ref.test ref.cast
  [24, 25, CAST_BRANCH],
  [26, 30, NONE], // any.convert_extern .. i31.get_u
]);

/** 0xFC: saturating conversions, bulk memory, tables, wide arithmetic. */
const MISC = table([
  [0, 7, NONE],
  [8, 8, TWO_INDEXES], // memory.init
  [9, 9, INDEX], // data.drop
  [10, 10, TWO_INDEXES], // memory.copy
  [11, 11, INDEX], // memory.fill
  [12, 12, TWO_INDEXES], // table.init
  [13, 13, INDEX], // elem.drop
  [14, 14, TWO_INDEXES], // table.copy
  [15, 17, INDEX], // table.grow table.size table.fill
  [19, 22, NONE], // i64.add128 ..
]);

/** 0xFD: SIMD. */
const SIMD = table([
  [0, 11, MEMARG],
  [12, 13, SIXTEEN_BYTES], // v128.const i8x16.shuffle
  [14, 20, NONE],
  [21, 34, ONE_BYTE], // lanes
  [35, 83, NONE],
  [84, 91, MEMARG_LANE],
  [92, 93, MEMARG],
  [94, 275, NONE], // with relaxed SIMD, 0x100 to 0x113
]);

/** 0xFE: threads. */
const ATOMIC = table([
  [0, 2, MEMARG], // notify wait32 wait64
  [3, 3, ONE_BYTE], // fence
  [16, 78, MEMARG],
]);

const PREFIXED = new Map([
  [0xfb, GC],
  [0xfc, MISC],
  [0xfd, SIMD],
  [0xfe, ATOMIC],
]);

function table(rows: readonly (readonly [number, number, number])[]): Uint8Array {
  const last = rows.at(-1)![1];
  const layout = new Uint8Array(Math.max(256, last + 1)).fill(UNKNOWN);
  for (const [from, to, kind] of rows) layout.fill(kind, from, to + 1);
  return layout;
}

/**
 * Visits each instruction in `bytes[start, end)`.
 * @param wanted which instructions are visited, by their first byte; all of them without it
 * @throws MalformedError an opcode that isn't known, or one that ends outside
 */
export function walkInstructions(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: InstructionVisitor,
  wanted: Uint8Array = ALL,
): void {
  const after = walk(bytes, start, end, visit, wanted, NO_OPCODE);
  if (after !== end) throw new MalformedError("has an instruction that ends outside its function", end);
}

/**
 * Visits each instruction of a constant expression, up to its `end`.
 * @returns offset of what follows
 * @throws MalformedError as above, and for an expression without an end
 */
export function walkExpression(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: InstructionVisitor,
): number {
  const after = walk(bytes, start, end, visit, ALL, END);
  if (after > end || bytes[after - 1] !== END)
    throw new MalformedError("has an expression without an end", end);
  return after;
}

/** @param last the instruction behind which to stop before the end */
function walk(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: InstructionVisitor,
  wanted: Uint8Array,
  last: number,
): number {
  const passing = passingOf(wanted);
  let at = start;
  while (at < end) {
    // Nine of ten instructions are nobody's business, and are as short as they can be.
    const pass = passing[bytes[at]!]!;
    if (pass === Pass.alone) {
      at++;
      continue;
    }
    if (pass === Pass.withNumber && bytes[at + 1]! < 0x80) {
      at += 2;
      continue;
    }
    if (pass === Pass.withMemarg && bytes[at + 1]! < MEMARG_HAS_MEMORY && bytes[at + 2]! < 0x80) {
      at += 3;
      continue;
    }
    const instructionStart = at;
    let opcode = bytes[at++]!;
    let kind = PLAIN[opcode]!;
    if (opcode >= FIRST_PREFIX) {
      const prefixed = PREFIXED.get(opcode);
      const after = skipNumber(bytes, at, end);
      const sub = smallNumber(bytes, at, after);
      kind = prefixed?.[sub] ?? UNKNOWN;
      opcode = opcode * 0x1000 + sub;
      at = after;
    }
    if (kind === INDEX && bytes[at]! < 0x80) at++;
    else if (kind !== NONE) at = skipImmediate(bytes, at, end, kind, opcode);
    const want = wanted[bytes[instructionStart]!]!;
    if (want === Wanted.always || (want === Wanted.withMemory && hasMemory(bytes, instructionStart + 1))) {
      visit(opcode, instructionStart, at);
    }
    if (opcode === last) break;
  }
  return at;
}

/** How an instruction that isn't wanted can be passed by: it has nothing behind its opcode, or small numbers. */
const Pass = { never: 0, alone: 1, withNumber: 2, withMemarg: 3 } as const;

/** For the table that was asked for last: it is the same for all functions of a module. */
let lastWanted: Uint8Array = ALL;
let lastPassing: Uint8Array = new Uint8Array(0x100);

function passingOf(wanted: Uint8Array): Uint8Array {
  if (wanted === lastWanted) return lastPassing;
  lastPassing = wanted.map((want, first) => {
    const kind = PLAIN[first]!;
    // Those that name a memory don't pass in any case.
    if (kind === MEMARG) return want === Wanted.always ? Pass.never : Pass.withMemarg;
    if (want !== Wanted.never || first >= FIRST_PREFIX) return Pass.never;
    if (kind === NONE) return Pass.alone;
    return kind === INDEX ? Pass.withNumber : Pass.never;
  });
  lastWanted = wanted;
  return lastPassing;
}

function skipImmediate(bytes: Uint8Array, at: number, end: number, kind: number, opcode: number): number {
  switch (kind) {
    case INDEX:
      return skipNumber(bytes, at, end);
    case TWO_INDEXES:
      return skipNumber(bytes, skipNumber(bytes, at, end), end);
    case MEMARG:
      return skipMemarg(bytes, at, end);
    case MEMARG_LANE:
      return skipMemarg(bytes, at, end) + 1;
    case BLOCK:
      return skipBlockType(bytes, at, end);
    case BRANCH_TABLE:
      return skipVector(bytes, at, end, 1, skipNumber);
    case TYPES:
      return skipVector(bytes, at, end, 0, skipValueType);
    case HEAP_TYPE:
      return skipNumber(bytes, at, end);
    case CAST_BRANCH: {
      const label = skipNumber(bytes, at + 1, end);
      return skipNumber(bytes, skipNumber(bytes, label, end), end);
    }
    case TRY_TABLE:
      return skipVector(bytes, skipBlockType(bytes, at, end), end, 0, skipCatch);
    case ONE_BYTE:
      return at + 1;
    case FOUR_BYTES:
      return at + 4;
    case EIGHT_BYTES:
      return at + 8;
    case SIXTEEN_BYTES:
      return at + 16;
    default:
      throw new MalformedError(`has an unknown instruction 0x${opcode.toString(16)}`, at);
  }
}

/** A LEB128 number ends at the first byte without its high bit; ten bytes are the longest. */
function skipNumber(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + 10);
  for (let index = at; index < limit; index++) {
    if (bytes[index]! < 0x80) return index + 1;
  }
  throw new MalformedError("has a number that doesn't end", at);
}

function smallNumber(bytes: Uint8Array, at: number, after: number): number {
  let value = 0;
  for (let index = after - 1; index >= at; index--) value = value * 128 + (bytes[index]! & 0x7f);
  return value;
}

function skipMemarg(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at]! < MEMARG_HAS_MEMORY && bytes[at + 1]! < 0x80) return at + 2;
  const afterAlign = skipNumber(bytes, at, end);
  return skipNumber(bytes, hasMemory(bytes, at) ? skipNumber(bytes, afterAlign, end) : afterAlign, end);
}

/** Whether a memarg names its memory; else that is the one of index 0. @param at offset of the memarg */
export function hasMemory(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & MEMARG_HAS_MEMORY) !== 0;
}

/** `0x63` and `0x64` are references with a heap type behind; everything else is one signed number. */
function skipValueType(bytes: Uint8Array, at: number, end: number): number {
  const code = bytes[at]!;
  return code === 0x63 || code === 0x64 ? skipNumber(bytes, at + 1, end) : skipNumber(bytes, at, end);
}

const skipBlockType = skipValueType;

function skipCatch(bytes: Uint8Array, at: number, end: number): number {
  const withTag = bytes[at]! < 2;
  return skipNumber(bytes, withTag ? skipNumber(bytes, at + 1, end) : at + 1, end);
}

function skipVector(
  bytes: Uint8Array,
  at: number,
  end: number,
  extra: number,
  skip: (bytes: Uint8Array, at: number, end: number) => number,
): number {
  let next = skipNumber(bytes, at, end);
  const count = smallNumber(bytes, at, next) + extra;
  for (let index = 0; index < count; index++) next = skip(bytes, next, end);
  return next;
}
