/** Wakes all who wait for nothing in particular at once: a hundred timers would wake the event loop a hundred times. */
export class IdleClock {
  readonly #periodMs: number;
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** Calls it once, after a period at most. Keeps no process alive. */
  add(call: () => void): void {
    this.#waiting.add(call);
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#tick(), this.#periodMs);
    this.#timer.unref();
  }

  remove(call: () => void): void {
    this.#waiting.delete(call);
  }

  #tick(): void {
    const due = [...this.#waiting];
    this.#waiting.clear();
    for (const call of due) call();
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
