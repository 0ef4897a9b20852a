/**
 * A pipe: two open files, of which one reads what the other writes. It waits for nobody: what would block answers EAGAIN, and
 * whoever waits is told by the queue of its end when it is worth asking again.
 *
 * @see pipe(7)
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { type Failure, Readiness, type Stat } from "../../../shim/abi/system.ts";
import type { FilesMemory } from "../quota/files-memory.ts";
import { SpecialFile } from "./special-file.ts";
import { type Waitable, WaitQueue } from "./wait-queue.ts";

/** What is written and not read yet, as on Linux. */
export const PIPE_BYTES_MAX = 64 * 1024;
/** Up to so many bytes of one write stay together: POSIX's PIPE_BUF, as Linux has it. */
export const PIPE_ATOMIC_BYTES_MAX = 4096;

export interface PipeEnds {
  reader: PipeReader;
  writer: PipeWriter;
}

/** @param content what was written before, and not read yet */
export function openPipe(content: Uint8Array = NOTHING): PipeEnds {
  const pipe = new Pipe();
  const writer = new PipeWriter(pipe);
  pipe.put(content);
  return { reader: new PipeReader(pipe), writer };
}

const NOTHING = new Uint8Array(0);

/** What the two ends share. */
export class Pipe {
  static #lastInode = 0n;
  /** Of both ends, as `fstat` shows it: another one for each pipe of this thread. */
  readonly inode = ++Pipe.#lastInode;
  readonly readers = new WaitQueue();
  readonly writers = new WaitQueue();
  hasReader = false;
  hasWriter = false;
  /** What its buffer is charged to, also before it is there. */
  memory: FilesMemory | undefined = undefined;
  /** Made at the first write, gone when nobody can read it. */
  #bytes = NOTHING;
  #start = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get room(): number {
    return PIPE_BYTES_MAX - this.#count;
  }

  /** As many bytes as there is room for. */
  put(source: Uint8Array): number {
    const count = Math.min(source.length, this.room);
    if (count === 0) return 0;
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(PIPE_BYTES_MAX);
    const end = (this.#start + this.#count) % PIPE_BYTES_MAX;
    const first = Math.min(count, PIPE_BYTES_MAX - end);
    this.#bytes.set(source.subarray(0, first), end);
    if (first < count) this.#bytes.set(source.subarray(first, count), 0);
    this.#count += count;
    return count;
  }

  take(target: Uint8Array): number {
    const count = this.peek(target);
    this.#start = (this.#start + count) % PIPE_BYTES_MAX;
    this.#count -= count;
    return count;
  }

  /** What `take` would give. */
  peek(target: Uint8Array): number {
    const count = Math.min(target.length, this.#count);
    const first = Math.min(count, PIPE_BYTES_MAX - this.#start);
    target.set(this.#bytes.subarray(this.#start, this.#start + first));
    if (first < count) target.set(this.#bytes.subarray(0, count - first), first);
    return count;
  }

  /** False when its container has no memory for one more. */
  chargeTo(memory: FilesMemory | undefined): boolean {
    if (memory?.take(PIPE_BYTES_MAX) === false) return false;
    this.memory = memory;
    return true;
  }

  /** One end has been closed. */
  endClosed(): void {
    if (this.hasReader || this.hasWriter) return;
    this.memory?.give(PIPE_BYTES_MAX);
    this.memory = undefined;
  }

  /** Nobody will read it. */
  drop(): void {
    this.#bytes = NOTHING;
    this.#start = 0;
    this.#count = 0;
  }
}

/** What both ends answer in the same way. Status flags are the client's affair: here nothing ever waits. */
export abstract class PipeEnd extends SpecialFile implements Waitable {
  readonly pipe: Pipe;
  abstract readonly waiting: WaitQueue;

  constructor(pipe: Pipe) {
    super(FileType.unknown, pipe.inode);
    this.pipe = pipe;
  }

  override stat(into: Stat): number {
    super.stat(into);
    into.mode = 0o600;
    return 0;
  }
}

export class PipeReader extends PipeEnd {
  readonly waiting: WaitQueue;

  constructor(pipe: Pipe) {
    super(pipe);
    this.waiting = pipe.readers;
    pipe.hasReader = true;
  }

  /** 0: the end, when nobody has the other end any more. */
  read(target: Uint8Array): number {
    if (target.length === 0) return 0;
    if (this.pipe.count === 0) return this.pipe.hasWriter ? -Errno.EAGAIN : 0;
    const count = this.pipe.take(target);
    this.pipe.writers.wake();
    return count;
  }

  write(): number {
    return -Errno.EBADF;
  }

  override readiness(wanted: Readiness): Readiness {
    const { count, hasWriter } = this.pipe;
    const ready = count > 0 || !hasWriter ? Readiness.read & wanted : Readiness.none;
    return hasWriter ? ready : ready | Readiness.hangup;
  }

  override readableBytes(): number {
    return this.pipe.count;
  }

  override close(): void {
    this.pipe.hasReader = false;
    this.pipe.drop();
    this.pipe.endClosed();
    this.pipe.writers.wake();
  }
}

export class PipeWriter extends PipeEnd {
  readonly waiting: WaitQueue;

  constructor(pipe: Pipe) {
    super(pipe);
    this.waiting = pipe.writers;
    pipe.hasWriter = true;
  }

  read(): number {
    return -Errno.EBADF;
  }

  /** All of it, when it is to stay together; else what there is room for. */
  write(source: Uint8Array): number {
    if (source.length === 0) return 0;
    const { room, hasReader } = this.pipe;
    if (!hasReader) return -Errno.EPIPE;
    if (room === 0 || (source.length <= PIPE_ATOMIC_BYTES_MAX && room < source.length)) return -Errno.EAGAIN;
    const count = this.pipe.put(source);
    this.pipe.readers.wake();
    return count;
  }

  override readiness(wanted: Readiness): Readiness {
    const { room, hasReader } = this.pipe;
    if (!hasReader) return (Readiness.write & wanted) | Readiness.hangup;
    return room >= PIPE_ATOMIC_BYTES_MAX ? Readiness.write & wanted : Readiness.none;
  }

  override readableBytes(): number {
    return 0;
  }

  override close(): void {
    this.pipe.hasWriter = false;
    this.pipe.endClosed();
    this.pipe.readers.wake();
  }
}

/**
 * The same for a program that has its thread for itself: whoever waited for itself would wait for ever, so that what would
 * block is EDEADLK, unless it is told not to.
 *
 * @returns ENFILE its container has no memory for it
 */
export function openOwnPipe(): PipeEnds;
export function openOwnPipe(memory: FilesMemory | undefined): PipeEnds | Failure;
export function openOwnPipe(memory?: FilesMemory): PipeEnds | Failure {
  const { reader, writer } = openPipe();
  if (!reader.pipe.chargeTo(memory)) return -Errno.ENFILE as Failure;
  return { reader: new OwnReader(reader.pipe), writer: new OwnWriter(writer.pipe) };
}

class OwnReader extends PipeReader {
  override read(target: Uint8Array): number {
    return unlessBlocked(super.read(target), this.nonblock);
  }
}

class OwnWriter extends PipeWriter {
  override write(source: Uint8Array): number {
    const count = super.write(source);
    // What didn't fit would have to wait for the reader.
    return unlessBlocked(count, this.nonblock);
  }
}

function unlessBlocked(answer: number, nonblock: boolean): number {
  return answer === -Errno.EAGAIN && !nonblock ? -Errno.EDEADLK : answer;
}
