/** Lets the engine make this thread wait: by an interrupt, in the middle of whatever it does. */
import { PAUSE } from "../core/kernel/kernel-messages.ts";

/** @param cell see `StartMessage.pause` */
export function allowPauses(cell: SharedArrayBuffer): void {
  const slot = new Int32Array(cell);
  (globalThis as Record<symbol, unknown>)[PAUSE] = (ms: number) => void Atomics.wait(slot, 0, 0, ms);
}

export function forgetPauses(): void {
  delete (globalThis as Record<symbol, unknown>)[PAUSE];
}
