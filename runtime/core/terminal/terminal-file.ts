/** A container's terminal as its programs have it open: on 0 to 2, and as `/dev/tty`. One description for all of them. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { type OpenFile, Readiness, type Stat, type Terminal } from "../../../shim/abi/system.ts";
import type { Bell } from "../ipc/bell.ts";
import { Ring } from "../ipc/ring.ts";
import { RingSink } from "../kernel/ring-stream.ts";
import { SpecialFile } from "../kernel/special-file.ts";
import type { ByteSink } from "../kernel/stream.ts";
import { ControlBlock, type TerminalBuffers, type TerminalSize } from "./control-block.ts";
import { addReturns } from "./output-processing.ts";
import { RecordReader } from "./record-ring.ts";
import { decodeSettings } from "./settings.ts";
import { SizeChanges } from "./size-changes.ts";

/** What is processed at once of a long write. */
const PIECE_BYTES = 32 * 1024;
/** What a newline becomes. */
const PROCESSED_BYTES_MAX = 2;
const NEWLINE = 0x0a;

export class TerminalFile extends SpecialFile implements Terminal {
  readonly #control: ControlBlock;
  readonly #input: Ring;
  readonly #records: RecordReader;
  readonly #output: Ring;
  readonly #sink: ByteSink;
  readonly #bell: Bell;

  /** @param bell what the guest's thread waits on */
  constructor(
    inode: bigint,
    buffers: TerminalBuffers,
    bell: Bell,
    /** Something that sees everything that is shown, on its way to the ring. */
    observe: (sink: ByteSink) => ByteSink = (sink) => sink,
  ) {
    super(FileType.characterDevice, inode);
    this.#control = new ControlBlock(buffers.control);
    this.#input = new Ring(buffers.input, bell);
    this.#records = new RecordReader(this.#input, this.#control);
    this.#output = new Ring(buffers.output, bell);
    this.#sink = observe(new RingSink(this.#output));
    this.#bell = bell;
  }

  get terminal(): Terminal {
    return this;
  }

  override read(target: Uint8Array): number {
    if (target.length === 0) return 0;
    const ring = this.#input;
    for (;;) {
      const seen = this.#bell.now();
      const ended = ring.ended;
      const count = this.#records.read(target, !this.#control.settings.canonical);
      if (count !== undefined) {
        ring.hostBell.ring();
        return count;
      }
      if (ended) return 0;
      if (this.nonblock) return -Errno.EAGAIN;
      this.#bell.wait(seen);
    }
  }

  override write(source: Uint8Array): number {
    const processed = this.#control.settings.newlineToReturnNewline;
    if (this.nonblock) return this.#tryWrite(source, processed);
    let sentBytes = 0;
    while (sentBytes < source.length) {
      const piece = source.subarray(sentBytes, sentBytes + PIECE_BYTES);
      const count = this.#sink.write(processed ? addReturns(piece) : piece);
      if (count < 0) return sentBytes > 0 ? sentBytes : count;
      sentBytes += piece.length;
    }
    return sentBytes;
  }

  /** As much as there is room for. */
  #tryWrite(source: Uint8Array, processed: boolean): number {
    if (source.length === 0) return 0;
    if (this.#output.broken) return -Errno.EPIPE;
    let room = this.#output.free();
    let length = 0;
    while (length < source.length) {
      room -= processed && source[length] === NEWLINE ? PROCESSED_BYTES_MAX : 1;
      if (room < 0) break;
      length++;
    }
    if (length === 0) return -Errno.EAGAIN;
    const piece = source.subarray(0, length);
    const count = this.#sink.tryWrite(processed ? addReturns(piece) : piece);
    return count < 0 ? count : length;
  }

  override readableBytes(): number {
    return this.#records.available() ?? 0;
  }

  override readiness(wanted: Readiness): Readiness {
    let ready: Readiness = Readiness.none;
    const ended = this.#input.ended;
    const readable = this.#records.available() !== undefined;
    if (readable || ended) ready |= Readiness.read;
    if (ended && !readable) ready |= Readiness.hangup;
    if (this.#output.free() >= PROCESSED_BYTES_MAX || this.#output.broken) ready |= Readiness.write;
    return ready & (wanted | Readiness.hangup);
  }

  override stat(into: Stat): number {
    super.stat(into);
    into.mode = 0o620;
    return 0;
  }

  size(): TerminalSize {
    return this.#control.size;
  }

  settings(): number {
    return this.#control.settingsBits;
  }

  configure(bits: number): number {
    const settings = decodeSettings(bits);
    if (settings === undefined) return -Errno.EINVAL;
    this.#control.configure(settings);
    return 0;
  }

  openSizeChanges(): OpenFile {
    return new SizeChanges(this.#control, this.#bell);
  }
}
