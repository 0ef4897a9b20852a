/**
 * CPU time of the kernel's thread, told apart by the clients that it worked for. The kernel counts how long each of them kept it busy; where
 * that is longer than it had the processor, waiting for a disk too, all have the same part of it.
 */
import type { Worker } from "node:worker_threads";
import { CLIENTS_MAX } from "./kernel-entry.ts";

const US_PER_MS = 1000;
/** Less isn't worth a question. */
const WORKED_MS_MIN = 0.1;

export class KernelWork {
  /** By client, in milliseconds: see `WorkClock`. */
  readonly #worked: Float64Array;
  readonly #seen = new Float64Array(CLIENTS_MAX);
  /** Known, and charged to nobody yet, in microseconds. */
  readonly #owed = new Float64Array(CLIENTS_MAX);
  readonly #worker: Worker;
  #cpuUs = 0;
  #looking: Promise<void> | undefined;

  constructor(worker: Worker, worked: Float64Array) {
    this.#worker = worker;
    this.#worked = worked;
  }

  /** What it did for these since this was asked last, in microseconds. */
  async take(clients: readonly number[]): Promise<number> {
    const workedMs = clients.reduce((sum, client) => sum + this.#worked[client]! - this.#seen[client]!, 0);
    if (workedMs >= WORKED_MS_MIN) {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
      await this.#looking;
    }
    let us = 0;
    for (const client of clients) {
      us += this.#owed[client]!;
      this.#owed[client] = 0;
    }
    return us;
  }

  async #look(): Promise<void> {
    let usedUs: number;
    try {
      const { user, system } = await this.#worker.cpuUsage();
      usedUs = user + system - this.#cpuUs;
      this.#cpuUs += usedUs;
    } catch {
      // It has ended, and its clients have nothing there any more.
      return;
    }
    const workedMs = this.#worked.map((ms, client) => ms - this.#seen[client]!);
    const sumUs = workedMs.reduce((sum, ms) => sum + ms, 0) * US_PER_MS;
    const part = sumUs <= usedUs ? 1 : usedUs / sumUs;
    for (const [client, ms] of workedMs.entries()) {
      if (ms === 0) continue;
      this.#owed[client]! += ms * US_PER_MS * part;
      this.#seen[client]! += ms;
    }
  }

  /** Nobody is this client now. */
  forget(client: number): void {
    this.#seen[client] = this.#worked[client]!;
    this.#owed[client] = 0;
  }
}
