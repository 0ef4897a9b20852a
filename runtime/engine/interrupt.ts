/** Reaches a program that is busy in its own code, so that it attends to what waits for it. */
import type { Worker } from "node:worker_threads";
import { ATTEND } from "../core/kernel/kernel-messages.ts";
import { callOf, ThreadInspector } from "./thread-inspector.ts";

/** Most programs come to the end of a call before this. */
const GRACE_MS = 1;
const AGAIN_MS = 5;

/** Interrupts it, again and again while host code of its calls is running, until `done`. */
export function interruptUntil(worker: Worker, done: Promise<unknown>): void {
  let inspector: ThreadInspector | undefined;
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const end = () => {
    over = true;
    clearTimeout(timer);
    inspector?.[Symbol.dispose]();
    inspector = undefined;
  };
  const interrupt = () => {
    if (over) return;
    void inspector!.evaluate(worker, callOf(ATTEND));
    timer = setTimeout(interrupt, AGAIN_MS);
  };
  timer = setTimeout(() => {
    // Without one the program is stopped at the end of its next call.
    inspector = ThreadInspector.share();
    if (inspector !== undefined) interrupt();
  }, GRACE_MS);
  worker.once("exit", end);
  done.then(end, end);
}
