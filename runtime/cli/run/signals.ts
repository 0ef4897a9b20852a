/** Signals to `wpod run` go to its container; what comes before there is one, or a second time, ends this process. */
import { parseSignal } from "../../core/container/signal.ts";
import { KILL_SIGNAL } from "../../engine/containers.ts";
import type { Container } from "../../engine/types.ts";

const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1"] as const;
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
  for (const signal of [...PASSED, KILL_SIGNAL]) {
    if (process.platform !== "win32" || signal === "SIGINT" || signal === "SIGHUP" || signal === "SIGTERM") {
      process.on(signal as NodeJS.Signals, pass);
    }
  }
  return {
    to(started) {
      container = started;
    },
  };
}
