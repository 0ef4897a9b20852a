/**
 * Lets the engine make this thread wait: by an interrupt, in the middle of whatever it does.
 *
 * But not where it waits already, in a call or by an instruction of its own (`memory.atomic.wait32`). V8 handles interrupts there too, and has one
 * place for each thread in its list of those that wait: a second wait inside of the first breaks that list, and with it every wait of the
 * process (seen on Node 26: the engine's thread, the kernel's and the program's hung for good). What is on the stack under the interrupt tells.
 */
import { PAUSE } from "../core/kernel/kernel-messages.ts";

/**
 * @param cell see `StartMessage.pause`
 * @param waitOffsets see `StartMessage.waitOffsets`
 */
export function allowPauses(cell: SharedArrayBuffer, waitOffsets: readonly number[] = []): void {
  const slot = new Int32Array(cell);
  const waits = new Set(waitOffsets);
  /** @returns false when the thread waits already */
  const pause = (ms: number): boolean => {
    if (isWaiting(pause, waits)) return false;
    Atomics.wait(slot, 0, 0, ms);
    return true;
  };
  (globalThis as Record<symbol, unknown>)[PAUSE] = pause;
}

export function forgetPauses(): void {
  delete (globalThis as Record<symbol, unknown>)[PAUSE];
}

/** The expression that is evaluated, and what was interrupted for it. */
const FRAMES = 2;

function isWaiting(pause: (ms: number) => boolean, waits: ReadonlySet<number>): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const trace: { stack?: unknown } = {};
  try {
    Error.stackTraceLimit = FRAMES;
    Error.prepareStackTrace = (_, sites) => sites[FRAMES - 1];
    Error.captureStackTrace(trace, pause);
    const site = trace.stack as NodeJS.CallSite | undefined;
    if (site === undefined) return false;
    // A guest's own code has a file, whatever it calls its functions.
    if (site.getFileName()?.startsWith("wasm://")) return waits.has(site.getPosition());
    return site.getTypeName() === "Atomics";
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}
