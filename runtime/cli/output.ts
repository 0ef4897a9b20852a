/**
 * The streams of this process, written by descriptor: `process.stdout` costs milliseconds at the start, and makes a pipe
 * non-blocking that a guest may be writing to.
 */
import { writeSync } from "node:fs";
import type { Output } from "./context.ts";

/** How long to wait for a reader whose pipe is full. */
const RETRY_MS = 5;

export const OUTPUT: Output = {
  out: (text) => writeAll(1, text),
  error: (text) => writeAll(2, text),
};

function writeAll(fd: number, text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      } else if (code === "EPIPE") {
        // Nobody reads any more: `wpod ps | head -1`.
        process.exit(0);
      } else if (code === "EBADF") {
        return;
      } else {
        throw error;
      }
    }
  }
}
