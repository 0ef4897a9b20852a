/** Streams that never block: bytes that are there already, and the sink that takes everything. */
import type { ByteSink, ByteSource } from "./stream.ts";

/** Input that is known in advance. Without bytes it is `/dev/null`. */
export class BufferSource implements ByteSource {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#rest = bytes;
  }

  read(target: Uint8Array): number {
    const count = Math.min(target.length, this.#rest.length);
    target.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  available(): number {
    return this.#rest.length;
  }

  ended(): boolean {
    return this.#rest.length === 0;
  }
}

export const NULL_SINK: ByteSink = {
  write: (source) => source.length,
  tryWrite: (source) => source.length,
  writable: () => true,
};
