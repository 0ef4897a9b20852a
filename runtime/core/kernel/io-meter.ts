/** Counts what a program reads from its files and writes to them, and has its thread wait where that is more than it may. */
import type { Clocks, FileTraffic } from "../../../shim/abi/system.ts";
import type { Bell } from "../ipc/bell.ts";
import { type IoPage, IoWay } from "../quota/io-page.ts";

const NS_PER_MS = 1_000_000;
/** Nobody rings when a limit changes: it is looked at so often. */
const LOOK_NS = 100_000_000n;

export class IoMeter implements FileTraffic {
  readonly #page: IoPage;
  readonly #clocks: Clocks;
  readonly #bell: Bell;

  /** @param bell of the program: it wakes who waits, so that the engine has its word */
  constructor(page: IoPage, clocks: Clocks, bell: Bell) {
    this.#page = page;
    this.#clocks = clocks;
    this.#bell = bell;
  }

  read(bytes: number): void {
    this.#moved(IoWay.read, bytes);
  }

  wrote(bytes: number): void {
    this.#moved(IoWay.write, bytes);
  }

  #moved(way: IoWay, bytes: number): void {
    this.#page.count(way, bytes);
    if (this.#page.isLimited(way)) this.#pay(way, bytes);
  }

  #pay(way: IoWay, bytes: number): void {
    const { generation } = this.#page;
    const startNs = this.#now();
    const waitNs = this.#page.charge(way, bytes, startNs);
    let doneNs = 0n;
    while (doneNs < waitNs && this.#page.generation === generation) {
      const leftNs = waitNs - doneNs;
      this.#bell.wait(this.#bell.now(), Number(leftNs < LOOK_NS ? leftNs : LOOK_NS) / NS_PER_MS);
      const passedNs = this.#now() - startNs;
      // As it passes: who is ended here has waited too.
      this.#page.noteWait(passedNs - doneNs);
      doneNs = passedNs;
    }
  }

  #now(): bigint {
    return this.#clocks.now("monotonic") as bigint;
  }
}
