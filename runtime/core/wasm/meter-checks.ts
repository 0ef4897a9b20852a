/**
 * Puts checks into a module's code: where each function begins, and at the header of each loop. Whatever runs for long passes
 * those again and again, also where it repeats itself by recursion, tail calls or exceptions.
 *
 * A check takes one from a global and calls `tick` at 0. Measured on Node 26 (x64, a busy machine, smallest of six runs, against
 * the same module without checks); all but the second with a hint that the branch is seldom taken:
 *
 * | | nbody | sha256 | qsort | sieve | sum of an array | recursive fib | growth (nbody) |
 * |---|---|---|---|---|---|---|---|
 * | a global | 1.09 | 1.04 | 1.11 | 1.28 | 1.43 | 3.9 | 10 % |
 * | the same without hints | 1.17 | 1.09 | 1.15 | 1.38 | 1.41 | 3.5 | 8 % |
 * | a local in loops without calls, written through to the global | 1.06 | 1.03 | 1.13 | 1.24 | 1.42 | 3.8 | 12 % |
 * | a local in loops that is forgotten at the end of the function | 1.04 | 1.02 | 1.11 | 1.10 | 1.41 | 2.0 | 11 % |
 *
 * The last one is the fastest, but it forgets: a guest that leaves each function after 1,000 rounds would pay for one in 1,000,
 * and could work for so long between two looks. So it is the global: exact, the smallest, and close to the third. Half of what
 * fib loses is that V8 no longer inlines it into itself. CPython takes 1.1 to 1.3 of its time. To leave out functions that have
 * neither calls nor loops gained nothing.
 */
import type { AddressTypes } from "./address-types.ts";
import { call, globalGet, globalSet, i32Const, i32Eqz, i32Sub, when } from "./assembly.ts";
import { ByteWriter } from "./bytes.ts";
import { chargedLength, type Length } from "./charged-instructions.ts";
import { expectEnd } from "./import-section.ts";
import { Wanted, walkInstructions } from "./instructions.ts";
import type { MeterFunctions } from "./meter-functions.ts";
import type { OwnReferences } from "./own-references.ts";
import { BinaryReader, FUNCTION_BYTES_MAX, MalformedError, unsigned } from "./reader.ts";

const LOOP = 0x03;
/** A branch hint: how many bytes it has, and that the condition is likely false. */
const UNLIKELY = [1, 0];

/** What stands in the module around its code. */
export interface CheckedModule {
  readonly bytes: Uint8Array;
  readonly references: OwnReferences;
  readonly addresses: AddressTypes;
  /** Index of the first function that the module defines. */
  readonly firstFunction: number;
}

export interface CheckedCode {
  /** Bodies, each with its size in front. */
  readonly bodies: Uint8Array;
  /** Content of a section `metadata.code.branch_hint`, without the number of functions: every one has hints. */
  readonly hints: Uint8Array;
}

export class CheckInserter {
  readonly #module: CheckedModule;
  readonly #functions: MeterFunctions;
  readonly #check: Uint8Array;
  /** Where in a check its branch stands. */
  readonly #branchOffset: number;
  readonly #wanted: Uint8Array;
  readonly #charges = new Map<Length, Uint8Array>();
  readonly #bodies: ByteWriter;
  readonly #hints: ByteWriter;
  // Of the function at hand: offsets in the module and what is inserted there, in the order of offsets.
  readonly #offsets: number[] = [];
  readonly #inserted: Uint8Array[] = [];
  #insertedBytes = 0;

  /**
   * @param code all bodies of the module
   * @param fuel index of the global that counts down
   */
  constructor(module: CheckedModule, code: BinaryReader, functions: MeterFunctions, fuel: number) {
    this.#module = module;
    this.#functions = functions;
    const countDown = [globalGet(fuel), i32Const(1), i32Sub, globalSet(fuel), globalGet(fuel), i32Eqz].flat();
    this.#branchOffset = countDown.length;
    this.#check = Uint8Array.from([...countDown, ...when(call(functions.tick))]);
    this.#wanted = module.references.wanted;
    this.#wanted[LOOP] = Wanted.always;
    const sizeBytes = code.end - code.offset;
    this.#bodies = new ByteWriter(sizeBytes + sizeBytes / 8);
    this.#hints = new ByteWriter(sizeBytes / 16);
  }

  /** @throws MalformedError */
  insert({ count, reader }: { count: number; reader: BinaryReader }): CheckedCode {
    for (let place = 0; place < count; place++) {
      const sizeBytes = reader.u32();
      const start = reader.offset;
      reader.skip(sizeBytes);
      this.#checkBody(
        new BinaryReader(reader.bytes, start, reader.offset),
        this.#module.firstFunction + place,
      );
    }
    expectEnd(reader, "code");
    return { bodies: this.#bodies.bytes, hints: this.#hints.bytes };
  }

  #checkBody(body: BinaryReader, functionIndex: number): void {
    const { bytes, offset: start, end } = body;
    body.skipLocals();
    this.#offsets.length = 0;
    this.#inserted.length = 0;
    this.#insertedBytes = 0;
    this.#put(body.offset, this.#check);
    walkInstructions(bytes, body.offset, end, this.#visit, this.#wanted);

    const sizeBytes = end - start + this.#insertedBytes;
    if (sizeBytes > FUNCTION_BYTES_MAX)
      throw new MalformedError("has a function that is too large for checks", start);
    this.#bodies.write(unsigned(sizeBytes));
    let copied = start;
    for (const [place, offset] of this.#offsets.entries()) {
      this.#bodies.copy(bytes, copied, offset);
      this.#bodies.write(this.#inserted[place]!);
      copied = offset;
    }
    this.#bodies.copy(bytes, copied, end);
    this.#hintAt(functionIndex, start);
  }

  /** Hints for the branches of all checks in a function, by their offsets from its start. */
  #hintAt(functionIndex: number, start: number): void {
    let count = 0;
    for (const inserted of this.#inserted) if (inserted === this.#check) count++;
    this.#hints.write(unsigned(functionIndex));
    this.#hints.write(unsigned(count));
    let before = 0;
    for (const [place, offset] of this.#offsets.entries()) {
      const inserted = this.#inserted[place]!;
      if (inserted === this.#check) {
        this.#hints.write(unsigned(offset - start + before + this.#branchOffset));
        this.#hints.write(UNLIKELY);
      }
      before += inserted.length;
    }
  }

  readonly #visit = (opcode: number, start: number, end: number): void => {
    if (opcode === LOOP) {
      this.#put(end, this.#check);
      return;
    }
    this.#module.references.check(opcode, start);
    if (opcode <= 0xff) return;
    const length = chargedLength(this.#module.bytes, opcode, start, end, this.#module.addresses);
    if (length !== undefined) this.#put(start, this.#chargeFor(length));
  };

  #chargeFor(length: Length): Uint8Array {
    let charge = this.#charges.get(length);
    if (charge === undefined) {
      charge = Uint8Array.from(call(this.#functions.charge(length.type, length.unit)));
      this.#charges.set(length, charge);
    }
    return charge;
  }

  #put(offset: number, inserted: Uint8Array): void {
    this.#offsets.push(offset);
    this.#inserted.push(inserted);
    this.#insertedBytes += inserted.length;
  }
}
