/** How large the terminal of this process is, and when that changes. */
import { constants } from "node:fs";
import { isatty, WriteStream } from "node:tty";
import type { TerminalSize } from "../../core/terminal/control-block.ts";
import { openAnew } from "../stdio/descriptor.ts";

const STANDARD_DESCRIPTORS = [0, 1, 2] as const;

/** The first one of the standard descriptors that is a terminal. */
export class WindowSize {
  readonly #stream: WriteStream;
  readonly #owned: boolean;
  #listener: (() => void) | undefined;

  /** Undefined where this process has no terminal. */
  static open(): WindowSize | undefined {
    const fd = STANDARD_DESCRIPTORS.find((candidate) => isatty(candidate));
    if (fd === undefined) return undefined;
    // A stream of our own: making one of a standard descriptor would change it for others, and closing it close it.
    const own = openAnew(fd, constants.O_RDWR);
    if (own !== undefined) return new WindowSize(new WriteStream(own), true);
    const stream = [process.stdout, process.stderr].find((candidate) => candidate.isTTY);
    return stream === undefined ? undefined : new WindowSize(stream, false);
  }

  constructor(stream: WriteStream, owned: boolean) {
    this.#stream = stream;
    this.#owned = owned;
  }

  /** As the terminal says it; 0 is unknown. */
  now(): TerminalSize {
    const [columns, rows] = this.#stream.getWindowSize();
    return { columns, rows };
  }

  /** Tells of every change until `close`. */
  watch(changed: (size: TerminalSize) => void): void {
    this.#listener = () => changed(this.now());
    process.on("SIGWINCH", this.#listener);
  }

  close(): void {
    if (this.#listener !== undefined) process.off("SIGWINCH", this.#listener);
    this.#listener = undefined;
    if (this.#owned) this.#stream.destroy();
  }
}
