/** A thread that has done more than it may waits until it is paid for, or until the limit is another one. */
import type { Clocks } from "../../../shim/abi/system.ts";
import type { Bell } from "../ipc/bell.ts";
import type { IoPage } from "../quota/io-page.ts";

const NS_PER_MS = 1_000_000;
/** Nobody rings when a limit changes: it is looked at so often. */
const LOOK_NS = 100_000_000n;

export class PacedWait {
  readonly #page: IoPage;
  readonly #clocks: Clocks;
  readonly #bell: Bell;

  /** @param bell of the program: it wakes who waits, so that the engine has its word */
  constructor(page: IoPage, clocks: Clocks, bell: Bell) {
    this.#page = page;
    this.#clocks = clocks;
    this.#bell = bell;
  }

  now(): bigint {
    return this.#clocks.now("monotonic") as bigint;
  }

  /**
   * @param charge says how long it waits from now on
   * @param passed told how long it has waited, as it does: who is ended meanwhile has waited too
   */
  pay(charge: (nowNs: bigint) => bigint, passed?: (ns: bigint) => void): void {
    const { generation } = this.#page;
    const startNs = this.now();
    const waitNs = charge(startNs);
    let doneNs = 0n;
    while (doneNs < waitNs && this.#page.generation === generation) {
      const leftNs = waitNs - doneNs;
      this.#bell.wait(this.#bell.now(), Number(leftNs < LOOK_NS ? leftNs : LOOK_NS) / NS_PER_MS);
      const passedNs = this.now() - startNs;
      passed?.(passedNs - doneNs);
      doneNs = passedNs;
    }
  }
}
