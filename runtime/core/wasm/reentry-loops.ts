/**
 * Finds the loops of a function that can be entered from its start, by jumping: in every block around them, and at their own
 * header, nothing may lie on the operand stack, since a jump brings nothing along.
 *
 * A function with anything in it that isn't followed here (garbage collection, the older exceptions, references to types of the
 * module's own) has none.
 */
import { walkInstructions } from "./instructions.ts";
import type { ModuleEditor } from "./module-editor.ts";
import { BinaryReader, MalformedError } from "./reader.ts";
import { stackEffect, UNKNOWN_EFFECT } from "./stack-effects.ts";
import type { FunctionType } from "./type-section.ts";

export const Opcode = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  throw: 0x08,
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
  tryTable: 0x1f,
  brOnNull: 0xd5,
  brOnNonNull: 0xd6,
} as const;

/** A block, loop, `if` or `try_table`, or the function as a whole. */
export interface Frame {
  readonly opcode: number;
  /** Offsets of the instruction, and of what follows it. */
  readonly start: number;
  readonly end: number;
  readonly parent: Frame | undefined;
  /** It stands behind the `else` of its parent. */
  readonly inElse: boolean;
  readonly canBeEntered: boolean;
  hasLoop: boolean;
  /** Of a loop that was chosen: its number, from 1 on, in the order of the code. Else 0. */
  loop: number;
  /** Numbers of the chosen loops in it, itself with them; `first` is above `last` where there is none. */
  first: number;
  last: number;
  /** What lies directly in it and has chosen loops, in order; behind an `else`, the second ones. */
  readonly entries: readonly [Frame[], Frame[]];
}

/** What was found in a body with loops to enter. */
export interface LoopPlan {
  /** In the order of the code; the function comes first. */
  readonly frames: readonly Frame[];
  readonly loopCount: number;
  /** Instructions that open, part or close a frame, or branch: opcode, start and end of each. */
  readonly controls: readonly number[];
}

const NO_TYPE = 0x40;
/** Of numbers and vectors. */
const FIRST_VALUE_TYPE = 0x7b;
const LAST_VALUE_TYPE = 0x7f;
/** Value types with a heap type behind their first byte. */
export const REFERENCE_TYPES = [0x63, 0x64];

/**
 * @param code a body behind its locals
 * @returns undefined where there is nothing to enter, or something that isn't understood
 * @throws MalformedError
 */
export function planLoops(
  editor: ModuleEditor,
  code: BinaryReader,
  type: FunctionType,
): LoopPlan | undefined {
  return mayHaveLoop(code) ? new LoopFinder(editor, code, type).plan() : undefined;
}

/**
 * Whether the bytes of `loop`, with no type or with that of a number, are anywhere: what isn't there needn't be looked for
 * instruction by instruction, which takes a second of a thousand of a start.
 */
function mayHaveLoop({ bytes, offset, end }: BinaryReader): boolean {
  const code = bytes.subarray(offset, end);
  for (let at = code.indexOf(Opcode.loop); at >= 0; at = code.indexOf(Opcode.loop, at + 1)) {
    const type = code[at + 1]!;
    if (type === NO_TYPE || (type >= FIRST_VALUE_TYPE && type <= LAST_VALUE_TYPE)) return true;
  }
  return false;
}

/** A frame that is open: what is known of the operand stack in it. */
interface Open {
  readonly frame: Frame;
  /** Height of the stack below its parameters. */
  readonly base: number;
  readonly paramCount: number;
  readonly resultCount: number;
  /** Nothing gets to where it begins. */
  readonly isDeadFromStart: boolean;
  isInElse: boolean;
}

/** Thrown to leave the walk. */
const NOT_UNDERSTOOD = new MalformedError("has an instruction that isn't followed", 0);

class LoopFinder {
  readonly #editor: ModuleEditor;
  readonly #code: BinaryReader;
  readonly #frames: Frame[] = [];
  readonly #controls: number[] = [];
  readonly #open: Open[] = [];
  #height = 0;
  #isDead = false;

  constructor(editor: ModuleEditor, code: BinaryReader, type: FunctionType) {
    this.#editor = editor;
    this.#code = code;
    const { offset } = code;
    this.#push(Opcode.block, offset, offset, true, 0, type.results.length);
  }

  plan(): LoopPlan | undefined {
    const { bytes, offset, end } = this.#code;
    try {
      walkInstructions(bytes, offset, end, this.#visit);
    } catch (error) {
      if (error === NOT_UNDERSTOOD) return undefined;
      throw error;
    }
    if (this.#open.length > 0) return undefined;
    const loopCount = chooseLoops(this.#frames);
    return loopCount === 0 ? undefined : { frames: this.#frames, loopCount, controls: this.#controls };
  }

  readonly #visit = (opcode: number, start: number, end: number): void => {
    const effect = stackEffect(opcode);
    if (effect === UNKNOWN_EFFECT) this.#control(opcode, start, end);
    else this.#height += effect;
  };

  #control(opcode: number, start: number, end: number): void {
    // Behind the function's own end.
    if (this.#open.length === 0) throw NOT_UNDERSTOOD;
    switch (opcode) {
      case Opcode.if:
        this.#height--;
        this.#begin(opcode, start, end);
        break;
      case Opcode.block:
      case Opcode.loop:
      case Opcode.tryTable:
        this.#begin(opcode, start, end);
        break;
      case Opcode.else: {
        const open = this.#open.at(-1)!;
        open.isInElse = true;
        this.#height = open.base + open.paramCount;
        this.#isDead = open.isDeadFromStart;
        break;
      }
      case Opcode.end: {
        const { base, resultCount, isDeadFromStart } = this.#open.pop()!;
        this.#height = base + resultCount;
        this.#isDead = isDeadFromStart;
        break;
      }
      case Opcode.brIf:
      case Opcode.brOnNonNull:
        this.#height--;
        break;
      case Opcode.brOnNull:
        break;
      case Opcode.br:
      case Opcode.brTable:
        this.#isDead = true;
        break;
      case Opcode.unreachable:
      case Opcode.throw:
      case Opcode.throwRef:
      case Opcode.return:
      case Opcode.returnCall:
      case Opcode.returnCallIndirect:
      case Opcode.returnCallRef:
        this.#isDead = true;
        return;
      case Opcode.call:
        this.#call(this.#editor.signature(this.#index(start)), 0);
        return;
      case Opcode.callIndirect:
      case Opcode.callRef:
        this.#call(this.#editor.typeAt(this.#index(start)), 1);
        return;
      default:
        throw NOT_UNDERSTOOD;
    }
    this.#controls.push(opcode, start, end);
  }

  #begin(opcode: number, start: number, end: number): void {
    const { params, results } = this.#blockType(start + 1);
    const parent = this.#open.at(-1)!;
    const canBeEntered =
      parent.frame.canBeEntered && !this.#isDead && params === 0 && this.#height === parent.base;
    this.#height -= params;
    this.#push(opcode, start, end, canBeEntered, params, results);
    this.#height += params;
  }

  #push(
    opcode: number,
    start: number,
    end: number,
    canBeEntered: boolean,
    paramCount: number,
    resultCount: number,
  ): void {
    const parent = this.#open.at(-1);
    const frame: Frame = {
      opcode,
      start,
      end,
      parent: parent?.frame,
      inElse: parent?.isInElse ?? false,
      canBeEntered,
      hasLoop: false,
      loop: 0,
      first: Number.POSITIVE_INFINITY,
      last: 0,
      entries: [[], []],
    };
    this.#frames.push(frame);
    this.#open.push({
      frame,
      base: this.#height,
      paramCount,
      resultCount,
      isDeadFromStart: this.#isDead,
      isInElse: false,
    });
  }

  #call(type: FunctionType | undefined, alsoTaken: number): void {
    if (type === undefined) throw NOT_UNDERSTOOD;
    this.#height += type.results.length - type.params.length - alsoTaken;
  }

  /** How many values a frame takes and leaves. @param at offset of its type */
  #blockType(at: number): { params: number; results: number } {
    const code = this.#code.bytes[at]!;
    if (code === NO_TYPE) return { params: 0, results: 0 };
    // A value type is a negative number; only those of some references have more than one byte.
    if (REFERENCE_TYPES.includes(code) || (code >= NO_TYPE && code < 0x80)) return { params: 0, results: 1 };
    const type = this.#editor.typeAt(this.#index(at - 1));
    if (type === undefined) throw NOT_UNDERSTOOD;
    return { params: type.params.length, results: type.results.length };
  }

  /** The number behind an opcode of one byte. */
  #index(start: number): number {
    return new BinaryReader(this.#code.bytes, start + 1, this.#code.end).u32();
  }
}

/**
 * All loops that can be entered, but for innermost ones inside of another: a check costs most there, and the loop around it comes by
 * often enough.
 * @returns how many were chosen
 */
function chooseLoops(frames: readonly Frame[]): number {
  for (const frame of frames) {
    if (frame.opcode !== Opcode.loop) continue;
    for (let at = frame.parent; at !== undefined && !at.hasLoop; at = at.parent) at.hasLoop = true;
  }
  let count = 0;
  for (const frame of frames) {
    if (frame.opcode !== Opcode.loop || !frame.canBeEntered) continue;
    if (!frame.hasLoop && isInLoop(frame)) continue;
    frame.loop = ++count;
    for (let at: Frame | undefined = frame; at !== undefined; at = at.parent) {
      if (at.last === 0) {
        at.first = count;
        at.parent?.entries[at.inElse ? 1 : 0].push(at);
      }
      at.last = count;
    }
  }
  return count;
}

/** What is around a loop that can be entered can be entered too. */
function isInLoop(frame: Frame): boolean {
  for (let at = frame.parent; at !== undefined; at = at.parent) if (at.opcode === Opcode.loop) return true;
  return false;
}
