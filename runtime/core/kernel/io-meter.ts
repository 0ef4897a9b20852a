/** Counts what a program reads from its files and writes to them, and has its thread wait where that is more than it may. */
import type { Clocks, FileTraffic } from "../../../shim/abi/system.ts";
import type { Bell } from "../ipc/bell.ts";
import { type IoPage, IoWay } from "../quota/io-page.ts";
import { PacedWait } from "./paced-wait.ts";

export class IoMeter implements FileTraffic {
  readonly #page: IoPage;
  readonly #wait: PacedWait;

  constructor(page: IoPage, clocks: Clocks, bell: Bell) {
    this.#page = page;
    this.#wait = new PacedWait(page, clocks, bell);
  }

  read(bytes: number): void {
    this.#moved(IoWay.read, bytes);
  }

  wrote(bytes: number): void {
    this.#moved(IoWay.write, bytes);
  }

  #moved(way: IoWay, bytes: number): void {
    const page = this.#page;
    page.count(way, bytes);
    if (!page.isLimited(way)) return;
    this.#wait.pay(
      (nowNs) => page.charge(way, bytes, nowNs),
      (ns) => page.noteWait(ns),
    );
  }
}
