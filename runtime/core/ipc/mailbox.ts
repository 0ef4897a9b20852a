/**
 * One client's calls to a kernel in another thread: a request and its answer, in shared memory. One call at a time.
 *
 * Layout, in bytes:
 *
 * | offset | type | what | written by |
 * |---|---|---|---|
 * | 0 | i32 | state: 0 idle, 1 asked, 2 answered; the client waits on it | both |
 * | 4 | i32 | which call (`protocol.ts`) | client |
 * | 8 | i32 | the answer: a count or 0, or a negative errno | kernel |
 * | 12–64 | i32 × 13 | small numbers of the call, then of the answer | both |
 * | 64–192 | f64 × 16 | sizes, positions, attributes | both |
 * | 192–256 | i64 × 8 | times | both |
 * | 256 | bytes | paths and content | both |
 * | behind them | | posted calls, where there is room for some: see `post-ring.ts` | both |
 *
 * Both ends may be ended at any instant. The kernel trusts nothing that it reads here.
 */
import { WpodError } from "../error.ts";
import type { Gate } from "./gate.ts";
import { POST_RING_BYTES, POST_RING_HEADER_BYTES, PostRing } from "./post-ring.ts";
import { threadWaits } from "./thread-waits.ts";

const STATE = 0;
const OPERATION = 1;
const RESULT = 2;
const NUMBERS = 3;
const NUMBER_COUNT = 13;
const REALS_OFFSET_BYTES = 64;
const REAL_COUNT = 16;
const LONGS_OFFSET_BYTES = 192;
const LONG_COUNT = 8;
const DATA_OFFSET_BYTES = 256;

/** Content of one call, besides its paths. */
export const TRANSFER_BYTES_MAX = 128 * 1024;
/** Two paths, or a path and the target of a link. */
const PATHS_BYTES_MAX = 2 * 4096;

const POSTS_OFFSET_BYTES = DATA_OFFSET_BYTES + TRANSFER_BYTES_MAX + PATHS_BYTES_MAX;

/** What one costs, and one without room for posted calls. */
export const MAILBOX_BYTES = POSTS_OFFSET_BYTES + POST_RING_BYTES;
export const CALLS_ONLY_MAILBOX_BYTES = POSTS_OFFSET_BYTES + POST_RING_HEADER_BYTES;

const State = { idle: 0, asked: 1, answered: 2 } as const;

export class Mailbox {
  readonly buffer: SharedArrayBuffer;
  readonly #header: Int32Array<SharedArrayBuffer>;
  readonly numbers: Int32Array<SharedArrayBuffer>;
  readonly reals: Float64Array<SharedArrayBuffer>;
  readonly longs: BigInt64Array<SharedArrayBuffer>;
  readonly data: Uint8Array<SharedArrayBuffer>;
  readonly posts: PostRing;

  /** @param sizeBytes one of the two above */
  static create(sizeBytes = MAILBOX_BYTES): Mailbox {
    return new Mailbox(new SharedArrayBuffer(sizeBytes));
  }

  readonly #patienceMs: number;
  #isLost = false;

  /** @param patienceMs how long a call waits for its answer: of a thread that nobody can end */
  constructor(buffer: SharedArrayBuffer, patienceMs = Infinity) {
    this.buffer = buffer;
    this.#patienceMs = patienceMs;
    this.#header = new Int32Array(buffer, 0, NUMBERS);
    this.numbers = new Int32Array(buffer, NUMBERS * 4, NUMBER_COUNT);
    this.reals = new Float64Array(buffer, REALS_OFFSET_BYTES, REAL_COUNT);
    this.longs = new BigInt64Array(buffer, LONGS_OFFSET_BYTES, LONG_COUNT);
    this.data = new Uint8Array(buffer, DATA_OFFSET_BYTES, POSTS_OFFSET_BYTES - DATA_OFFSET_BYTES);
    this.posts = new PostRing(buffer, POSTS_OFFSET_BYTES);
  }

  /**
   * Client's end: asks, and blocks until the answer is there.
   *
   * @throws WpodError KERNEL_LOST when its patience is at an end: for good, since the answer may still come
   */
  call(operation: number, gate: Gate, client: number): number {
    const header = this.#header;
    if (this.#isLost) throw lost();
    header[OPERATION] = operation;
    Atomics.store(header, STATE, State.asked);
    gate.knock(client);
    while (Atomics.load(header, STATE) === State.asked) {
      if (threadWaits.wait(header, STATE, State.asked, this.#patienceMs) !== "timed-out") continue;
      this.#isLost = true;
      throw lost();
    }
    return header[RESULT]!;
  }

  /** Kernel's end: which call waits for an answer; undefined when none does. */
  asked(): number | undefined {
    return Atomics.load(this.#header, STATE) === State.asked ? this.#header[OPERATION]! : undefined;
  }

  /** Kernel's end. */
  answer(result: number): void {
    this.#header[RESULT] = result;
    Atomics.store(this.#header, STATE, State.answered);
    Atomics.notify(this.#header, STATE);
  }
}

function lost(): WpodError {
  return new WpodError("KERNEL_LOST", "the kernel, which has the container's files, doesn't answer");
}
