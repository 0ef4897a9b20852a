/** Signals by name and number (Linux), and what each does to a guest that has no handlers. */

const SIGNALS = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGKILL",
  "SIGUSR1",
  "SIGSEGV",
  "SIGUSR2",
  "SIGPIPE",
  "SIGALRM",
  "SIGTERM",
  "SIGSTKFLT",
  "SIGCHLD",
  "SIGCONT",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGURG",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGPROF",
  "SIGWINCH",
  "SIGIO",
  "SIGPWR",
  "SIGSYS",
] as const; // prettier-ignore

const IGNORED = new Set(["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH"]);
const STOPPING = new Set(["SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"]);

/** Other names of the same signals. */
const ALIASES: Readonly<Record<string, string>> = { SIGIOT: "SIGABRT", SIGCLD: "SIGCHLD", SIGPOLL: "SIGIO" };

export interface Signal {
  name: string;
  number: number;
  /** @see signal(7) */
  action: "end" | "ignore" | "stop";
}

/** `TERM`, `SIGTERM`, `15`; undefined for what is none. */
export function parseSignal(text: string): Signal | undefined {
  const upper = text.toUpperCase();
  const full = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  const name = Object.hasOwn(ALIASES, full) ? ALIASES[full]! : full;
  const index = /^\d+$/.test(text) ? Number(text) - 1 : (SIGNALS as readonly string[]).indexOf(name);
  const found = SIGNALS[index];
  if (found === undefined) return undefined;
  return {
    name: found,
    number: index + 1,
    action: IGNORED.has(found) ? "ignore" : STOPPING.has(found) ? "stop" : "end",
  };
}
