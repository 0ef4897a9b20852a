/**
 * Writes to a stream of the caller's, which stays the caller's, and open. Several may write to one: it gets one listener
 * for all of them.
 */
import type { Writable } from "node:stream";

interface Shared {
  writerCount: number;
  /** What waits for a write. */
  readonly waiting: Set<(error: Error) => void>;
  readonly onError: () => void;
  readonly onClose: () => void;
}

const sharedByStream = new WeakMap<Writable, Shared>();

export class StreamWriter {
  readonly #stream: Writable;
  readonly #shared: Shared;

  /**
   * While there is a writer, an error of the stream is told to whoever writes; the event, which ends the process when
   * nobody listens, is heard.
   */
  constructor(stream: Writable) {
    this.#stream = stream;
    this.#shared = sharedByStream.get(stream) ?? listen(stream);
    this.#shared.writerCount++;
  }

  /** Waits until the stream has passed it on. Rejects when it broke, or was closed: also in the middle of a write. */
  write(bytes: Uint8Array): Promise<void> {
    const stream = this.#stream;
    const { waiting } = this.#shared;
    return new Promise((resolve, reject) => {
      if (stream.destroyed || stream.writableEnded) {
        reject(new Error("the stream was closed"));
        return;
      }
      waiting.add(reject);
      stream.write(bytes, (error) => {
        waiting.delete(reject);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Once, when nothing is being written. */
  close(): void {
    // The event of an error comes after the answer to the write.
    setImmediate(() => {
      const shared = this.#shared;
      if (--shared.writerCount > 0) return;
      this.#stream.off("error", shared.onError);
      this.#stream.off("close", shared.onClose);
      sharedByStream.delete(this.#stream);
    });
  }
}

function listen(stream: Writable): Shared {
  const waiting = new Set<(error: Error) => void>();
  const shared: Shared = {
    writerCount: 0,
    waiting,
    onError() {},
    onClose() {
      for (const reject of waiting) reject(new Error("the stream was closed"));
      waiting.clear();
    },
  };
  stream.on("error", shared.onError);
  stream.on("close", shared.onClose);
  sharedByStream.set(stream, shared);
  return shared;
}
