/** Lets the engine make this thread wait: by an interrupt, in the middle of whatever it does. */
import { threadWaits } from "../core/ipc/thread-waits.ts";
import { PAUSE } from "../core/kernel/kernel-messages.ts";
import { hostFunction } from "../core/wasm/host-function.ts";
import { WAITED_EXPORT, WAITING_EXPORT } from "../core/wasm/wait-flag.ts";

/** @param cell see `StartMessage.pause` */
export function allowPauses(cell: SharedArrayBuffer): void {
  threadWaits.allowPauses(new Int32Array(cell), () => performance.now());
  (globalThis as Record<symbol, unknown>)[PAUSE] = (ms: number) => threadWaits.pause(ms);
}

/** @param exports of its instance: nothing of it has run yet */
export function watchWaits(exports: Readonly<Record<string, unknown>>): void {
  const flag = exports[WAITING_EXPORT];
  const waited = exports[WAITED_EXPORT];
  if (!(flag instanceof WebAssembly.Global && waited instanceof WebAssembly.Table)) return;
  threadWaits.watchProgram(flag);
  waited.set(
    0,
    hostFunction(() => {
      threadWaits.finishPause();
      return 0;
    }),
  );
}

export function forgetPauses(): void {
  threadWaits.forget();
  delete (globalThis as Record<symbol, unknown>)[PAUSE];
}
