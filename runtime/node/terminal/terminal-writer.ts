/**
 * Writes to a terminal of this process without ever sleeping in the kernel: one that is stopped, or that nobody reads,
 * must not stop this thread too.
 */
import { closeSync, constants } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Errno } from "../../../shim/abi/errno.ts";
import { Bell } from "../../core/ipc/bell.ts";
import { openAnew } from "../stdio/descriptor.ts";
import { DirectSink } from "../stdio/direct-sink.ts";

/** Nothing tells when there is room again; so the wait starts short and doubles. */
const WAIT_MS_FIRST = 1;
const WAIT_MS_MAX = 32;

export class TerminalWriter {
  readonly #fd: number;
  readonly #sink: DirectSink;
  #closed = false;

  /** Undefined where a descriptor can't be opened anew. */
  static open(fd: number): TerminalWriter | undefined {
    const own = openAnew(fd, constants.O_WRONLY);
    return own === undefined ? undefined : new TerminalWriter(own);
  }

  private constructor(fd: number) {
    this.#fd = fd;
    this.#sink = new DirectSink(fd, new Bell());
  }

  /** Waits until the terminal has taken all. One at a time. Rejects when it has gone, or was closed in the middle. */
  async write(bytes: Uint8Array): Promise<void> {
    let sentBytes = 0;
    let waitMs = WAIT_MS_FIRST;
    while (sentBytes < bytes.length) {
      if (this.#closed) throw new Error("the terminal was closed");
      const count = this.#sink.tryWrite(bytes.subarray(sentBytes));
      if (count >= 0) {
        sentBytes += count;
        waitMs = WAIT_MS_FIRST;
      } else if (count === -Errno.EAGAIN) {
        await sleep(waitMs);
        waitMs = Math.min(waitMs * 2, WAIT_MS_MAX);
      } else {
        throw new Error(`the terminal answers error ${-count}`);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }
}
