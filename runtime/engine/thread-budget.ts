/** Programs of one container, and their threads, that may run at a time: each is a thread of the host. */
export class ThreadBudget {
  /** May change: what runs goes on when there are fewer. */
  countMax: number;
  #count = 0;
  #peakCount = 0;
  #refusedCount = 0;

  constructor(countMax: number) {
    this.countMax = countMax;
  }

  /** That run, or are about to. */
  get count(): number {
    return this.#count;
  }

  /** The most that ever ran. */
  get peakCount(): number {
    return this.#peakCount;
  }

  /** How often a thread wasn't to be had. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  get isFull(): boolean {
    return this.#count >= this.countMax;
  }

  /** A program begins: a person wanted it, so it fits, and its threads may not. */
  begin(): void {
    this.#count++;
    this.#peakCount = Math.max(this.#peakCount, this.#count);
  }

  /** @returns false when there are as many as may be */
  take(): boolean {
    if (this.isFull) {
      this.#refusedCount++;
      return false;
    }
    this.begin();
    return true;
  }

  give(): void {
    this.#count--;
  }
}
