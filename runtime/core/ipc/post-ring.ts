/**
 * Calls of a client that need no answer, in the order in which it made them; and the word that says how long what the client
 * knows holds good.
 *
 * Layout, behind the place where it begins:
 *
 * | offset | type | what | written by |
 * |---|---|---|---|
 * | 0 | i32 | the view: its number (20 bits), and how far calls are posted, in units (12 bits) | both, by exchange |
 * | 4 | i32 | how far they are done, in units | kernel |
 * | 8 | i32 | 1: the client waits for room | client sets, kernel clears |
 * | 128 | bytes | 4096 units of 128 bytes; none of a client that posts nothing | client |
 *
 * A call is posted by one exchange of the view: so it is posted only while what the client took for granted is so. Whoever
 * is about to change that has the kernel give the view another number, and then do all that was posted: nothing comes to it
 * under the old one any more. A client that is ended anywhere has posted a call whole, or not at all.
 */

import { takeText } from "./text.ts";
import { threadWaits } from "./thread-waits.ts";

const UNIT_BYTES = 128;
const UNIT_COUNT = 4096;
const UNIT_MASK = UNIT_COUNT - 1;
const VIEW_SHIFT = 12;
export const POST_RING_HEADER_BYTES = 128;
const VIEW = 0;
const DONE = 1;
const WAITING = 2;
/** Numbers and one position, before the bytes of a call. */
const RECORD_HEADER_BYTES = 40;
const REAL_OFFSET_BYTES = 32;
/** From here on the kernel should begin, while the client goes on. */
const KNOCK_UNITS = UNIT_COUNT / 4;
/** What stands at the end of the units when a call doesn't fit there. */
const SKIP = -1;

export const POST_RING_BYTES = POST_RING_HEADER_BYTES + UNIT_COUNT * UNIT_BYTES;
/** Of one call: a quarter of what there is, so that the client writes one while the kernel reads another. */
export const POST_BYTES_MAX = (UNIT_COUNT / 4) * UNIT_BYTES - RECORD_HEADER_BYTES;

/** One call, as the kernel reads it: only while it is done. */
export interface Posted {
  /** Those that were posted, by their place. */
  number(index: number): number;
  readonly real: number;
  readonly sizeBytes: number;
  bytes(): Uint8Array;
  text(): string;
}

export class PostRing implements Posted {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #numbers: Int32Array<SharedArrayBuffer>;
  readonly #view: DataView<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  /** Kernel's end: how far calls are done; nobody else can say. */
  #done = 0;
  /** Client's end: where the next call begins, and how many units it skips. */
  #at = 0;
  #skipped = 0;

  constructor(buffer: SharedArrayBuffer, offsetBytes: number) {
    const start = offsetBytes + POST_RING_HEADER_BYTES;
    this.#words = new Int32Array(buffer, offsetBytes, 3);
    this.#numbers = new Int32Array(buffer, start);
    this.#view = new DataView(buffer, start);
    this.#bytes = new Uint8Array(buffer, start);
  }

  /** The number of the client's view: what it learned under another one doesn't hold. */
  get view(): number {
    return Atomics.load(this.#words, VIEW) >>> VIEW_SHIFT;
  }

  /** Kernel's end: calls are posted that are not done yet. */
  get isBehind(): boolean {
    return ((Atomics.load(this.#words, VIEW) ^ this.#done) & UNIT_MASK) !== 0;
  }

  /**
   * Client's end: a place for a call with so many bytes. Undefined when the kernel is behind.
   * @returns where its bytes go
   */
  begin(sizeBytes: number): Uint8Array<SharedArrayBuffer> | undefined {
    const units = unitsOf(sizeBytes);
    const tail = Atomics.load(this.#words, VIEW) & UNIT_MASK;
    const free = (Atomics.load(this.#words, DONE) - tail - 1) & UNIT_MASK;
    const toEnd = UNIT_COUNT - tail;
    this.#skipped = units > toEnd ? toEnd : 0;
    if (units + this.#skipped > free) return undefined;
    if (this.#skipped > 0) this.#numbers[(tail * UNIT_BYTES) / 4] = SKIP;
    this.#at = this.#skipped > 0 ? 0 : tail;
    const from = this.#at * UNIT_BYTES + RECORD_HEADER_BYTES;
    return this.#bytes.subarray(from, from + sizeBytes);
  }

  /**
   * Client's end: the call that was begun is posted, if the view is still this one. The numbers come first, 6 of them.
   * @param view undefined: whatever it is
   */
  commit(
    view: number | undefined,
    sizeBytes: number,
    real: number,
    a: number,
    b: number,
    c: number,
    d: number,
    e: number,
    f: number,
  ): boolean {
    const numbers = this.#numbers;
    const at = (this.#at * UNIT_BYTES) / 4;
    numbers[at] = a;
    numbers[at + 1] = sizeBytes;
    numbers[at + 2] = b;
    numbers[at + 3] = c;
    numbers[at + 4] = d;
    numbers[at + 5] = e;
    numbers[at + 6] = f;
    this.#view.setFloat64(this.#at * UNIT_BYTES + REAL_OFFSET_BYTES, real, true);
    const units = unitsOf(sizeBytes) + this.#skipped;
    for (;;) {
      const word = Atomics.load(this.#words, VIEW);
      if (view !== undefined && word >>> VIEW_SHIFT !== view) return false;
      const next = (word & ~UNIT_MASK) | ((word + units) & UNIT_MASK);
      if (Atomics.compareExchange(this.#words, VIEW, word, next) === word) return true;
    }
  }

  /** Client's end: blocks until the kernel has done half of what there is. @param knock has it look */
  awaitRoom(knock: () => void): void {
    Atomics.store(this.#words, WAITING, 1);
    knock();
    while (Atomics.load(this.#words, WAITING) === 1) threadWaits.wait(this.#words, WAITING, 1);
  }

  /** Kernel's end: who waits for room has it. */
  wake(): void {
    if (Atomics.load(this.#words, WAITING) === 0) return;
    Atomics.store(this.#words, WAITING, 0);
    Atomics.notify(this.#words, WAITING);
  }

  /** Client's end: so much waits that the kernel should be woken. */
  get shouldKnock(): boolean {
    const waiting = Atomics.load(this.#words, VIEW) - Atomics.load(this.#words, DONE);
    return (waiting & UNIT_MASK) >= KNOCK_UNITS;
  }

  /** Kernel's end: does what is posted now, each call once. */
  drain(perform: (call: Posted) => void): void {
    const tail = Atomics.load(this.#words, VIEW) & UNIT_MASK;
    while (this.#done !== tail) {
      const done = this.#done;
      const at = (done * UNIT_BYTES) / 4;
      if (this.#numbers[at] === SKIP && done > tail) {
        this.#finish(0);
        continue;
      }
      // What a client wrote there is not to be trusted: it stays in the ring.
      const size = this.#numbers[at + 1]!;
      const end = done < tail ? tail : UNIT_COUNT;
      const isWhole = size >= 0 && done + unitsOf(size) <= end;
      if (!isWhole) {
        this.#finish(tail);
        return;
      }
      this.sizeBytes = size;
      perform(this);
      this.#finish((done + unitsOf(size)) & UNIT_MASK);
      if (((tail - this.#done) & UNIT_MASK) < UNIT_COUNT / 2) this.wake();
    }
    this.wake();
  }

  // The call that is done now.
  sizeBytes = 0;

  number(index: number): number {
    const at = (this.#done * UNIT_BYTES) / 4;
    return this.#numbers[index === 0 ? at : at + 1 + index]!;
  }
  get real(): number {
    return this.#view.getFloat64(this.#done * UNIT_BYTES + REAL_OFFSET_BYTES, true);
  }
  bytes(): Uint8Array {
    const from = this.#done * UNIT_BYTES + RECORD_HEADER_BYTES;
    return this.#bytes.subarray(from, from + this.sizeBytes);
  }
  text(): string {
    return takeText(this.#bytes, this.#done * UNIT_BYTES + RECORD_HEADER_BYTES, this.sizeBytes);
  }

  #finish(done: number): void {
    this.#done = done;
    Atomics.store(this.#words, DONE, done);
  }

  /** Kernel's end: what the client knows doesn't hold any more; what it has posted before is still to be done. */
  expire(): void {
    for (;;) {
      const word = Atomics.load(this.#words, VIEW);
      if (Atomics.compareExchange(this.#words, VIEW, word, nextView(word)) === word) return;
    }
  }

  /**
   * Kernel's end: the same, and nothing is left to be done of what was posted under the old view. The view ends first: so
   * this ends too, however fast the client goes on posting.
   */
  revoke(perform: (call: Posted) => void): void {
    this.expire();
    this.drain(perform);
  }
}

function nextView(word: number): number {
  return (((word >>> VIEW_SHIFT) + 1) << VIEW_SHIFT) | (word & UNIT_MASK);
}

function unitsOf(sizeBytes: number): number {
  return Math.ceil((RECORD_HEADER_BYTES + sizeBytes) / UNIT_BYTES);
}
