/**
 * The functions that metering adds to a module: `tick`, which checks call when the fuel is used up, and helpers that charge for
 * instructions whose work grows with an operand.
 */
import {
  again,
  block,
  call,
  drop,
  forEver,
  globalGet,
  globalSet,
  i32And,
  i32AtomicStore,
  i32Const,
  i32Eqz,
  i32ShrU,
  i32WrapI64,
  i64Add,
  i64AtomicLoad,
  i64AtomicLoad32U,
  i64AtomicRmwAdd,
  i64Const,
  i64Eqz,
  i64ExtendI32U,
  i64GtU,
  i64ShrU,
  leaveIf,
  localGet,
  localSet,
  localTee,
  memoryAtomicWait32,
  unreachable,
  when,
} from "./assembly.ts";
import { MeterOffset } from "./meter-memory.ts";
import { type ModuleEditor, ValueType } from "./module-editor.ts";

/** What one round pays for, as a power of two: 16 KiB of memory, or 4,096 elements of a table or an array. */
const ROUND_LOG2 = { bytes: 14, elements: 12 } as const;

/** What an instruction's length counts. */
export type LengthUnit = keyof typeof ROUND_LOG2;

export class MeterFunctions {
  readonly #editor: ModuleEditor;
  readonly #look: number;
  readonly #charges = new Map<string, number>();
  /** Index of `tick () -> ()`. */
  readonly tick: number;
  /** The same for code that counts by itself: answers the count to go on with. */
  readonly localTick: number;

  /**
   * @param memory index of the memory that is shared with the host
   * @param fuel index of the global that counts down to the next tick
   * @param interval what a tick sets it to
   */
  constructor(editor: ModuleEditor, memory: number, fuel: number, interval: number) {
    this.#editor = editor;
    this.#look = editor.addFunction(
      editor.addType({ params: [ValueType.i64], results: [] }),
      2,
      lookCode(memory),
      ValueType.i64,
    );
    this.tick = editor.addFunction(
      editor.addType({ params: [], results: [] }),
      0,
      // Where a look ends in a trap, the fuel stays at 1: were the host to call in again, the next check would look at once.
      [
        i32Const(1),
        globalSet(fuel),
        i64Const(interval),
        call(this.#look),
        i32Const(interval),
        globalSet(fuel),
      ].flat(),
    );
    this.localTick = editor.addFunction(
      editor.addType({ params: [], results: [ValueType.i32] }),
      0,
      [call(this.tick), globalGet(fuel)].flat(),
    );
  }

  /** @returns index of a function that takes a length, answers the same, and charges for it; added at its first use */
  charge(length: ValueType, unit: LengthUnit): number {
    const name = `${length} ${unit}`;
    const known = this.#charges.get(name);
    if (known !== undefined) return known;
    const type = this.#editor.addType({ params: [length], results: [length] });
    const added = this.#editor.addFunction(type, 0, chargeCode(length, ROUND_LOG2[unit], this.#look));
    this.#charges.set(name, added);
    return added;
  }
}

/**
 * `look(rounds: i64)`: adds to what was used, waits for as long as the host wants it to, and traps when too much was used.
 * A trap can't be caught by the guest. A bound that the host sets while the guest waits holds as soon as it goes on.
 */
function lookCode(memory: number): number[] {
  const [rounds, used, seen] = [0, 1, 2];
  return [
    i32Const(0),
    localGet(rounds),
    i64AtomicRmwAdd(memory, MeterOffset.used),
    localGet(rounds),
    i64Add,
    localSet(used),

    block(
      forEver(
        i32Const(0),
        i64AtomicLoad32U(memory, MeterOffset.pause),
        localTee(seen),
        i64Eqz,
        leaveIf(1),
        i32Const(0),
        // What was seen, not what is there by now: a host that resumes in between would never wake it.
        localGet(seen),
        i32WrapI64,
        i64Const(-1),
        memoryAtomicWait32(memory, MeterOffset.pause),
        drop,
        again(0),
      ),
    ),

    localGet(used),
    i32Const(0),
    i64AtomicLoad(memory, MeterOffset.allowed),
    localTee(seen),
    i64GtU,
    localGet(seen),
    i64Eqz,
    i32Eqz,
    i32And,
    when(i32Const(0), i32Const(1), i32AtomicStore(memory, MeterOffset.exhausted), unreachable),
  ].flat();
}

/** `charge(length) -> length` */
function chargeCode(length: ValueType, roundLog2: number, look: number): number[] {
  const rounds =
    length === ValueType.i64
      ? [localGet(0), i64Const(roundLog2), i64ShrU]
      : [localGet(0), i32Const(roundLog2), i32ShrU, i64ExtendI32U];
  return [...rounds, i64Eqz, i32Eqz, when(...rounds, call(look)), localGet(0)].flat();
}
