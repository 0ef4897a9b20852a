/**
 * Holds the programs of a container to their share of CPU time: looks at what their threads have used, and makes those wait that have used
 * too much. They wait wherever they are, in the middle of their own code too.
 */
import { setTimeout as later } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { PAUSE } from "../core/kernel/kernel-messages.ts";
import { CpuBandwidth, type CpuBandwidthStats, type CpuLimit } from "../core/quota/cpu-bandwidth.ts";
import { callOf, ThreadInspector } from "./thread-inspector.ts";

/** Less was used by a thread that only answered the question. */
const IDLE_MS = 0.2;
/**
 * Pauses that fail one after the other, since a thread's stack is so full that nothing can be evaluated on it: else a program could hide
 * there. A recursion that comes back was there for less.
 */
const FAILED_PAUSES_MAX = 10;
const AGAIN_MS_MAX = 16;
/** Who does nothing is looked at so often: each look costs 0.02 ms. */
const IDLE_LOOK_MS_MAX = 200;

export class CpuMonitor implements Disposable {
  readonly #bandwidth: CpuBandwidth;
  readonly #workers: () => Iterable<Worker>;
  readonly #usedMs = new WeakMap<Worker, number>();
  #inspector: ThreadInspector | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lookMs: number;
  #isOver = false;
  #failedPauses = 0;
  readonly #unreachable: () => void;

  /**
   * @param workers those that run now
   * @param unreachable told of programs that can't be made to wait
   */
  constructor(limit: CpuLimit, workers: () => Iterable<Worker>, unreachable: () => void) {
    this.#unreachable = unreachable;
    this.#bandwidth = new CpuBandwidth(limit, performance.now());
    this.#workers = workers;
    this.#lookMs = this.#bandwidth.lookMs;
    void this.#look();
  }

  get stats(): CpuBandwidthStats {
    return this.#bandwidth.stats;
  }

  #lookLater(): void {
    if (this.#isOver) return;
    this.#timer = setTimeout(() => void this.#look(), this.#lookMs);
    // It is the programs that keep the process alive.
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const workers = [...this.#workers()];
    const used = await Promise.all(workers.map((worker) => this.#measure(worker)));
    if (this.#isOver) return;
    const sumMs = used.reduce((sum, ms) => sum + ms, 0);
    const pauseMs = this.#bandwidth.charge(performance.now(), sumMs);
    if (pauseMs > 0) await this.#pause(workers, pauseMs);
    const isIdle = sumMs <= IDLE_MS * workers.length;
    this.#lookMs = isIdle ? Math.min(this.#lookMs * 2, IDLE_LOOK_MS_MAX) : this.#bandwidth.lookMs;
    this.#lookLater();
  }

  /** What it has used since the last look; nothing, when this is the first. */
  async #measure(worker: Worker): Promise<number> {
    if (worker.threadId < 0) return 0;
    try {
      const { user, system } = await worker.cpuUsage();
      const nowMs = (user + system) / 1000;
      const beforeMs = this.#usedMs.get(worker) ?? nowMs;
      this.#usedMs.set(worker, nowMs);
      return nowMs - beforeMs;
    } catch {
      // It has ended.
      return 0;
    }
  }

  /** One request a thread at a time: when it is answered, the thread goes on. */
  async #pause(workers: readonly Worker[], wholeMs: number): Promise<void> {
    this.#inspector ??= ThreadInspector.share();
    const startMs = performance.now();
    let waitedMs = 0;
    while (wholeMs - waitedMs >= 1 && !this.#isOver) {
      const beforeMs = waitedMs;
      const ms = Math.min(wholeMs - waitedMs, this.#bandwidth.pauseMsMax);
      const reached = await Promise.all(workers.map((worker) => this.#pauseThread(worker, ms)));
      this.#failedPauses = reached.includes(false) ? this.#failedPauses + 1 : 0;
      if (this.#failedPauses >= FAILED_PAUSES_MAX) this.#unreachable();
      waitedMs = performance.now() - startMs;
      // They have ended, or are about to.
      if (waitedMs - beforeMs < ms / 2) break;
    }
    this.#bandwidth.waited(waitedMs);
  }

  /**
   * A thread that waits already can't be made to: it is tried again, less and less often, until it runs or the time is over.
   * @returns false when it can't be reached
   */
  async #pauseThread(worker: Worker, ms: number): Promise<boolean> {
    const endMs = performance.now() + ms;
    for (let againMs = 1; ; againMs = Math.min(2 * againMs, AGAIN_MS_MAX)) {
      const leftMs = endMs - performance.now();
      if (leftMs < 1 || this.#isOver) return true;
      const evaluated = await this.#inspector?.evaluate(worker, callOf(PAUSE, leftMs));
      if (evaluated?.value !== false) return evaluated?.threw !== true;
      await later(Math.min(againMs, leftMs));
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#inspector?.[Symbol.dispose]();
    this.#inspector = undefined;
  }
}
