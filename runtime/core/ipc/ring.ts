/**
 * A stream of bytes between two threads: one writes, one reads, in shared memory, without locks.
 *
 * Layout of the buffer, in `Int32` slots, then the bytes:
 *
 * | slot | what | written by |
 * |---|---|---|
 * | 0 | written: bytes ever written, wraps at 2^32 | writer |
 * | 1 | read: bytes ever read, wraps at 2^32 | reader |
 * | 2 | state: bit 0 the writer is done, bit 1 the reader has gone | both |
 * | 3 | bell of the end that has an event loop | the other end |
 *
 * The capacity is a power of two, so that positions stay right when the counters wrap. The guest's end waits on a
 * bell that it shares with all its rings, so that one thread can wait for several. Either end may be gone at any
 * instant (a worker is ended anywhere): nothing here is ever held.
 */
import { Bell } from "./bell.ts";

const WRITTEN = 0;
const READ = 1;
const STATE = 2;
const HOST_BELL_OFFSET_BYTES = 12;
const HEADER_BYTES = 16;
const WRITER_DONE = 1;
const READER_GONE = 2;

export class Ring {
  readonly buffer: SharedArrayBuffer;
  /** Rung for the end in the worker of the guest. */
  readonly guestBell: Bell;
  /** Rung for the end in the engine's thread. */
  readonly hostBell: Bell;
  readonly #slots: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #mask: number;

  /** @param capacityBytes a power of two */
  static create(capacityBytes: number, guestBell: Bell): Ring {
    return new Ring(new SharedArrayBuffer(HEADER_BYTES + capacityBytes), guestBell);
  }

  constructor(buffer: SharedArrayBuffer, guestBell: Bell) {
    this.buffer = buffer;
    this.guestBell = guestBell;
    this.hostBell = new Bell(buffer, HOST_BELL_OFFSET_BYTES);
    this.#slots = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.#bytes = new Uint8Array(buffer, HEADER_BYTES);
    this.#mask = this.#bytes.length - 1;
  }

  get capacityBytes(): number {
    return this.#bytes.length;
  }

  /** Bytes that wait to be read. */
  available(): number {
    return (Atomics.load(this.#slots, WRITTEN) - Atomics.load(this.#slots, READ)) >>> 0;
  }

  free(): number {
    return this.#bytes.length - this.available();
  }

  /** The writer is done: what is available is the rest. */
  get ended(): boolean {
    return (Atomics.load(this.#slots, STATE) & WRITER_DONE) !== 0;
  }

  /** The reader has gone: what would be written now is lost (EPIPE). */
  get broken(): boolean {
    return (Atomics.load(this.#slots, STATE) & READER_GONE) !== 0;
  }

  /** Copies as much as fits. Answers how much that was; ring the reader's bell afterwards. */
  write(source: Uint8Array): number {
    const count = Math.min(source.length, this.free());
    const written = Atomics.load(this.#slots, WRITTEN);
    const start = written & this.#mask;
    const first = Math.min(count, this.#bytes.length - start);
    this.#bytes.set(source.subarray(0, first), start);
    if (first < count) this.#bytes.set(source.subarray(first, count), 0);
    Atomics.store(this.#slots, WRITTEN, (written + count) | 0);
    return count;
  }

  /** Copies what is there, at most the target's length; ring the writer's bell afterwards. */
  read(target: Uint8Array): number {
    let count = 0;
    while (count < target.length) {
      const piece = this.readable();
      if (piece.length === 0) break;
      const taken = Math.min(piece.length, target.length - count);
      target.set(taken === piece.length ? piece : piece.subarray(0, taken), count);
      this.consume(taken);
      count += taken;
    }
    return count;
  }

  /** The longest piece that can be read in place. Valid until `consume`. */
  readable(): Uint8Array<SharedArrayBuffer> {
    const start = Atomics.load(this.#slots, READ) & this.#mask;
    return this.#bytes.subarray(start, Math.min(start + this.available(), this.#bytes.length));
  }

  consume(count: number): void {
    Atomics.store(this.#slots, READ, (Atomics.load(this.#slots, READ) + count) | 0);
  }

  /** The writer's last word; ring the reader's bell afterwards. */
  end(): void {
    Atomics.or(this.#slots, STATE, WRITER_DONE);
  }

  /** The reader's last word; ring the writer's bell afterwards. */
  abandon(): void {
    Atomics.or(this.#slots, STATE, READER_GONE);
  }
}
