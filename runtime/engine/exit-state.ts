/** From how a program ended to what docker's users see: a status, and the reason when it isn't the program's own. */
import { parseSignal } from "../core/container/signal.ts";
import type { Outcome } from "../core/kernel/spec.ts";
import type { ExitState } from "./types.ts";

/** Killed, as by the kernel's out-of-memory killer. */
const KILLED = 137;
/** What wasmtime answers for a trap: 128 + SIGABRT. */
const TRAPPED = 134;
/** The runtime failed, not the program. */
const RUNTIME_FAILED = 125;

/** How a container ended: by itself, or by somebody. */
export type Ending =
  | Outcome
  | { kind: "timeout" }
  /** It had used all the CPU time that it may. */
  | { kind: "cpu-time" }
  /** What the runtime keeps for it (files, descriptors, what is on its way) was more than a worker's heap holds. */
  | { kind: "heap" };

export function exitState(ending: Ending, memoryRefused: boolean): ExitState {
  const plain = plainExitState(ending);
  // A program that fails right after its memory was refused died of that, whatever way it took: abort, trap or exit.
  const oomKilled =
    memoryRefused &&
    plain.exitCode !== 0 &&
    (ending.kind === "exit" || ending.kind === "trap" || isAbort(ending));
  if (!oomKilled) return plain;
  return {
    exitCode: KILLED,
    oomKilled,
    reason: `out of memory (${plain.reason ?? `exit status ${plain.exitCode}`})`,
  };
}

function isAbort(ending: Ending): boolean {
  return ending.kind === "signal" && ending.signal === "SIGABRT";
}

function plainExitState(ending: Ending): ExitState {
  switch (ending.kind) {
    case "exit":
      return { exitCode: ending.status & 0xff, oomKilled: false, reason: undefined };
    case "signal":
      return {
        exitCode: 128 + (parseSignal(ending.signal)?.number ?? 0),
        oomKilled: false,
        reason: ending.signal,
      };
    case "timeout":
      return { exitCode: KILLED, oomKilled: false, reason: "timeout" };
    case "cpu-time":
      return { exitCode: KILLED, oomKilled: false, reason: "out of CPU time" };
    case "trap":
      return { exitCode: TRAPPED, oomKilled: false, reason: `trap: ${ending.message}` };
    case "imports":
      return { exitCode: RUNTIME_FAILED, oomKilled: false, reason: "unknown imports" };
    case "memory":
      return { exitCode: KILLED, oomKilled: true, reason: "out of memory" };
    case "defect":
      // The first line: what follows is where in wpod it was.
      return { exitCode: RUNTIME_FAILED, oomKilled: false, reason: ending.message.split("\n", 1)[0]! };
    case "heap":
      return { exitCode: KILLED, oomKilled: true, reason: "out of memory for its files and descriptors" };
  }
}
