/**
 * The terminal on standard input of this process, for as long as a container has it: every key comes as it is, and
 * nothing is shown that the container doesn't show.
 *
 * It is put back by `close`, by the end of this process through `process.exit`, an exception or nothing left to do, and,
 * where there is a `stty`, by a guard when the process was killed. Node itself puts back what it can at SIGINT and SIGTERM.
 */
import type { ReadStream } from "node:tty";
import { openStdin, type Stdin } from "../stdio/stdin.ts";
import { isTerminal } from "../stdio/tty.ts";
import { TerminalGuard } from "./terminal-guard.ts";

export class UserTerminal {
  readonly #stdin: Stdin;
  readonly #guard: TerminalGuard | undefined;
  readonly #restore = () => this.#setRaw(false);
  /** This process was stopped, and a shell had the terminal in between. */
  readonly #resume = () => {
    this.#setRaw(false);
    this.#setRaw(true);
  };
  #closed = false;

  /** Undefined when standard input is no terminal. */
  static open(): UserTerminal | undefined {
    if (!isTerminal(0)) return undefined;
    const startGuard = TerminalGuard.prepare();
    const stdin = openStdin();
    return stdin === undefined ? undefined : new UserTerminal(stdin, startGuard);
  }

  private constructor(stdin: Stdin, startGuard: (() => TerminalGuard) | undefined) {
    this.#stdin = stdin;
    // Before anything changes: what fails from here on is put right.
    process.on("exit", this.#restore);
    process.on("SIGCONT", this.#resume);
    this.#setRaw(true);
    this.#guard = startGuard?.();
  }

  get keys(): ReadStream {
    return this.#stdin.stream as ReadStream;
  }

  /** When output goes to the terminal as it is. Before, a newline also returns. */
  get ready(): Promise<void> {
    return this.#guard?.ready ?? Promise.resolve();
  }

  /** Puts its settings back and stops reading. Once is enough, more do no harm. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    process.off("exit", this.#restore);
    process.off("SIGCONT", this.#resume);
    this.#setRaw(false);
    this.#guard?.dismiss();
    this.#stdin.close();
  }

  /** One that has hung up has no settings any more. */
  #setRaw(raw: boolean): void {
    const ignore = () => {};
    this.keys.on("error", ignore);
    this.keys.setRawMode(raw);
    // What went wrong is told before the next turn.
    setImmediate(() => this.keys.off("error", ignore)).unref();
  }
}
