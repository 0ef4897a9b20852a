/**
 * A process that outlives this one: it puts the settings of the terminal back when this one was killed, and could not.
 *
 * A shell with `stty` in a session of its own, which waits for the end of a pipe: a millisecond of this thread, and 1 MB.
 * Settings that somebody else has changed since (a shell that saw its job die does) are left alone. It also ends the
 * processing of output, which Node's raw mode leaves on.
 */
import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";

const SHELL = "/bin/sh";
/**
 * $1 is what `stty -g` said before; descriptor 3 is the pipe. It may come to its first line when all is over already:
 * nothing on the pipe stops it, and it also puts back what it changed that late.
 */
const SCRIPT = `
trap '' PIPE
stty -opost; ours=$(stty -g); echo >&3
read -r word <&3
[ "$(stty -g)" = "$ours" ] && stty "$1"
`;

export class TerminalGuard {
  readonly #pipe: Duplex;
  /** When output is no longer processed, or the guard has failed. */
  readonly ready: Promise<void>;

  /**
   * Call it before the terminal is changed, and what it answers afterwards.
   *
   * @returns undefined where there is no `stty` that understands the terminal on descriptor 0
   */
  static prepare(): (() => TerminalGuard) | undefined {
    // Where this process may start none, the one that started it puts the terminal back.
    if (process.platform === "win32" || process.permission?.has("child") === false) return undefined;
    // Not an import: most runs have no terminal, and it takes milliseconds.
    const { spawn, spawnSync } = process.getBuiltinModule("node:child_process");
    const { status, stdout } = spawnSync("stty", ["-g"], { stdio: [0, "pipe", "ignore"], encoding: "utf8" });
    if (status !== 0) return undefined;
    return () => {
      const child = spawn(SHELL, ["-c", SCRIPT, "wpod-terminal", stdout.trim()], {
        // A signal to the group of this process is not for it, nor is it stopped when it isn't in the foreground.
        detached: true,
        stdio: [0, "ignore", "ignore", "pipe"],
      });
      return new TerminalGuard(child);
    };
  }

  constructor(child: ChildProcess) {
    const pipe = child.stdio[3] as Duplex & { unref(): void };
    this.#pipe = pipe;
    this.ready = new Promise((resolve) => {
      pipe.once("data", () => resolve());
      pipe.once("close", resolve);
      child.once("error", () => resolve());
    });
    pipe.on("error", () => {});
    child.unref();
    void this.ready.then(() => pipe.unref());
  }

  /** The terminal is as it was: it need not wait for the end of this process. */
  dismiss(): void {
    this.#pipe.end();
  }
}
