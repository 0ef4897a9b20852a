/**
 * WASI preview 1 clocks: `u32`.
 *
 * @see https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#clockid
 */
import type { ClockName } from "./system.ts";

export const ClockId = { REALTIME: 0, MONOTONIC: 1, PROCESS_CPUTIME_ID: 2, THREAD_CPUTIME_ID: 3 } as const;

/** Names by `ClockId`. */
export const CLOCK_NAMES: readonly ClockName[] = ["realtime", "monotonic", "process-cpu", "thread-cpu"];
