/**
 * The door of a kernel: one futex for its thread, and a bit for each client that has something for it.
 *
 * Layout, in `Int32` slots:
 *
 * | slot | what | written by |
 * |---|---|---|
 * | 0 | bell: counts rings, wraps | clients, the engine's thread |
 * | 1 | 1 while the kernel's thread sleeps, or is about to | kernel |
 * | 2… | one bit for each client: it has posted or asked | clients set, the kernel takes |
 *
 * A client that is ended between its bit and its ring has done nothing yet; one that is ended after that is served, and
 * nobody reads the answer.
 */

const BELL = 0;
const SLEEPING = 1;
const BITS = 2;
const BITS_PER_SLOT = 32;

export class Gate {
  readonly buffer: SharedArrayBuffer;
  readonly #slots: Int32Array<SharedArrayBuffer>;

  /** @param clientsMax clients have the numbers from 0 to this, less one */
  static create(clientsMax: number): Gate {
    return new Gate(new SharedArrayBuffer((BITS + Math.ceil(clientsMax / BITS_PER_SLOT)) * 4));
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#slots = new Int32Array(buffer);
  }

  get clientsMax(): number {
    return (this.#slots.length - BITS) * BITS_PER_SLOT;
  }

  /** Client's end: there is something of this client. */
  knock(client: number): void {
    Atomics.or(this.#slots, BITS + (client >>> 5), 1 << (client & 31));
    this.ring();
  }

  /** There is something that no bit stands for. */
  ring(): void {
    Atomics.add(this.#slots, BELL, 1);
    if (Atomics.load(this.#slots, SLEEPING) !== 0) Atomics.notify(this.#slots, BELL);
  }

  /** Kernel's end: takes the bits of 32 clients, from client `32 × index` on. */
  take(index: number): number {
    return Atomics.load(this.#slots, BITS + index) === 0 ? 0 : Atomics.exchange(this.#slots, BITS + index, 0);
  }

  get slotCount(): number {
    return this.#slots.length - BITS;
  }

  /** Kernel's end, before it looks at what there is to do. */
  now(): number {
    return Atomics.load(this.#slots, BELL);
  }

  /** Kernel's end: sleeps unless the bell was rung since `seen`. False when nobody rang in that time. */
  sleep(seen: number, timeoutMs: number): boolean {
    Atomics.store(this.#slots, SLEEPING, 1);
    const isRung = Atomics.wait(this.#slots, BELL, seen, timeoutMs) !== "timed-out";
    Atomics.store(this.#slots, SLEEPING, 0);
    return isRung;
  }
}
