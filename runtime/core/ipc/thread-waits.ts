/**
 * All waiting of one thread of a program, in the code of the host.
 *
 * V8 has one place in a thread for what it waits for. An interrupt comes while a thread waits, too; if it waits itself then, the
 * lists of all waiting threads are broken, and the process hangs (`FutexWaitListNode`, seen in Node 26). So whoever interrupts a thread asks here first.
 */

/** See `wait-flag.ts`. */
export interface WaitFlag {
  value: unknown;
}

export class ThreadWaits {
  #isWaiting = false;
  #program: WaitFlag | undefined;
  #pause: { cell: Int32Array; nowMs: () => number } | undefined;
  #untilMs = 0;

  /** It waits, or its program does: an interrupt must not. */
  get isWaiting(): boolean {
    return this.#isWaiting || (this.#program !== undefined && this.#program.value !== 0);
  }

  /** As `Atomics.wait`. */
  wait(
    cells: Int32Array,
    index: number,
    value: number,
    timeoutMs = Infinity,
  ): "ok" | "not-equal" | "timed-out" {
    this.#isWaiting = true;
    // A stack that is full ends anything with an exception.
    try {
      const how = Atomics.wait(cells, index, value, timeoutMs);
      if (this.#untilMs > 0) this.#pauseNow();
      return how;
    } finally {
      this.#isWaiting = false;
    }
  }

  /** @param cell an `Int32`: not 0 when it doesn't have to wait any more */
  allowPauses(cell: Int32Array, nowMs: () => number): void {
    this.#pause = { cell, nowMs };
  }

  /** Its own code waits, too. */
  watchProgram(flag: WaitFlag): void {
    this.#program = flag;
  }

  /** Its program has ended. */
  forget(): void {
    this.#pause = undefined;
    this.#untilMs = 0;
    this.#program = undefined;
  }

  /**
   * Called by an interrupt, in the middle of anything: waits so long.
   * @returns later: it will, as soon as it has what it waits for; no: nobody may make it wait
   */
  pause(ms: number): "now" | "later" | "no" {
    const pause = this.#pause;
    if (pause === undefined) return "no";
    this.#untilMs = Math.max(this.#untilMs, pause.nowMs() + ms);
    if (this.isWaiting) {
      if (!this.#isWaiting) this.#program!.value = 2;
      return "later";
    }
    this.finishPause();
    return "now";
  }

  /** What it was told to wait for later. */
  finishPause(): void {
    this.#isWaiting = true;
    try {
      this.#pauseNow();
    } finally {
      this.#isWaiting = false;
    }
  }

  #pauseNow(): void {
    const pause = this.#pause;
    while (pause !== undefined) {
      const leftMs = this.#untilMs - pause.nowMs();
      if (leftMs <= 0 || Atomics.wait(pause.cell, 0, 0, leftMs) === "not-equal") break;
    }
    this.#untilMs = 0;
  }
}

/** Of this thread. */
export const threadWaits = new ThreadWaits();
