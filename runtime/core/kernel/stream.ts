/**
 * The guest's end of a stream: an `OpenFile` without positions and without names, over something that reads or writes.
 *
 * The file type is "unknown", as a pipe's is in WASI, which has no FIFOs: a character device would make wasi-libc's
 * `isatty` true, and programs would buffer as for a person.
 * @see https://github.com/WebAssembly/wasi-libc/blob/main/libc-bottom-half/sources/isatty.c
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { Readiness, type Stat } from "../../../shim/abi/system.ts";
import { SpecialFile } from "./special-file.ts";

/** Where a stream's bytes come from. */
export interface ByteSource {
  /** Blocks until there is something; 0 at the end; a negative `Errno`. */
  read(target: Uint8Array): number;
  /** Bytes that a read would answer without blocking; `Infinity` where it never blocks. */
  available(): number;
  /** The end has come, or a failure: a read answers at once. */
  ended(): boolean;
}

/** Where a stream's bytes go. */
export interface ByteSink {
  /** Takes all, blocking as long as it must; a negative `Errno` (EPIPE: nobody reads). */
  write(source: Uint8Array): number;
  /** Takes what fits at once. */
  tryWrite(source: Uint8Array): number;
  /** A write of one byte would not block. */
  writable(): boolean;
}

/** Standard streams of a program. */
export class StreamFile extends SpecialFile {
  readonly #source: ByteSource | undefined;
  readonly #sink: ByteSink | undefined;

  constructor(inode: bigint, ends: { source?: ByteSource; sink?: ByteSink }) {
    super(FileType.unknown, inode);
    this.#source = ends.source;
    this.#sink = ends.sink;
  }

  override read(target: Uint8Array): number {
    if (this.#source === undefined) return -Errno.EBADF;
    if (target.length === 0) return 0;
    if (this.nonblock && this.#source.available() === 0 && !this.#source.ended()) return -Errno.EAGAIN;
    return this.#source.read(target);
  }

  override write(source: Uint8Array): number {
    if (this.#sink === undefined) return -Errno.EBADF;
    if (source.length === 0) return 0;
    return this.nonblock ? this.#sink.tryWrite(source) : this.#sink.write(source);
  }

  override readableBytes(): number {
    const available = this.#source?.available() ?? 0;
    return available === Infinity ? 0 : available;
  }

  override readiness(wanted: Readiness): Readiness {
    let ready: Readiness = Readiness.none;
    if (this.#source !== undefined) {
      const ended = this.#source.ended();
      if (this.#source.available() > 0 || ended) ready |= Readiness.read;
      if (ended) ready |= Readiness.hangup;
    }
    if (this.#sink?.writable()) ready |= Readiness.write;
    return ready & (wanted | Readiness.hangup);
  }

  override stat(into: Stat): number {
    super.stat(into);
    into.mode = 0o600;
    return 0;
  }
}

/** The same at a kernel, which serves others too: what would have to wait is always EAGAIN, and the client does the waiting. */
export class KernelStreamFile extends StreamFile {
  constructor(inode: bigint, ends: { source?: ByteSource; sink?: ByteSink }) {
    super(inode, ends);
    this.nonblock = true;
  }

  /** What a client sets is its own affair. */
  override setStatus(): number {
    return 0;
  }
}
