/**
 * Makes loops fast that run for long in one call.
 *
 * V8 compiles a function anew, and better, when it has run for a while, but a call that runs goes on in the code in which it began. So a
 * function with loops gets a clone that starts inside of them: every so many rounds it leaves by a tail call to that clone, with all
 * its variables, and the new call runs in the best code there is (`reentry-bodies.ts`).
 *
 * Everything is appended, so that nothing is renumbered. A function that isn't understood stays as it is, and so does a module.
 */
import { assert } from "../error.ts";
import { ByteWriter } from "./bytes.ts";
import { ModuleEditor, ValueType } from "./module-editor.ts";
import { applyPatch, type Patch, patchOf, type Range } from "./patch.ts";
import { BinaryReader, COUNT_MAX, FUNCTION_BYTES_MAX, MalformedError, unsigned } from "./reader.ts";
import { type WrittenBody, writeFirstBody, writeSecondBody } from "./reentry-bodies.ts";
import { planLoops, REFERENCE_TYPES } from "./reentry-loops.ts";

export interface ReentryOptions {
  /** Rounds between two re-entries, a power of two from 2 on, less one. */
  readonly mask: number;
  /** Only functions of that size at least; */
  readonly functionBytesMin: number;
  /** so many bytes of them, the largest first. */
  readonly rewrittenBytesMax: number;
}

/** 1,024 rounds are enough for a call with a hundred parameters not to be noticed. */
const MASK = 1023;
const MASK_MAX = 2 ** 30 - 1;

/** V8 takes no function with more. */
const PARAMS_MAX = 1000;
const BRANCH_HINTS = "metadata.code.branch_hint";
/** Of a branch hint: how many bytes it has, and that the condition is likely false. */
const UNLIKELY = [1, 0];

/**
 * @param module never written to
 * @returns the same bytes where there is nothing to do, or something that can't be
 */
export function addReentry(module: Uint8Array, options: Partial<ReentryOptions> = {}): Uint8Array {
  const patch = planReentry(module, options);
  return patch === undefined ? module : applyPatch(module, patch);
}

/** @returns undefined where there is nothing to do, or something that can't be */
export function planReentry(module: Uint8Array, options: Partial<ReentryOptions> = {}): Patch | undefined {
  const { mask = MASK, functionBytesMin = 0, rewrittenBytesMax = Number.POSITIVE_INFINITY } = options;
  assert(
    mask >= 1 && mask <= MASK_MAX && Number.isInteger(Math.log2(mask + 1)),
    "a mask is a power of two, from 2 to 2^30, less one",
  );
  try {
    return new Reentry(module, { mask, functionBytesMin, rewrittenBytesMax }).apply();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return undefined;
  }
}

/** A function that is rewritten: where it stands, and what it becomes. */
interface Rewritten {
  readonly index: number;
  /** Offsets of its size, and of what follows it. */
  readonly start: number;
  readonly end: number;
  readonly first: WrittenBody;
  readonly clone: number;
  readonly second: WrittenBody;
}

class Reentry {
  readonly #module: Uint8Array;
  readonly #editor: ModuleEditor;
  readonly #options: ReentryOptions;
  readonly #types = new Map<string, number>();

  constructor(module: Uint8Array, options: ReentryOptions) {
    this.#module = module;
    this.#editor = new ModuleEditor(module);
    this.#options = options;
  }

  apply(): Patch | undefined {
    const { counts, code } = this.#editor;
    const firstFunction = counts.function - code.count;
    const { reader } = code;
    const codeStart = reader.offset;
    const bodies = new Bodies(reader, code.count);
    const sizeMin = smallestChosen(bodies, this.#options);
    const rewritten: Rewritten[] = [];
    let leftBytes = this.#options.rewrittenBytesMax;
    for (let place = 0; place < bodies.count; place++) {
      const sizeBytes = bodies.sizeBytes(place);
      // Of several that are as large as the smallest, there may be too many.
      if (sizeBytes < sizeMin || sizeBytes > leftBytes) continue;
      leftBytes -= sizeBytes;
      const clone = counts.function + rewritten.length;
      if (clone >= COUNT_MAX) break;
      const index = firstFunction + place;
      const [start, end] = [bodies.start(place), bodies.end(place)];
      const written = this.#rewrite(index, new BinaryReader(reader.bytes, end - sizeBytes, end), clone);
      if (written !== undefined) rewritten.push({ index, start, end, clone, ...written });
    }
    if (rewritten.length === 0) return undefined;

    this.#editor.replaceCode(this.#pieces(rewritten, codeStart, reader.end));
    this.#editor.addCustomSection(BRANCH_HINTS, [hints(rewritten)]);
    // Types of functions and blocks stand in front of the code; nothing else matters to a body but itself.
    const reads: Range[] = [[0, codeStart], ...rewritten.map(({ start, end }) => [start, end] as const)];
    return patchOf(this.#module, reads, this.#editor.finishInPieces());
  }

  /** @returns undefined for a function that stays as it is */
  #rewrite(
    index: number,
    body: BinaryReader,
    clone: number,
  ): Pick<Rewritten, "first" | "second"> | undefined {
    const type = this.#editor.signature(index);
    if (type === undefined) return undefined;
    const locals = new BinaryReader(body.bytes, body.offset, body.end);
    const variables = readVariables(locals, type.params);
    if (variables === undefined || type.results.some(isReference)) return undefined;
    const plan = planLoops(this.#editor, locals, type);
    if (plan === undefined) return undefined;

    const parts = { variables, plan, body, codeOffset: locals.offset, mask: this.#options.mask, clone };
    const first = writeFirstBody(parts);
    const second = writeSecondBody(parts);
    if (first.bytes.length > FUNCTION_BYTES_MAX || second.bytes.length > FUNCTION_BYTES_MAX) return undefined;
    this.#editor.addBody(this.#typeOf([...variables, ValueType.i32], type.results), second.bytes);
    return { first, second };
  }

  #typeOf(params: readonly number[], results: readonly number[]): number {
    const key = `${params} ${results}`;
    let type = this.#types.get(key);
    if (type === undefined) {
      type = this.#editor.addType({ params, results });
      this.#types.set(key, type);
    }
    return type;
  }

  /** All bodies, each with its size in front: what lies between two changed ones is one piece. */
  #pieces(rewritten: readonly Rewritten[], start: number, end: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let copied = start;
    for (const { start, end, first } of rewritten) {
      pieces.push(
        this.#module.subarray(copied, start),
        Uint8Array.from(unsigned(first.bytes.length)),
        first.bytes,
      );
      copied = end;
    }
    pieces.push(this.#module.subarray(copied, end));
    return pieces;
  }
}

/** Where each body of the code section stands: one array, since a large program has 100,000 of them. */
class Bodies {
  readonly count: number;
  readonly #offsets: Uint32Array;

  /** @param reader ends behind them */
  constructor(reader: BinaryReader, count: number) {
    this.count = count;
    this.#offsets = new Uint32Array(3 * count);
    for (let place = 0; place < count; place++) {
      this.#offsets[3 * place] = reader.offset;
      const sizeBytes = reader.u32();
      this.#offsets[3 * place + 1] = reader.offset;
      reader.skip(sizeBytes);
      this.#offsets[3 * place + 2] = reader.offset;
    }
  }

  /** Offset of the size in front of it. */
  start(place: number): number {
    return this.#offsets[3 * place]!;
  }

  end(place: number): number {
    return this.#offsets[3 * place + 2]!;
  }

  sizeBytes(place: number): number {
    return this.end(place) - this.#offsets[3 * place + 1]!;
  }
}

/** How large a function has to be, for the chosen ones together not to be too large. */
function smallestChosen(bodies: Bodies, { functionBytesMin, rewrittenBytesMax }: ReentryOptions): number {
  if (rewrittenBytesMax === Number.POSITIVE_INFINITY) return functionBytesMin;
  const candidates: number[] = [];
  for (let place = 0; place < bodies.count; place++) {
    const sizeBytes = bodies.sizeBytes(place);
    if (sizeBytes >= functionBytesMin && sizeBytes <= rewrittenBytesMax) candidates.push(sizeBytes);
  }
  let left = rewrittenBytesMax;
  let smallest = Number.POSITIVE_INFINITY;
  for (const size of candidates.sort((a, b) => b - a)) {
    left -= size;
    if (left < 0) break;
    smallest = size;
  }
  return smallest;
}

/**
 * Types of parameters and locals. @param locals behind them afterwards
 * @returns undefined where there are too many to be passed on, or some whose type isn't known
 */
function readVariables(locals: BinaryReader, params: readonly number[]): number[] | undefined {
  const variables = [...params];
  for (let groups = locals.count(); groups > 0; groups--) {
    const count = locals.u32();
    const type = locals.bytes[locals.offset]!;
    locals.skipValueType();
    if (variables.length + count + 1 > PARAMS_MAX) return undefined;
    for (let left = count; left > 0; left--) variables.push(type);
  }
  return variables.some(isReference) ? undefined : variables;
}

/** Where it is, it stands without its heap type. */
function isReference(type: number): boolean {
  return REFERENCE_TYPES.includes(type);
}

/** Content of a section with hints, in the order of functions: the clones come last. */
function hints(rewritten: readonly Rewritten[]): Uint8Array {
  const out = new ByteWriter(rewritten.length * 16);
  out.write(unsigned(rewritten.length * 2));
  const write = (index: number, { unlikely }: WrittenBody) => {
    out.write(unsigned(index));
    out.write(unsigned(unlikely.length));
    for (const offset of unlikely) {
      out.write(unsigned(offset));
      out.write(UNLIKELY);
    }
  };
  for (const { index, first } of rewritten) write(index, first);
  for (const { clone, second } of rewritten) write(clone, second);
  return out.bytes;
}
