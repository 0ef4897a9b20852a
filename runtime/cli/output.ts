/**
 * The streams of this process, written by descriptor: `process.stdout` costs milliseconds at the start, and makes a pipe
 * non-blocking that a guest may be writing to.
 */
import { writeSync } from "node:fs";
import type { Output } from "./context.ts";

/** 128 + SIGPIPE. */
const EXIT_BROKEN_PIPE = 141;
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
      } else if (code === "EPIPE" && fd === 1) {
        // Nobody reads any more, as in `wpod logs -f c | head -1`: end as a program does that SIGPIPE ends.
        process.exit(EXIT_BROKEN_PIPE);
      } else if (code === "EPIPE" || code === "EBADF") {
        // There is nobody to tell, and the exit status still says how it went.
        return;
      } else {
        throw error;
      }
    }
  }
}
