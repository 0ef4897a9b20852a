/**
 * For whom the kernel works, and for how long: what it does for a container is the container's CPU time. By client, milliseconds in shared
 * memory (`Float64`); only the kernel's thread writes there.
 */
export class WorkClock {
  readonly #worked: Float64Array;
  readonly #nowMs: () => number;
  #client: number | undefined;
  #sinceMs = 0;

  /** @param worked of as many clients as there may be */
  constructor(worked: Float64Array, nowMs: () => number) {
    this.#worked = worked;
    this.#nowMs = nowMs;
  }

  /** From now on it works for this client; undefined: for nobody. @returns for whom it did before */
  switchTo(client: number | undefined): number | undefined {
    const before = this.#client;
    if (before === client) return before;
    const nowMs = this.#nowMs();
    if (before !== undefined) this.#worked[before]! += nowMs - this.#sinceMs;
    this.#client = client;
    this.#sinceMs = nowMs;
    return before;
  }
}
