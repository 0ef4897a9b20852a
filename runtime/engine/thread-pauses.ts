/**
 * How threads are made to wait in the middle of what they run. By an interrupt, where this process may inspect its threads: it
 * costs a program nothing. Else by metering: the program was rewritten, and looks at a flag now and then.
 */
import type { Worker } from "node:worker_threads";
import { PAUSE } from "../core/kernel/kernel-messages.ts";
import type { MeterControl } from "../core/wasm/meter-control.ts";
import { callOf, ThreadInspector } from "./thread-inspector.ts";

export type CpuControl = "interrupt" | "metering";

/** A thread of a program. */
export interface RunningThread {
  readonly worker: Worker;
  /** Of a program that was rewritten, once it has begun. */
  readonly meter: MeterControl | undefined;
  /** Of a program whose files are with the kernel. */
  readonly client: number | undefined;
  /** An `Int32` that is looked at at the end of each call of the program's. */
  readonly wanted: Int32Array;
}

export interface ThreadPauses extends Disposable {
  /** Done when they go on, after so long or because they are ended. */
  pause(threads: readonly RunningThread[], ms: number): Promise<void>;
}

export function threadPauses(control: CpuControl): ThreadPauses {
  return control === "interrupt" ? new Interrupts() : new MeterPauses();
}

class Interrupts implements ThreadPauses {
  #inspector: ThreadInspector | undefined;

  async pause(threads: readonly RunningThread[], ms: number): Promise<void> {
    this.#inspector ??= ThreadInspector.share();
    const expression = callOf(PAUSE, ms);
    await Promise.all(threads.map(({ worker }) => this.#inspector?.evaluate(worker, expression)));
  }

  [Symbol.dispose](): void {
    this.#inspector?.[Symbol.dispose]();
    this.#inspector = undefined;
  }
}

class MeterPauses implements ThreadPauses {
  #over: (() => void) | undefined;

  async pause(threads: readonly RunningThread[], ms: number): Promise<void> {
    for (const { meter, wanted } of threads) {
      meter?.pause();
      // A program that does little but calls comes to its own checks too rarely.
      if (meter !== undefined) Atomics.store(wanted, 0, 1);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#over = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
    for (const { meter } of threads) meter?.resume();
  }

  [Symbol.dispose](): void {
    this.#over?.();
  }
}
