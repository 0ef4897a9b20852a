/** Clients that wait for something to change. Each is told once, by its bell, and asks again. */
import type { Bell } from "../ipc/bell.ts";

export class WaitQueue {
  #bells: Set<Bell> | undefined = undefined;

  add(bell: Bell): void {
    this.#bells ??= new Set();
    this.#bells.add(bell);
  }

  /** A client that has gone, or doesn't wait any more. */
  remove(bell: Bell): void {
    this.#bells?.delete(bell);
  }

  wake(): void {
    const bells = this.#bells;
    if (bells === undefined || bells.size === 0) return;
    this.#bells = undefined;
    for (const bell of bells) bell.ring();
  }
}

/** An open file whose readiness changes by what other clients do. Its calls answer EAGAIN in place of blocking. */
export interface Waitable {
  readonly waiting: WaitQueue;
}

export function isWaitable<T extends object>(file: T): file is T & Waitable {
  return "waiting" in file;
}
