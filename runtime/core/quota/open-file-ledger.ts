/**
 * How many files the programs of one container have open together, beyond what each finds open, and the memory that they cost.
 * Shared memory: one `Int32` for the container, and one for each program, by which whoever started it gives back what it had when it
 * ended.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import type { OpenFileCount } from "../../../shim/abi/system.ts";
import { KIB, MemoryBudget, type MemoryBudgetSpec } from "./memory-budget.ts";

/** What one costs the host. */
export const OPEN_FILE_BYTES = 1024;
const OPEN_FILE_KIB = OPEN_FILE_BYTES / KIB;

/** To another thread. */
export interface OpenFileLedgerSpec {
  container: SharedArrayBuffer;
  program: SharedArrayBuffer;
  countMax: number;
  /** Of the container. */
  budget: MemoryBudgetSpec;
}

export class OpenFileLedger implements OpenFileCount {
  readonly spec: OpenFileLedgerSpec;
  readonly #container: Int32Array;
  readonly #program: Int32Array;
  readonly #budget: MemoryBudget;

  constructor(spec: OpenFileLedgerSpec) {
    this.spec = spec;
    this.#container = new Int32Array(spec.container);
    this.#program = new Int32Array(spec.program);
    this.#budget = new MemoryBudget(spec.budget);
  }

  static create(countMax: number, budget: MemoryBudget): OpenFileLedger {
    return new OpenFileLedger({
      container: new SharedArrayBuffer(4),
      program: new SharedArrayBuffer(4),
      countMax,
      budget: budget.spec,
    });
  }

  /** For one more program of the same container. */
  another(): OpenFileLedger {
    return new OpenFileLedger({ ...this.spec, program: new SharedArrayBuffer(4) });
  }

  /** Of all programs of the container. */
  get count(): number {
    return Atomics.load(this.#container, 0);
  }

  get refusal(): Errno {
    if (Atomics.load(this.#container, 0) >= this.spec.countMax) return Errno.ENFILE;
    return this.#budget.hasRoom(OPEN_FILE_KIB) ? Errno.ESUCCESS : Errno.ENOMEM;
  }

  take(): Errno {
    // What is taken before it is counted is never given back too often, wherever the program is ended.
    if (!this.#budget.take(OPEN_FILE_KIB)) return Errno.ENOMEM;
    Atomics.add(this.#program, 0, 1);
    if (Atomics.add(this.#container, 0, 1) < this.spec.countMax) return Errno.ESUCCESS;
    this.give();
    return Errno.ENFILE;
  }

  give(): void {
    this.#giveBack(1);
    Atomics.sub(this.#program, 0, 1);
  }

  /** Its program has ended. */
  close(): void {
    this.#giveBack(Atomics.exchange(this.#program, 0, 0));
  }

  #giveBack(count: number): void {
    Atomics.sub(this.#container, 0, count);
    this.#budget.give(count * OPEN_FILE_KIB);
  }
}
