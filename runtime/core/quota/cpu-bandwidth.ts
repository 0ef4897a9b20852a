/**
 * How much CPU time the programs of a container may use: a share of a core, counted by periods. What is used beyond it is a debt, and
 * whoever has one waits until it is paid; what isn't used in a period is lost with it.
 *
 * @see https://docs.kernel.org/scheduler/sched-bwc.html, CFS bandwidth control
 */

export interface CpuLimit {
  /** Cores' worth of time: 0.25 is a quarter of one, 1.5 takes two threads. */
  readonly cpus: number;
  readonly periodMs: number;
}

/** Linux's default, and docker's bounds. */
export const CPU_PERIOD_MS = 100;
export const CPU_PERIOD_MS_MIN = 1;
export const CPU_PERIOD_MS_MAX = 1000;
/** Docker's. */
export const CPUS_MIN = 0.01;

/** Nobody waits longer at a time. */
const PAUSE_PERIODS_MAX = 2;
/** Not worth an interrupt. */
const PAUSE_MS_MIN = 1;
/** Between two looks at who runs: not more, so that little is used before somebody looks, nor less, so that looking costs little. */
const LOOK_MS_MAX = 25;
const LOOK_MS_MIN = 5;

/** As a cgroup's `cpu.stat` has it. */
export interface CpuBandwidthStats {
  /** Periods in which something ran, or would have. */
  readonly periodCount: number;
  readonly throttledCount: number;
  readonly throttledMs: number;
}

export class CpuBandwidth {
  #limit: CpuLimit;
  #atMs: number;
  #debtMs = 0;
  /** Cores that were busy when it ran last. */
  #cores = 1;
  #lastPeriod = -1;
  #lastThrottled = -1;
  #pauseFrom = 0;
  #startMs: number;
  #periodCount = 0;
  #throttledCount = 0;
  #throttledMs = 0;

  constructor(limit: CpuLimit, nowMs: number) {
    this.#limit = limit;
    this.#atMs = nowMs;
    this.#startMs = nowMs;
  }

  get limit(): CpuLimit {
    return this.#limit;
  }

  /** From now on. */
  set limit(limit: CpuLimit) {
    if (limit.periodMs !== this.#limit.periodMs) {
      // Periods are counted from here.
      this.#startMs = this.#atMs;
      this.#lastPeriod = -1;
      this.#lastThrottled = -1;
    }
    this.#limit = limit;
  }

  /** How long its programs may run before somebody looks again: until they have used what they may in a period. */
  get lookMs(): number {
    const { cpus, periodMs } = this.limit;
    return Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, (cpus * periodMs) / this.#cores));
  }

  /** The longest that a program waits at a time. */
  get pauseMsMax(): number {
    return PAUSE_PERIODS_MAX * this.limit.periodMs;
  }

  get stats(): CpuBandwidthStats {
    return {
      periodCount: this.#periodCount,
      throttledCount: this.#throttledCount,
      throttledMs: this.#throttledMs,
    };
  }

  /**
   * So much CPU time was used since the last time.
   *
   * @returns for how long nothing of it may run, however often it is interrupted for that; 0: it may
   */
  charge(nowMs: number, usedMs: number): number {
    const { cpus, periodMs } = this.limit;
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    if (usedMs > LOOK_MS_MIN && elapsedMs > 0) this.#cores = Math.max(1, usedMs / elapsedMs);
    const allowedMs = elapsedMs === 0 ? 0 : cpus * elapsedMs;
    this.#atMs = nowMs;
    this.#debtMs = Math.max(this.#debtMs + usedMs - allowedMs, -cpus * periodMs);
    const period = this.#periodAt(nowMs);
    if (usedMs > 0 && period !== this.#lastPeriod) {
      this.#lastPeriod = period;
      this.#periodCount++;
    }
    if (this.#debtMs <= cpus * PAUSE_MS_MIN) return 0;
    this.#pauseFrom = period;
    return this.#debtMs / cpus;
  }

  /** They have waited for so long, until now. */
  waited(nowMs: number, ms: number): void {
    this.#throttledMs += ms;
    const period = this.#periodAt(nowMs);
    this.#throttledCount += 1 + period - Math.max(this.#pauseFrom, this.#lastThrottled + 1);
    this.#lastThrottled = period;
    this.#periodCount += period - this.#lastPeriod;
    this.#lastPeriod = period;
  }

  /** By number from the start. */
  #periodAt(nowMs: number): number {
    return Math.floor(Math.max(0, nowMs - this.#startMs) / this.limit.periodMs);
  }
}
