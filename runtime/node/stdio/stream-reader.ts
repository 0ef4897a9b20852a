/**
 * The chunks of a stream, one at a time, by somebody who may go before its end: the stream is then as it was, open, with
 * what nobody asked for still in it. The stream's own iterator either closes it, or keeps waiting for one chunk more.
 */
import type { Readable } from "node:stream";

const EVENTS = ["readable", "end", "close"] as const;

export class StreamReader implements AsyncIterator<Uint8Array | string, undefined> {
  readonly #stream: Readable;
  readonly #look = () => this.#changed.resolve();
  readonly #fail = () => {
    this.#done = true;
    this.#changed.resolve();
  };
  #changed = Promise.withResolvers<void>();
  #done = false;

  /** A stream that breaks ends: its error is heard here as long as it is read. */
  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on("error", this.#fail);
    for (const event of EVENTS) stream.on(event, this.#look);
  }

  async next(): Promise<IteratorResult<Uint8Array | string, undefined>> {
    const stream = this.#stream;
    while (!this.#done) {
      this.#changed = Promise.withResolvers();
      const chunk: Uint8Array | string | null = stream.destroyed ? null : stream.read();
      if (chunk !== null) return { done: false, value: chunk };
      if (stream.readableEnded || stream.destroyed) break;
      await this.#changed.promise;
    }
    return this.return();
  }

  /** Lets go of the stream; a `next` that waits is answered with the end. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#done = true;
    this.#changed.resolve();
    for (const event of EVENTS) this.#stream.off(event, this.#look);
    // One that is being closed may still tell why, to nobody else.
    if (!this.#stream.destroyed) this.#stream.off("error", this.#fail);
    return { done: true, value: undefined };
  }
}
