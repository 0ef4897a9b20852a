/**
 * A stream of a program whose output is in a log too. A log takes so many bytes a second: who prints more waits for it, or, where the
 * log drops, isn't waited for, and what is too much isn't in the log.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import type { LogStream } from "../log/cri.ts";
import type { IoPage } from "../quota/io-page.ts";
import type { PacedWait } from "./paced-wait.ts";
import type { ByteSink } from "./stream.ts";

/** Of one container. */
export interface Log {
  /** @returns bytes that it takes of the file */
  append(stream: LogStream, text: Uint8Array): number;
}

/** How fast it may be written. */
export interface LogPace {
  readonly page: IoPage;
  readonly wait: PacedWait;
  readonly drops: boolean;
}

export class LoggedSink implements ByteSink {
  readonly #sink: ByteSink;
  readonly #log: Log;
  readonly #stream: LogStream;
  readonly #pace: LogPace;

  constructor(sink: ByteSink, log: Log, stream: LogStream, pace: LogPace) {
    this.#sink = sink;
    this.#log = log;
    this.#stream = stream;
    this.#pace = pace;
  }

  write(source: Uint8Array): number {
    const count = this.#sink.write(source);
    if (count > 0) this.#pace.wait.pay((nowNs) => this.#note(source.subarray(0, count), nowNs));
    return count;
  }

  tryWrite(source: Uint8Array): number {
    const nowNs = this.#pace.wait.now();
    if (!this.#pace.drops && this.#pace.page.logOwedNs(nowNs) > 0n) return -Errno.EAGAIN;
    const count = this.#sink.tryWrite(source);
    if (count > 0) this.#note(source.subarray(0, count), nowNs);
    return count;
  }

  /** @returns how long who wrote it waits */
  #note(text: Uint8Array, nowNs: bigint): bigint {
    const { page, drops } = this.#pace;
    if (drops && page.logOwedNs(nowNs) > 0n) {
      page.noteDropped(text.length);
      return 0n;
    }
    const waitNs = page.chargeLog(this.#log.append(this.#stream, text), nowNs);
    return drops ? 0n : waitNs;
  }

  /** Nobody rings when the log can take more: a write then waits for it, or answers EAGAIN. */
  writable(): boolean {
    return this.#sink.writable();
  }
}
