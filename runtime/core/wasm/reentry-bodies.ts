/**
 * Writes the two bodies that a function with loops becomes (`reentry.ts` says why).
 *
 * Both count at the headers of chosen loops, and leave by a tail call to the second one:
 *
 * ```
 * rounds = 1,024
 * block                                  ;; around everything
 *   ...
 *   loop                                 ;; the third that was chosen
 *     rounds -= 1
 *     if rounds == 0                     ;; hinted: unlikely
 *       entry = 3, br to the end of the block around everything
 *     end
 *     ...
 *   return
 * end
 * all parameters and locals, entry
 * return_call the second body
 * ```
 *
 * The second one takes all of them as parameters, and goes to the loop that `entry` names. Structured code has no jump into a block,
 * so in each block around a chosen loop what stands in front of it is put into one more block, at whose start is the way past it:
 *
 * ```
 * loop                                   ;; around the third
 *   block
 *     if entry != 0                      ;; it was reached by a jump, not by running here; hinted: unlikely
 *       if entry >= 3, br to the end of the added block
 *       entry = 0                        ;; this loop was meant
 *     end
 *     ...                                ;; as it was
 *   end
 *   loop                                 ;; the third
 * ```
 *
 * What only stands in front of a first loop isn't there at all: the second body never starts at the beginning.
 */
import { i32Const, i32Eqz, i32Sub, localGet, localSet, localTee } from "./assembly.ts";
import { ByteWriter } from "./bytes.ts";
import { ValueType } from "./module-editor.ts";
import { BinaryReader, unsigned } from "./reader.ts";
import { type Frame, type LoopPlan, Opcode } from "./reentry-loops.ts";

export interface ReentryBody {
  /** Value types of the parameters and locals by their byte. */
  readonly variables: readonly number[];
  readonly plan: LoopPlan;
  /** The whole body, from its locals on. */
  readonly body: BinaryReader;
  /** Of the locals' declarations, and of the code behind them. */
  readonly codeOffset: number;
  /** Rounds between two re-entries, a power of two, less one. */
  readonly mask: number;
  /** Index of the second body. */
  readonly clone: number;
}

export interface WrittenBody {
  /** Without its size in front. */
  readonly bytes: Uint8Array;
  /** Offsets in it of `if`s that are seldom taken. */
  readonly unlikely: readonly number[];
}

const VOID = 0x40;
const END = [Opcode.end];
const RETURN = [Opcode.return];
const i32GeU = [0x4f];
const i32LeU = [0x4d];

/** The function itself, with its re-entries. */
export function writeFirstBody(parts: ReentryBody): WrittenBody {
  return new BodyWriter(parts, false).write();
}

/** What it goes to: its parameters are all `variables`, and the number of a loop. */
export function writeSecondBody(parts: ReentryBody): WrittenBody {
  return new BodyWriter(parts, true).write();
}

/** A frame that is open where the writer is. */
interface Open {
  readonly frame: Frame;
  /** Blocks that were added, and are open, in all frames around it; then in itself. */
  readonly addedAround: number;
  added: number;
  /** Its first part runs only on the way to a loop in it. */
  readonly isOnlyPassed: boolean;
  /** How many of its entries are behind. */
  passed: number;
  isInElse: boolean;
}

class BodyWriter {
  readonly #parts: ReentryBody;
  readonly #isSecond: boolean;
  readonly #out: ByteWriter;
  readonly #unlikely: number[] = [];
  readonly #open: Open[] = [];
  readonly #entry: number;
  readonly #rounds: number;
  #copied: number;

  constructor(parts: ReentryBody, isSecond: boolean) {
    this.#parts = parts;
    this.#isSecond = isSecond;
    const { body, variables, codeOffset } = parts;
    this.#out = new ByteWriter((body.end - body.offset) * 1.25 + 64 + variables.length * 3);
    this.#entry = variables.length;
    this.#rounds = variables.length + 1;
    this.#copied = codeOffset;
  }

  write(): WrittenBody {
    const { variables, plan, body, clone, mask } = this.#parts;
    this.#writeLocals();
    const [whole] = plan.frames;
    this.#put(i32Const(mask + 1), localSet(this.#rounds));
    this.#put([Opcode.block, VOID]);
    this.#begin(whole!, 1, this.#isSecond);
    this.#writeCode(plan);

    this.#copyTo(body.end - 1);
    this.#put(RETURN, END);
    for (let index = 0; index <= variables.length; index++) this.#put(localGet(index));
    this.#put([Opcode.returnCall, ...unsigned(clone)], END);
    return { bytes: this.#out.bytes, unlikely: this.#unlikely };
  }

  #writeLocals(): void {
    if (this.#isSecond) {
      this.#put([1, 1, ValueType.i32]);
      return;
    }
    const { body, codeOffset } = this.#parts;
    const locals = new BinaryReader(body.bytes, body.offset, codeOffset);
    this.#put(unsigned(locals.count() + 1));
    this.#out.copy(body.bytes, locals.offset, codeOffset);
    this.#put([2, ValueType.i32]);
  }

  #writeCode({ frames, controls }: LoopPlan): void {
    let next = 1;
    for (let at = 0; at < controls.length; at += 3) {
      const opcode = controls[at]!;
      const start = controls[at + 1]!;
      const end = controls[at + 2]!;
      // It stands in front of what the second body begins with.
      const isLeftOut = start < this.#copied;
      switch (opcode) {
        case Opcode.block:
        case Opcode.loop:
        case Opcode.if:
        case Opcode.tryTable: {
          const frame = frames[next++]!;
          if (!isLeftOut) this.#frame(frame);
          break;
        }
        case Opcode.else:
          if (!isLeftOut) this.#else(end);
          break;
        case Opcode.end:
          if (!isLeftOut) this.#open.pop();
          break;
        default:
          if (!isLeftOut) this.#branch(opcode, start, end);
      }
    }
  }

  #frame(frame: Frame): void {
    const isPassed = this.#isSecond && frame.last > 0 && this.#reach(frame);
    if (frame.opcode === Opcode.tryTable) this.#branch(frame.opcode, frame.start, frame.end);
    else this.#copyTo(frame.end);
    this.#begin(frame, 0, isPassed && frame.opcode !== Opcode.loop);
  }

  /**
   * What was added in front of a frame with chosen loops ends here.
   * @returns whether the frame is only gone through on the way to them
   */
  #reach(frame: Frame): boolean {
    const around = this.#open.at(-1)!;
    const place = around.passed++;
    if (around.isOnlyPassed && place === 0) {
      if (frame.opcode === Opcode.if) this.#put(this.#condition(frame));
      return true;
    }
    this.#copyTo(frame.start);
    this.#put(END);
    around.added--;
    return false;
  }

  #begin(frame: Frame, added: number, isOnlyPassed: boolean): void {
    const around = this.#open.at(-1);
    const addedAround = around === undefined ? 0 : around.addedAround + around.added;
    const open: Open = { frame, addedAround, added, isOnlyPassed, passed: 0, isInElse: false };
    this.#open.push(open);
    if (this.#isSecond && frame.last > 0) this.#dispatch(open);
    if (frame.loop > 0) this.#countRound(frame.loop);
  }

  #else(end: number): void {
    this.#copyTo(end);
    const open = this.#open.at(-1)!;
    open.isInElse = true;
    open.passed = 0;
    if (this.#isSecond && open.frame.last > 0) this.#dispatch(open);
  }

  /** The ways from the start of a frame, or of its second part, to the chosen loops in it. */
  #dispatch(open: Open): void {
    const { frame, isOnlyPassed } = open;
    const entries = frame.entries[open.isInElse ? 1 : 0];
    // The first one is what comes next.
    const skipped = isOnlyPassed ? Math.min(1, entries.length) : 0;
    if (skipped === 1) this.#copied = entries[0]!.start;
    for (let place = entries.length - 1; place >= skipped; place--) {
      open.added++;
      this.#put([Opcode.block, entries[place]!.opcode === Opcode.if ? ValueType.i32 : VOID]);
    }
    const reset = frame.loop > 0 ? [...i32Const(0), ...localSet(this.#entry)] : [];
    if (entries.length === skipped) {
      this.#put(reset);
      return;
    }
    if (!isOnlyPassed) this.#unlikelyIf(localGet(this.#entry));
    const ifs = isOnlyPassed ? 1 : 2;
    for (let place = entries.length - 1; place >= skipped; place--) {
      const entry = entries[place]!;
      this.#put(localGet(this.#entry), i32Const(entry.first), i32GeU, [Opcode.if, VOID]);
      if (entry.opcode === Opcode.if) this.#put(this.#condition(entry));
      this.#put([Opcode.br, ...unsigned(place - skipped + ifs)], END);
    }
    this.#put(reset);
    if (!isOnlyPassed) this.#put(END);
  }

  /** Which part of an `if` leads to the loop that is meant. */
  #condition({ entries: [then], first }: Frame): number[] {
    return [...localGet(this.#entry), ...i32Const(then.at(-1)?.last ?? first - 1), ...i32LeU];
  }

  #countRound(loop: number): void {
    this.#put(localGet(this.#rounds), i32Const(1), i32Sub, localTee(this.#rounds));
    this.#unlikelyIf(i32Eqz);
    // Behind the function's own frame, all that are open; the `if` is one, and the first is the block around everything.
    const { addedAround, added } = this.#open.at(-1)!;
    const depth = this.#open.length - 1 + addedAround + added;
    this.#put(i32Const(loop), localSet(this.#entry), [Opcode.br, ...unsigned(depth)], END);
  }

  #unlikelyIf(condition: readonly number[]): void {
    this.#put(condition);
    this.#unlikely.push(this.#out.size);
    this.#put([Opcode.if, VOID]);
  }

  /** A branch with its labels, as far as they now are elsewhere. */
  #branch(opcode: number, start: number, end: number): void {
    const { bytes } = this.#parts.body;
    const reader = new BinaryReader(bytes, start + 1, end);
    if (opcode === Opcode.brTable) {
      this.#copyTo(start + 1);
      const count = reader.count();
      this.#put(unsigned(count));
      for (let left = count; left >= 0; left--) this.#put(unsigned(this.#label(reader.u32())));
      this.#copied = end;
    } else if (opcode === Opcode.tryTable) {
      reader.skipBlockType();
      this.#copyTo(reader.offset);
      this.#writeCatches(reader);
      this.#copied = end;
    } else {
      const label = reader.u32();
      const moved = this.#label(label);
      if (moved === label) return;
      this.#copyTo(start + 1);
      this.#put(unsigned(moved));
      this.#copied = end;
    }
  }

  /** Their labels are those around the `try_table`. */
  #writeCatches(reader: BinaryReader): void {
    const count = reader.count();
    this.#put(unsigned(count));
    for (let left = count; left > 0; left--) {
      const kind = reader.byte();
      this.#put([kind]);
      if (kind < FIRST_CATCH_ALL) this.#put(unsigned(reader.u32()));
      this.#put(unsigned(this.#label(reader.u32())));
    }
  }

  /** A label, by how many frames are in between, with those that were added. */
  #label(depth: number): number {
    const innermost = this.#open.at(-1)!;
    const target = this.#open.at(-1 - depth);
    // V8 refuses it, as it refuses what it was.
    if (target === undefined) return depth + innermost.addedAround + innermost.added;
    return depth + innermost.addedAround + innermost.added - target.addedAround;
  }

  #copyTo(offset: number): void {
    this.#out.copy(this.#parts.body.bytes, this.#copied, offset);
    this.#copied = offset;
  }

  #put(...pieces: readonly (readonly number[])[]): void {
    for (const piece of pieces) this.#out.write(piece);
  }
}

/** Kinds of catch clauses below it name a tag. */
const FIRST_CATCH_ALL = 2;
