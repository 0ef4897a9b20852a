/** Where the numbers of a client's open files come from. */

export interface HandleSource {
  /** A number that names nothing here yet. */
  take(): number;
  /** It names nothing any more. */
  give(handle: number): void;
}

/** Of a client that has its files for itself. */
export class OwnHandles implements HandleSource {
  readonly #free: number[] = [];
  #next = 0;

  take(): number {
    return this.#free.pop() ?? this.#next++;
  }
  give(handle: number): void {
    this.#free.push(handle);
  }
}

const HANDLE_MASK = 0x7fff_ffff;

/**
 * Of the threads of one program: none is given out again before 2^31 others were, since another thread may still have it in
 * hand. What is in use even then is refused by the kernel.
 */
export class SharedHandles implements HandleSource {
  readonly #next: Int32Array<SharedArrayBuffer>;

  /** @param firstFree handles below it stand for what the program finds open */
  static createBuffer(firstFree: number): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(4);
    new Int32Array(buffer)[0] = firstFree;
    return buffer;
  }

  constructor(buffer: SharedArrayBuffer) {
    this.#next = new Int32Array(buffer);
  }

  take(): number {
    return Atomics.add(this.#next, 0, 1) & HANDLE_MASK;
  }
  give(): void {}
}
