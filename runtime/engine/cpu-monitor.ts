/**
 * Holds the programs of a container to their share of CPU time: looks at what their threads have used, and makes those wait that have used
 * too much. They wait wherever they are, in the middle of their own code too.
 */

import type { Activity } from "../core/ipc/sleep-count.ts";
import { CpuBandwidth, type CpuBandwidthStats, type CpuLimit } from "../core/quota/cpu-bandwidth.ts";
import { type CpuGroup, CpuShare } from "../core/quota/cpu-group.ts";
import type { CpuUsage } from "./cpu-usage.ts";
import { IdleClock } from "./idle-clock.ts";
import type { RunningThread, ThreadPauses } from "./thread-pauses.ts";

/** Less was used by a thread that only answered the question. */
const IDLE_MS = 0.2;
/**
 * Pauses that fail one after the other, since a thread's stack is so full that nothing can be evaluated on it: else a program could hide
 * there. A recursion that comes back was there for less.
 */
const FAILED_PAUSES_MAX = 10;
/** Who does nothing is looked at so often: each look costs 0.02 ms. */
const IDLE_LOOK_MS_MAX = 200;
const IDLE = new IdleClock(IDLE_LOOK_MS_MAX);

export interface CpuMonitorParts {
  readonly limit: CpuLimit;
  readonly shares: number;
  /** What it has of what its user's containers may use together. */
  readonly partCpus: number;
  /** What all containers of its group may use together. */
  readonly group: CpuGroup;
  readonly usage: CpuUsage;
  /** Brings that up to date. */
  readonly measure: () => Promise<void>;
  readonly pauses: ThreadPauses;
  /** Those that run now. */
  readonly threads: () => readonly RunningThread[];
  /** What each of its programs has done since the last time that this was asked. */
  readonly activities: () => readonly Activity[];
  /** They can't be made to wait. */
  readonly unreachable: () => void;
  /** After each look: so much time has passed, in which they had to wait for so long. */
  readonly looked: (elapsedMs: number, waitedMs: number) => void;
}

export class CpuMonitor implements Disposable {
  readonly #parts: CpuMonitorParts;
  readonly #bandwidth: CpuBandwidth;
  readonly #share: CpuShare;
  #cpus: number;
  #partCpus: number;
  #timer: NodeJS.Timeout | undefined;
  #lookMs: number;
  #lookedAtMs: number;
  #seenMs: number;
  readonly #wake = () => void this.#look();
  #isLooking = false;
  #isChanged = false;
  #isOver = false;
  #failedPauses = 0;

  constructor(parts: CpuMonitorParts) {
    const nowMs = performance.now();
    const { limit, shares, group, usage } = parts;
    this.#parts = parts;
    this.#cpus = limit.cpus;
    this.#partCpus = parts.partCpus;
    this.#bandwidth = new CpuBandwidth(limit, nowMs);
    this.#share = new CpuShare(shares, limit.cpus, nowMs);
    this.#lookMs = this.#bandwidth.lookMs;
    this.#lookedAtMs = nowMs;
    this.#seenMs = usage.totalMs;
    group.join(this.#share);
    void this.#look();
  }

  /** At any time. Who waits for too long is looked at again. */
  set partCpus(cpus: number) {
    this.#isChanged ||= cpus > this.#partCpus;
    this.#partCpus = cpus;
  }

  /** What it would use now; Infinity: all that it gets. */
  get wantedCpus(): number {
    return this.#share.wantedCpus;
  }

  get stats(): CpuBandwidthStats {
    return this.#bandwidth.stats;
  }

  /** From now on. */
  update({ cpus, periodMs }: CpuLimit, shares: number): void {
    this.#cpus = cpus;
    this.#share.cpusMax = cpus;
    this.#share.shares = shares;
    this.#bandwidth.limit = { cpus, periodMs };
    this.#isChanged = true;
    // Whoever was idle under the old limit is looked at under the new one.
    this.#lookMs = this.#bandwidth.lookMs;
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#isOver || this.#isLooking) return;
    clearTimeout(this.#timer);
    IDLE.remove(this.#wake);
    if (this.#lookMs >= IDLE_LOOK_MS_MAX) {
      IDLE.add(this.#wake);
      return;
    }
    this.#timer = setTimeout(this.#wake, this.#lookMs);
    // It is the programs that keep the process alive.
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    await this.#judge();
    this.#isLooking = false;
    this.#lookLater();
  }

  async #judge(): Promise<void> {
    const { usage, group, looked } = this.#parts;
    const activities = this.#parts.activities();
    if (activities.every((activity) => activity === "asleep")) {
      this.#lookMs = Math.min(this.#lookMs * 2, IDLE_LOOK_MS_MAX);
      return;
    }
    const threads = this.#parts.threads();
    await this.#parts.measure();
    if (this.#isOver) return;
    const nowMs = performance.now();
    const usedMs = usage.totalMs - this.#seenMs;
    this.#seenMs += usedMs;
    this.#share.used(nowMs, usedMs, activities.includes("awake"));
    const cpus = Math.min(this.#cpus, this.#partCpus, group.cpusFor(this.#share));
    this.#bandwidth.limit = { ...this.#bandwidth.limit, cpus };
    const pauseMs = this.#bandwidth.charge(nowMs, usedMs);
    const waitedMs = pauseMs > 0 ? await this.#pause(threads, pauseMs) : 0;
    const isIdle = usedMs <= IDLE_MS * threads.length;
    this.#lookMs = isIdle ? Math.min(this.#lookMs * 2, IDLE_LOOK_MS_MAX) : this.#bandwidth.lookMs;
    const beforeMs = this.#lookedAtMs;
    this.#lookedAtMs = performance.now();
    looked(this.#lookedAtMs - beforeMs, waitedMs);
  }

  /** One request a thread at a time: when it is answered, the thread goes on. @returns for how long they waited */
  async #pause(threads: readonly RunningThread[], wholeMs: number): Promise<number> {
    const startMs = performance.now();
    let waitedMs = 0;
    this.#share.throttled(startMs + wholeMs);
    this.#isChanged = false;
    while (wholeMs - waitedMs >= 1 && !this.#isOver && !this.#isChanged) {
      const beforeMs = waitedMs;
      const ms = Math.min(wholeMs - waitedMs, this.#bandwidth.pauseMsMax);
      const isReached = await this.#parts.pauses.pause(threads, ms);
      this.#failedPauses = isReached ? 0 : this.#failedPauses + 1;
      if (this.#failedPauses >= FAILED_PAUSES_MAX) this.#parts.unreachable();
      waitedMs = performance.now() - startMs;
      // They have ended, or are about to.
      if (waitedMs - beforeMs < ms / 2) break;
    }
    this.#bandwidth.waited(startMs + waitedMs, waitedMs);
    return waitedMs;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    IDLE.remove(this.#wake);
    clearTimeout(this.#timer);
    this.#parts.group.leave(this.#share);
    this.#parts.pauses[Symbol.dispose]();
  }
}
