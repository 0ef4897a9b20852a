/** CPU time that the threads of a container have used, those that have ended too. */
import type { Worker } from "node:worker_threads";

/** In microseconds. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

const NONE: CpuTime = { user: 0, system: 0 };

export class CpuUsage {
  /** What each thread had used when it was looked at last. */
  readonly #seen = new WeakMap<Worker, CpuTime>();
  #userUs = 0;
  #systemUs = 0;

  get userUs(): number {
    return this.#userUs;
  }

  get systemUs(): number {
    return this.#systemUs;
  }

  get totalMs(): number {
    return (this.#userUs + this.#systemUs) / 1000;
  }

  /** From now on it is the container's, whose thread had used so much before. */
  begin(worker: Worker, before: CpuTime = NONE): void {
    this.#seen.set(worker, before);
  }

  /** It has used so much, all in all. */
  note(worker: Worker, { user, system }: CpuTime): void {
    const before = this.#seen.get(worker);
    if (before === undefined) return;
    this.#userUs += Math.max(0, user - before.user);
    this.#systemUs += Math.max(0, system - before.system);
    this.#seen.set(worker, { user, system });
  }

  /** It is somebody else's, or nobody's. */
  end(worker: Worker, after: CpuTime): void {
    this.note(worker, after);
    this.#seen.delete(worker);
  }

  /** What was done for it in a thread of ours. */
  charge(us: number): void {
    this.#systemUs += us;
  }

  /** Looks at these threads now. */
  async measure(workers: readonly Worker[]): Promise<void> {
    await Promise.all(workers.map((worker) => this.#look(worker)));
  }

  async #look(worker: Worker): Promise<void> {
    if (worker.threadId < 0) return;
    try {
      this.note(worker, await worker.cpuUsage());
    } catch {
      // It has ended.
    }
  }
}
