/**
 * Signals to `wpod run` go to its container; what comes before there is one, or a second time, ends this process. Where this
 * process was started for one container by another `wpod run`, that one sends them.
 */
import { parseSignal } from "../../core/container/signal.ts";
import { KILL_SIGNAL } from "../../engine/containers.ts";
import { isIsolatedChild } from "../../engine/isolated-process.ts";
import type { Container } from "../../engine/types.ts";

const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1"] as const;
/** All that this system can have come. */
export const PASSED_SIGNALS = [...PASSED, KILL_SIGNAL as NodeJS.Signals].filter(
  (signal) =>
    process.platform !== "win32" || signal === "SIGINT" || signal === "SIGHUP" || signal === "SIGTERM",
);
const KILLED = 137;

export interface SignalPass {
  to(container: Container): void;
}

export function passSignals(): SignalPass {
  let container: Container | undefined;
  let seen = false;
  const pass = (signal: NodeJS.Signals) => {
    if (seen) process.exit(KILLED);
    if (container === undefined) process.exit(128 + parseSignal(signal)!.number);
    seen = true;
    // It may have ended by itself just now.
    container.kill(signal === KILL_SIGNAL ? "SIGKILL" : signal).catch(() => {});
  };
  const isChild = isIsolatedChild();
  // A terminal sends its own to both; the one to kill comes from another command, to the process that has the container.
  const hear = (signal: NodeJS.Signals) => (isChild && signal !== KILL_SIGNAL ? () => {} : pass);
  for (const signal of PASSED_SIGNALS) process.on(signal, hear(signal));
  if (isChild) {
    // Other messages are commands about the container.
    process.on("message", (message) => {
      if (typeof message === "string") pass(message as NodeJS.Signals);
    });
    process.on("disconnect", () => process.exit(KILLED));
  }
  return {
    to(started) {
      container = started;
    },
  };
}
