/** Threads that the programs of one container may have at a time, the first of each included. */
export class ThreadBudget {
  /** May be changed: those that are there stay. */
  countMax: number;
  #count = 0;

  constructor(countMax: number) {
    this.countMax = countMax;
  }

  get isFull(): boolean {
    return this.#count >= this.countMax;
  }

  /** A program begins: a person wanted it, so it fits, and its threads may not. */
  begin(): void {
    this.#count++;
  }

  /** @returns false when there are as many as may be */
  take(): boolean {
    if (this.isFull) return false;
    this.#count++;
    return true;
  }

  give(): void {
    this.#count--;
  }
}
