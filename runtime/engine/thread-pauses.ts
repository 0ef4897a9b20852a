/**
 * How threads are made to wait in the middle of what they run. By an interrupt, where this process may inspect its threads: it
 * costs a program nothing. Else by metering: the program was rewritten, and looks at a flag now and then.
 */
import type { Worker } from "node:worker_threads";
import { PAUSE } from "../core/kernel/kernel-messages.ts";
import { Wanted } from "../core/kernel/spec.ts";
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
  /**
   * Done when they go on, after so long or because they are ended.
   * @returns false where one couldn't be made to wait
   */
  pause(threads: readonly RunningThread[], ms: number): Promise<boolean>;
}

export function threadPauses(control: CpuControl): ThreadPauses {
  return control === "interrupt" ? new Interrupts() : new MeterPauses();
}

class Interrupts implements ThreadPauses {
  #inspector: ThreadInspector | undefined;
  readonly #wait = new Wait();

  async pause(threads: readonly RunningThread[], ms: number): Promise<boolean> {
    this.#inspector ??= ThreadInspector.share();
    const startMs = performance.now();
    const expression = callOf(PAUSE, ms);
    const answers = await Promise.all(
      threads.map(({ worker }) => this.#inspector?.evaluate(worker, expression)),
    );
    // One that waits for something else waits for this behind it.
    const leftMs = startMs + ms - performance.now();
    if (answers.some((answer) => answer?.value === "later") && leftMs > 0) await this.#wait.until(leftMs);
    return !answers.some((answer) => answer?.threw);
  }

  [Symbol.dispose](): void {
    this.#wait.end();
    this.#inspector?.[Symbol.dispose]();
    this.#inspector = undefined;
  }
}

/** A time-out that can be cut short. */
class Wait {
  #end: (() => void) | undefined;

  async until(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#end = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }

  end(): void {
    this.#end?.();
  }
}

class MeterPauses implements ThreadPauses {
  readonly #wait = new Wait();

  async pause(threads: readonly RunningThread[], ms: number): Promise<boolean> {
    for (const { meter, wanted } of threads) {
      meter?.pause();
      // A program that does little but calls comes to its own checks too rarely.
      if (meter !== undefined) Atomics.or(wanted, 0, Wanted.pause);
    }
    await this.#wait.until(ms);
    for (const { meter, wanted } of threads) {
      if (meter !== undefined) Atomics.and(wanted, 0, ~Wanted.pause);
      meter?.resume();
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.#wait.end();
  }
}
