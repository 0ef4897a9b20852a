/**
 * Writes of a guest's thread straight to a descriptor of this process: no crossing, as fast as `cat`.
 *
 * A pipe or terminal is written through a descriptor of our own that doesn't block: a thread that sleeps in write(2)
 * can't be ended, neither by `terminate()` nor by `process.exit`, and the flag on the shared one would reach other
 * processes. Where the pipe is full we sleep on a futex, which can be ended.
 */
import { writeSync } from "node:fs";
import { Errno } from "../../../shim/abi/errno.ts";
import type { Bell } from "../../core/ipc/bell.ts";
import type { ByteSink } from "../../core/kernel/stream.ts";

/** Nothing tells when a pipe has room again; so the wait starts short and doubles. */
const WAIT_MS_FIRST = 0.05;
const WAIT_MS_MAX = 4;

export class DirectSink implements ByteSink {
  readonly #fd: number;
  readonly #bell: Bell;

  constructor(fd: number, bell: Bell) {
    this.#fd = fd;
    this.#bell = bell;
  }

  write(source: Uint8Array): number {
    let sentBytes = 0;
    let waitMs = WAIT_MS_FIRST;
    while (sentBytes < source.length) {
      const count = this.tryWrite(sentBytes === 0 ? source : source.subarray(sentBytes));
      if (count === -Errno.EAGAIN) {
        this.#bell.wait(this.#bell.now(), waitMs);
        waitMs = Math.min(waitMs * 2, WAIT_MS_MAX);
      } else if (count < 0) {
        return sentBytes > 0 ? sentBytes : count;
      } else {
        sentBytes += count;
        waitMs = WAIT_MS_FIRST;
      }
    }
    return sentBytes;
  }

  tryWrite(source: Uint8Array): number {
    try {
      return writeSync(this.#fd, source);
    } catch (error) {
      return -hostErrno(error);
    }
  }

  /** There is no way to ask without writing; a write then waits, or answers EAGAIN. */
  writable(): boolean {
    return true;
  }
}

function hostErrno(error: unknown): Errno {
  const name = (error as NodeJS.ErrnoException).code;
  const known = name !== undefined && name in Errno ? Errno[name as keyof typeof Errno] : undefined;
  return known ?? Errno.EIO;
}
