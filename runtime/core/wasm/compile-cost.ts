/**
 * How much work, and memory, a function is for V8's baseline compiler, as far as that can grow faster than the function.
 *
 * That compiler keeps, for each place where control may go, where each local and each operand is; and it moves all parameters and results at
 * each call. With 50,000 locals, 20,000 blocks are a billion: a file of 200 KB took 12 GB and minutes, in a thread that nobody could end meanwhile
 * (Node 26). A call of two bytes with a thousand parameters and results is 16 KB of code: half a megabyte of them ended the process.
 * That is 12 bytes and 7 ns for each. Functions of real programs are estimated at 13 million at most (one of clang, that has one).
 */
import { Wanted, walkInstructions } from "./instructions.ts";
import type { ModuleEditor } from "./module-editor.ts";
import { BinaryReader } from "./reader.ts";
import type { FunctionType } from "./type-section.ts";

/** 400 MB, and a quarter of a second. */
export const FUNCTION_COST_MAX = 2 ** 25;
/** Time to optimise a function grows with its square: 1 MB took 6 s, 7 MB minutes. The largest known one has 503 KB (in yq). */
export const COMPILED_BYTES_MAX = 2 * 1024 * 1024;

const TRY_TABLE = 0x1f;
const LOOP_OR_BLOCK = [0x02, 0x03, 0x04, 0x06, TRY_TABLE]; // block loop if try try_table
const ELSE = 0x05;
const NEXT_PART = [ELSE, 0x07, 0x18, 0x19]; // else catch delegate catch_all
// br br_if br_table return br_on_null br_on_non_null, and 0xFB: br_on_cast
const BRANCHES = [0x0c, 0x0d, 0x0e, 0x0f, 0xd5, 0xd6, 0xfb];
const CALL = 0x10;
const RETURN_CALL = 0x12;
const CALLS_OF_TYPES = [0x11, 0x13, 0x14, 0x15]; // call_indirect return_call_indirect call_ref return_call_ref
const BR_TABLE = 0x0e;
const DELEGATE = 0x18;
const END = 0x0b;
/** Nothing, and one value; else a type. */
const NO_RESULT = 0x40;
/** The shortest instruction that pushes something. */
const PUSH_BYTES = 2;

const WANTED = new Uint8Array(0x100).fill(Wanted.never);
for (const opcode of [
  ...LOOP_OR_BLOCK,
  ...NEXT_PART,
  ...BRANCHES,
  CALL,
  RETURN_CALL,
  ...CALLS_OF_TYPES,
  END,
]) {
  WANTED[opcode] = Wanted.always;
}
const BLOCKS = new Set(LOOP_OR_BLOCK);
const PARTS = new Set(NEXT_PART);
const TYPED_CALLS = new Set(CALLS_OF_TYPES);

const NOTHING: FunctionType = { params: [], results: [] };
const ONE_RESULT: FunctionType = { params: [], results: [0x7f] };

export class CompileCost {
  readonly #editor: ModuleEditor;
  /** The most values that any type of the module has: what a catch may push, and what a call may. */
  readonly #arityMax: number;
  readonly #resultsMax: number;
  // Of the function at hand.
  #bytes: Uint8Array = new Uint8Array();
  #locals = 0;
  #cost = 0;
  /** How many operands there may be at most, at an offset. */
  #height = 0;
  #at = 0;
  /** Heights where the blocks began that are open, and what these leave. */
  readonly #heights: number[] = [];
  readonly #results: number[] = [];
  /** The most values that a label of it takes. */
  #labelMax = 0;

  constructor(editor: ModuleEditor) {
    this.#editor = editor;
    const { params, results } = editor.aritiesMax;
    this.#resultsMax = Math.max(1, results);
    this.#arityMax = Math.max(this.#resultsMax, params);
  }

  /**
   * @param body behind its locals
   * @returns an estimate that is never too low, and mostly too high for functions that cost little
   * @throws MalformedError
   */
  of(functionIndex: number, body: BinaryReader, localCount: number): number {
    const { bytes, offset, end } = body;
    const { params, results } = this.#editor.signature(functionIndex) ?? NOTHING;
    this.#locals = localCount + params.length;
    const most = this.#most(end - offset);
    if (most <= FUNCTION_COST_MAX) return most;
    this.#bytes = bytes;
    this.#cost = 0;
    this.#height = 0;
    this.#at = offset;
    this.#labelMax = Math.max(1, results.length);
    this.#heights.length = 0;
    this.#results.length = 0;
    walkInstructions(bytes, offset, end, this.#visit, WANTED);
    return this.#cost;
  }

  /** Of any function of that size. */
  #most(sizeBytes: number): number {
    const pushed = (sizeBytes / PUSH_BYTES) * this.#resultsMax;
    return (sizeBytes / PUSH_BYTES) * (this.#locals + 2 * this.#arityMax + pushed);
  }

  readonly #visit = (opcode: number, start: number, end: number): void => {
    this.#height += Math.floor((start - this.#at) / PUSH_BYTES);
    this.#at = end;
    if (BLOCKS.has(opcode)) {
      const { params, results } = this.#blockType(start + 1, end);
      this.#labelMax = Math.max(this.#labelMax, params.length, results.length);
      this.#heights.push(this.#height);
      this.#results.push(results.length);
      this.#cost += this.#locals + this.#height + params.length + results.length;
      if (opcode === TRY_TABLE) this.#cost += (end - start) * this.#arityMax;
    } else if (opcode === END || opcode === DELEGATE) {
      this.#height = (this.#heights.pop() ?? 0) + (this.#results.pop() ?? 0);
    } else if (PARTS.has(opcode)) {
      this.#height = (this.#heights.at(-1) ?? 0) + (opcode === ELSE ? 0 : this.#arityMax);
      this.#cost += this.#locals + this.#height;
    } else if (opcode === BR_TABLE) {
      const targets = new BinaryReader(this.#bytes, start + 1, end).u32() + 1;
      this.#cost += Math.min(targets, this.#heights.length + 1) * this.#labelMax;
    } else if (opcode === CALL || opcode === RETURN_CALL) {
      this.#call(this.#editor.signature(this.#index(start + 1, end)));
    } else if (TYPED_CALLS.has(opcode)) {
      this.#call(this.#editor.typeAt(this.#index(start + 1, end)));
    } else this.#cost += this.#labelMax;
  };

  #call(type: FunctionType | undefined): void {
    const { params, results } = type ?? NOTHING;
    this.#cost += params.length + results.length;
    this.#height += results.length;
  }

  #index(offset: number, end: number): number {
    return new BinaryReader(this.#bytes, offset, end).u32();
  }

  #blockType(offset: number, end: number): FunctionType {
    const first = this.#bytes[offset]!;
    if (first === NO_RESULT) return NOTHING;
    // A number that is negative is a type of one value.
    if (first >= 0x80 || first < 0x40) return this.#editor.typeAt(this.#index(offset, end)) ?? NOTHING;
    return ONE_RESULT;
  }
}
