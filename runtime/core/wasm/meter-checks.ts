/**
 * Puts checks into a module's code where `meter-flow.ts` says. A check takes one from a counter, and calls `tick` at 0.
 *
 * Measured on Node 26 (x64; `spec/design/0015-what-makes-a-guest-fast.md` has the numbers): a global in a tight loop costs most by
 * its way through memory, and a check where a function begins by V8 no longer inlining it. So the counter is a local in loops
 * without calls, and a function is checked only on its way to a call. The hint that a check's branch is seldom taken pays too.
 */
import type { AddressTypes } from "./address-types.ts";
import {
  call,
  globalGet,
  globalSet,
  i32Const,
  i32Eqz,
  i32Sub,
  localGet,
  localSet,
  localTee,
  when,
} from "./assembly.ts";
import { ByteWriter, concatenate } from "./bytes.ts";
import { chargedLength, type Length } from "./charged-instructions.ts";
import { expectEnd } from "./import-section.ts";
import { Wanted, walkInstructions } from "./instructions.ts";
import { Insertion, MeterFlow } from "./meter-flow.ts";
import type { MeterFunctions } from "./meter-functions.ts";
import { ValueType } from "./module-editor.ts";
import type { OwnReferences } from "./own-references.ts";
import { BinaryReader, FUNCTION_BYTES_MAX, MalformedError, unsigned } from "./reader.ts";

/** Above this a function has a check where it begins, whatever it does. */
const SMALL_FUNCTION_BYTES_MAX = 1024;
/** V8 takes no function with more locals, its parameters with them. */
const LOCALS_MAX = 50_000;

/** A branch hint: how many bytes it has, and that the condition is likely false. */
const UNLIKELY = [1, 0];

/** Instructions that the flow depends on. */
const Opcode = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  rethrow: 0x09,
  throwRef: 0x0a,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  callRef: 0x14,
  returnCallRef: 0x15,
  delegate: 0x18,
  catchAll: 0x19,
  tryTable: 0x1f,
  brOnNull: 0xd5,
  brOnNonNull: 0xd6,
} as const;
const BR_ON_CAST = 0xfb018;
const BR_ON_CAST_FAIL = 0xfb019;

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
  /** Content of a section `metadata.code.branch_hint`. */
  readonly hints: Uint8Array;
}

/** What is put into the code. */
interface Piece {
  readonly bytes: Uint8Array;
  /** Where in it a branch stands that is seldom taken; -1 without one. */
  readonly branchOffset: number;
}

/** By `Insertion`. */
type Pieces = readonly [Piece, Piece, Piece, Piece, Piece];

const NOTHING: Piece = { bytes: new Uint8Array(), branchOffset: -1 };

export class CheckInserter {
  readonly #module: CheckedModule;
  readonly #functions: MeterFunctions;
  readonly #fuel: number;
  readonly #paramCount: (functionIndex: number) => number;
  readonly #wanted: Uint8Array;
  readonly #charges = new Map<Length, Piece>();
  /** Pieces by the local that counts. */
  readonly #pieces = new Map<number, Pieces>();
  /** Where no local counts. */
  readonly #inGlobal: Pieces;
  readonly #bodies: ByteWriter;
  readonly #hints: ByteWriter;
  #hintedCount = 0;
  readonly #flow: MeterFlow;
  // Of the function at hand: offsets in the module and what is inserted there, in the order of offsets.
  readonly #offsets: number[] = [];
  readonly #inserted: (Insertion | Piece)[] = [];

  /**
   * @param code all bodies of the module
   * @param fuel index of the global that counts down
   * @param paramCount of a function that the module defines
   */
  constructor(
    module: CheckedModule,
    code: BinaryReader,
    functions: MeterFunctions,
    fuel: number,
    paramCount: (functionIndex: number) => number,
  ) {
    this.#module = module;
    this.#functions = functions;
    this.#fuel = fuel;
    this.#paramCount = paramCount;
    const countDown = [globalGet(fuel), i32Const(1), i32Sub, globalSet(fuel), globalGet(fuel), i32Eqz].flat();
    const check = piece([...countDown, ...when(call(functions.tick))], countDown.length);
    this.#inGlobal = [NOTHING, check, NOTHING, NOTHING, NOTHING];
    this.#wanted = module.references.wanted;
    for (const opcode of Object.values(Opcode)) this.#wanted[opcode] = Wanted.always;
    const sizeBytes = code.end - code.offset;
    this.#bodies = new ByteWriter(sizeBytes + sizeBytes / 4);
    this.#hints = new ByteWriter(sizeBytes / 16);
    this.#flow = new MeterFlow(
      (offset, insertion) => this.#put(offset, insertion),
      (place, insertion) => {
        this.#inserted[place] = insertion;
      },
    );
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
    const hints = concatenate([Uint8Array.from(unsigned(this.#hintedCount)), this.#hints.bytes]);
    return { bodies: this.#bodies.bytes, hints };
  }

  #checkBody(body: BinaryReader, functionIndex: number): void {
    const { bytes, offset: start, end } = body;
    const localCount = body.skipLocals();
    const { offset: codeStart } = body;
    this.#offsets.length = 0;
    this.#inserted.length = 0;
    const isLarge = end - start > SMALL_FUNCTION_BYTES_MAX;
    if (isLarge) this.#put(codeStart, Insertion.check);
    this.#flow.begin(isLarge);
    walkInstructions(bytes, codeStart, end, this.#visit, this.#wanted);

    const isCounted = this.#inserted.includes(Insertion.load);
    const counter = isCounted ? this.#paramCount(functionIndex) + localCount : 0;
    if (counter >= LOCALS_MAX)
      throw new MalformedError("has a function with too many locals for checks", start);
    const pieces = isCounted ? this.#piecesFor(counter) : this.#inGlobal;
    const locals = isCounted ? declareOneMore(bytes, start, codeStart) : bytes.subarray(start, codeStart);
    let sizeBytes = locals.length + end - codeStart;
    for (const each of this.#inserted) sizeBytes += pieceOf(pieces, each).bytes.length;
    if (sizeBytes > FUNCTION_BYTES_MAX)
      throw new MalformedError("has a function that is too large for checks", start);
    this.#bodies.write(unsigned(sizeBytes));
    this.#bodies.write(locals);
    let copied = codeStart;
    for (let place = 0; place < this.#inserted.length; place++) {
      const piece = pieceOf(pieces, this.#inserted[place]!);
      if (piece === NOTHING) continue;
      const offset = this.#offsets[place]!;
      this.#bodies.copy(bytes, copied, offset);
      this.#bodies.write(piece.bytes);
      copied = offset;
    }
    this.#bodies.copy(bytes, copied, end);
    this.#hintAt(functionIndex, pieces, locals.length - codeStart);
  }

  /** @param moved by how much the code has moved before anything was inserted */
  #hintAt(functionIndex: number, pieces: Pieces, moved: number): void {
    let count = 0;
    for (const each of this.#inserted) if (pieceOf(pieces, each).branchOffset >= 0) count++;
    if (count === 0) return;
    this.#hintedCount++;
    this.#hints.write(unsigned(functionIndex));
    this.#hints.write(unsigned(count));
    let before = moved;
    for (let place = 0; place < this.#inserted.length; place++) {
      const { bytes, branchOffset } = pieceOf(pieces, this.#inserted[place]!);
      if (branchOffset >= 0) {
        this.#hints.write(unsigned(this.#offsets[place]! + before + branchOffset));
        this.#hints.write(UNLIKELY);
      }
      before += bytes.length;
    }
  }

  readonly #visit = (opcode: number, start: number, end: number): void => {
    const flow = this.#flow;
    switch (opcode) {
      case Opcode.block:
      case Opcode.try:
        flow.open(false);
        return;
      case Opcode.if:
        flow.open(true);
        return;
      case Opcode.loop:
        flow.loop(start, end);
        return;
      case Opcode.else:
        flow.else();
        return;
      case Opcode.catch:
      case Opcode.catchAll:
        flow.catch();
        return;
      case Opcode.end:
      case Opcode.delegate:
        flow.end(end);
        return;
      case Opcode.tryTable:
        flow.catches(this.#catchLabels(start));
        flow.open(false);
        return;
      case Opcode.br:
        flow.branch(start, this.#number(start + 1), true);
        return;
      case Opcode.brIf:
      case Opcode.brOnNull:
      case Opcode.brOnNonNull:
        flow.branch(start, this.#number(start + 1), false);
        return;
      case Opcode.brTable:
        flow.branchToAny(start, this.#tableLabels(start));
        return;
      case Opcode.return:
      case Opcode.throw:
      case Opcode.rethrow:
      case Opcode.throwRef:
        flow.leave(start);
        return;
    }
    this.#module.references.check(opcode, start);
    if (opcode <= 0xff) {
      if (opcode >= Opcode.call && opcode <= Opcode.returnCallRef)
        flow.call(start, TAIL_CALLS.includes(opcode));
      return;
    }
    // Behind the prefix, the opcode's number and the flags.
    if (opcode === BR_ON_CAST || opcode === BR_ON_CAST_FAIL)
      flow.branch(start, this.#number(start + 3), false);
    const length = chargedLength(this.#module.bytes, opcode, start, end, this.#module.addresses);
    if (length !== undefined) this.#put(start, this.#chargeFor(length));
  };

  #number(offset: number): number {
    const first = this.#module.bytes[offset]!;
    return first < 0x80 ? first : new BinaryReader(this.#module.bytes, offset).u32();
  }

  #tableLabels(start: number): number[] {
    const reader = new BinaryReader(this.#module.bytes, start + 1);
    return Array.from({ length: reader.count() + 1 }, () => reader.u32());
  }

  #catchLabels(start: number): number[] {
    const reader = new BinaryReader(this.#module.bytes, start + 1);
    reader.skipBlockType();
    return Array.from({ length: reader.count() }, () => {
      if (reader.byte() < FIRST_CATCH_ALL) reader.u32();
      return reader.u32();
    });
  }

  #chargeFor(length: Length): Piece {
    let charge = this.#charges.get(length);
    if (charge === undefined) {
      charge = piece(call(this.#functions.charge(length.type, length.unit)));
      this.#charges.set(length, charge);
    }
    return charge;
  }

  #piecesFor(counter: number): Pieces {
    let pieces = this.#pieces.get(counter);
    if (pieces === undefined) {
      const countDown = [localGet(counter), i32Const(1), i32Sub, localTee(counter), i32Eqz].flat();
      const tick = when(call(this.#functions.localTick), localSet(counter));
      pieces = [
        NOTHING,
        this.#inGlobal[Insertion.check],
        piece([...countDown, ...tick], countDown.length),
        piece([...globalGet(this.#fuel), ...localSet(counter)]),
        piece([...localGet(counter), ...globalSet(this.#fuel)]),
      ];
      this.#pieces.set(counter, pieces);
    }
    return pieces;
  }

  #put(offset: number, insertion: Insertion | Piece): number {
    this.#offsets.push(offset);
    return this.#inserted.push(insertion) - 1;
  }
}

function pieceOf(pieces: Pieces, inserted: Insertion | Piece): Piece {
  return typeof inserted === "number" ? pieces[inserted] : inserted;
}

function piece(code: readonly number[], branchOffset = -1): Piece {
  return { bytes: Uint8Array.from(code), branchOffset };
}

/** The declarations of locals with an i32 behind them. */
function declareOneMore(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const reader = new BinaryReader(bytes, start, end);
  const groups = reader.count();
  return Uint8Array.from([...unsigned(groups + 1), ...bytes.subarray(reader.offset, end), 1, ValueType.i32]);
}

const TAIL_CALLS: readonly number[] = [Opcode.returnCall, Opcode.returnCallIndirect, Opcode.returnCallRef];
/** Kinds of catch clauses below it name a tag. */
const FIRST_CATCH_ALL = 2;
