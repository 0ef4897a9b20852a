/** Standard input of this process, for a guest that may leave it at any time: the descriptor stays open, and as it was. */
import { constants, createReadStream } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { descriptorKind, openAnew } from "./descriptor.ts";
import { isTerminal, openTerminalReader } from "./tty.ts";

const PIPE_CHUNK_BYTES = 64 * 1024;
const FILE_CHUNK_BYTES = 1 << 20;

export interface Stdin {
  stream: Readable;
  /** Nobody reads any more. */
  close(): void;
}

/** Undefined where there is none: reads are the end. */
export function openStdin(): Stdin | undefined {
  const kind = descriptorKind(0);
  if (kind === "missing") return undefined;
  const terminal = kind === "device" && isTerminal(0);
  // Files and devices such as /dev/null and /dev/zero never make a reader wait.
  if (kind === "file" || (kind === "device" && !terminal)) {
    return owned(createReadStream("", { fd: 0, autoClose: false, highWaterMark: FILE_CHUNK_BYTES }));
  }
  // A description of our own, so that O_NONBLOCK doesn't reach the processes that share this one.
  const fd = kind === "socket" ? undefined : openAnew(0, constants.O_RDONLY);
  if (fd === undefined) {
    // Only one stream of a process can wait for a descriptor, and closing it would close standard input for good.
    const { stdin } = process;
    return { stream: stdin, close: () => stdin.pause() };
  }
  return owned(
    terminal
      ? openTerminalReader(fd)
      : new Socket({ fd, readable: true, writable: false, highWaterMark: PIPE_CHUNK_BYTES } as object),
  );
}

function owned(stream: Readable): Stdin {
  return { stream, close: () => stream.destroy() };
}
