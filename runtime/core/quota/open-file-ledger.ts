/**
 * How many files the programs of one container have open together, beyond what each finds open. Shared memory: one `Int32` for the
 * container, and one for each program, by which whoever started it gives back what it had when it ended.
 */
import type { OpenFileCount } from "../../../shim/abi/system.ts";

/** To another thread. */
export interface OpenFileLedgerSpec {
  container: SharedArrayBuffer;
  program: SharedArrayBuffer;
  countMax: number;
}

export class OpenFileLedger implements OpenFileCount {
  readonly spec: OpenFileLedgerSpec;
  readonly #container: Int32Array;
  readonly #program: Int32Array;

  constructor(spec: OpenFileLedgerSpec) {
    this.spec = spec;
    this.#container = new Int32Array(spec.container);
    this.#program = new Int32Array(spec.program);
  }

  static create(countMax: number): OpenFileLedger {
    return new OpenFileLedger({
      container: new SharedArrayBuffer(4),
      program: new SharedArrayBuffer(4),
      countMax,
    });
  }

  /** For one more program of the same container. */
  another(): OpenFileLedger {
    return new OpenFileLedger({ ...this.spec, program: new SharedArrayBuffer(4) });
  }

  get isFull(): boolean {
    return Atomics.load(this.#container, 0) >= this.spec.countMax;
  }

  take(): boolean {
    // First, so that nobody sees more of them than are counted.
    Atomics.add(this.#program, 0, 1);
    if (Atomics.add(this.#container, 0, 1) < this.spec.countMax) return true;
    this.give();
    return false;
  }

  give(): void {
    Atomics.sub(this.#container, 0, 1);
    Atomics.sub(this.#program, 0, 1);
  }

  /** Its program has ended. */
  close(): void {
    Atomics.sub(this.#container, 0, Atomics.exchange(this.#program, 0, 0));
  }
}
