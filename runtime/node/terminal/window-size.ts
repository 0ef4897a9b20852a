/** How large the terminal of this process is, and when that changes. */
import { constants } from "node:fs";
import type { TerminalSize } from "../../core/terminal/control-block.ts";
import { openAnew } from "../stdio/descriptor.ts";
import { isTerminal, openTerminalWriter } from "../stdio/tty.ts";

const STANDARD_DESCRIPTORS = [0, 1, 2] as const;

/**
 * Of the first standard descriptor that is a terminal.
 *
 * @returns undefined where there is none, or where it doesn't say
 */
export function windowSize(): TerminalSize | undefined {
  const fd = STANDARD_DESCRIPTORS.find((candidate) => isTerminal(candidate));
  if (fd === undefined) return undefined;
  // Of its own and of now: a stream of Node's looks once. The standard ones look again at each signal.
  const own = openAnew(fd, constants.O_RDWR);
  const stream =
    own === undefined
      ? [process.stdout, process.stderr].find((candidate) => candidate.isTTY)
      : openTerminalWriter(own);
  if (stream === undefined) return undefined;
  // Undefined when the terminal doesn't answer, whatever the types say.
  const [columns = 0, rows = 0] = stream.getWindowSize();
  if (own !== undefined) stream.destroy();
  // A serial line and a terminal that nobody set up say 0.
  return columns > 0 && rows > 0 ? { columns, rows } : undefined;
}

/** @returns ends it */
export function watchWindowSize(changed: (size: TerminalSize) => void): () => void {
  const listener = () => {
    const size = windowSize();
    if (size !== undefined) changed(size);
  };
  process.on("SIGWINCH", listener);
  return () => process.off("SIGWINCH", listener);
}
