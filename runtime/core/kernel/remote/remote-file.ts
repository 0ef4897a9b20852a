/**
 * An open file of a kernel in another thread. Two kinds: with a position of its own, which is kept here (regular files), and
 * streams, whose reads and writes may have to wait: this thread does the waiting, never the kernel.
 */
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { LockKind, Readiness, Stat, TimeChange, Whence } from "../../../../shim/abi/system.ts";
import { TRANSFER_BYTES_MAX } from "../../ipc/mailbox.ts";
import { FileBase } from "../../vfs/file-base.ts";
import { FILE_BYTES_MAX } from "../../vfs/file-content.ts";
import { CallFlag, NO_OFFSET, Operation, Place, putTimeChanges, Real, takeStat } from "../protocol.ts";
import type { Connection } from "./connection.ts";
import { lockRemote } from "./remote-lock.ts";

/** What both kinds, and directories, ask in the same way. */
export abstract class RemoteHandle extends FileBase {
  readonly type: FileType;
  readonly connection: Connection;
  readonly handle: number;

  constructor(connection: Connection, handle: number, type: FileType) {
    super();
    this.connection = connection;
    this.handle = handle;
    this.type = type;
  }

  /** What the kernel, or another thread of the program, says of it. */
  adoptStatus(append: boolean, nonblock: boolean): void {
    this.append = append;
    this.nonblock = nonblock;
  }

  override setStatus(append: boolean, nonblock: boolean): number {
    this.adoptStatus(append, nonblock);
    return this.call(
      Operation.setStatus,
      (append ? CallFlag.append : 0) | (nonblock ? CallFlag.nonblock : 0),
    );
  }

  stat(into: Stat): number {
    const answer = this.call(Operation.stat, 0);
    if (answer === 0) takeStat(this.connection.mailbox, into);
    return answer;
  }

  truncate(sizeBytes: number): number {
    this.connection.mailbox.reals[Real.length] = sizeBytes;
    return this.call(Operation.truncate, 0);
  }

  allocate(offset: number, length: number): number {
    const { reals } = this.connection.mailbox;
    reals[Real.offset] = offset;
    reals[Real.length] = length;
    return this.call(Operation.allocate, 0);
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
    return this.call(Operation.setTimes, putTimeChanges(this.connection.mailbox, access, modify));
  }

  sync(dataOnly: boolean): number {
    return this.call(Operation.sync, dataOnly ? CallFlag.dataOnly : 0);
  }

  override lock(kind: LockKind, wait: boolean): number {
    return lockRemote(this.connection, this.handle, kind, wait);
  }

  close(): void {
    this.call(Operation.close, 0);
    this.connection.giveHandle(this.handle);
  }

  protected call(operation: number, flags: number): number {
    return this.connection.call(operation, this.handle, flags);
  }

  /** Bytes read in one call, at most as many as one call takes. */
  protected callRead(target: Uint8Array, offset: number, flags: number): number {
    const { mailbox } = this.connection;
    mailbox.numbers[Place.dataBytes] = Math.min(target.length, TRANSFER_BYTES_MAX);
    mailbox.reals[Real.offset] = offset;
    const count = this.call(Operation.read, flags);
    if (count > 0) target.set(mailbox.data.subarray(0, count));
    return count;
  }

  protected callWrite(source: Uint8Array, offset: number, flags: number): number {
    const { mailbox } = this.connection;
    const count = Math.min(source.length, TRANSFER_BYTES_MAX);
    mailbox.data.set(count === source.length ? source : source.subarray(0, count));
    mailbox.numbers[Place.dataBytes] = count;
    mailbox.reals[Real.offset] = offset;
    return this.call(Operation.write, flags);
  }

  /** Of a write, as much as goes at once. */
  protected writePart(part: Uint8Array, offset: number): number {
    return this.callWrite(part, offset, 0);
  }

  /**
   * In one call where it fits into one: so what is appended stays in one piece.
   * @param offset `NO_OFFSET`: where the kernel says that it stands
   */
  protected transfer(way: "read" | "write", buffer: Uint8Array, offset: number): number {
    let done = 0;
    do {
      const part = done === 0 ? buffer : buffer.subarray(done);
      const at = offset === NO_OFFSET ? NO_OFFSET : offset + done;
      const count = way === "read" ? this.callRead(part, at, 0) : this.writePart(part, at);
      if (count < 0) return done > 0 ? done : count;
      done += count;
      if (count < Math.min(part.length, TRANSFER_BYTES_MAX)) break;
    } while (done < buffer.length);
    return done;
  }

  /** By the kernel, which has the position, or the size. */
  protected callSeek(offset: number, whence: Whence): number {
    const { reals } = this.connection.mailbox;
    reals[Real.offset] = offset;
    const answer = this.call(Operation.seek, WHENCE_FLAGS[whence]);
    return answer < 0 ? answer : reals[Real.offset]!;
  }

  protected callReadableBytes(): number {
    return this.call(Operation.readableBytes, 0) < 0 ? 0 : this.connection.mailbox.reals[Real.length]!;
  }
}

const WHENCE_FLAGS = { set: 0, current: CallFlag.current, end: CallFlag.end } as const;

export class RemoteFile extends RemoteHandle {
  protected position: number;

  /** @param position where it stood before a hand-over */
  constructor(connection: Connection, handle: number, append: boolean, position = 0) {
    super(connection, handle, FileType.regularFile);
    this.append = append;
    this.position = position;
  }

  read(target: Uint8Array): number {
    const count = this.readAt(target, this.position);
    if (count > 0) this.position += count;
    return count;
  }

  readAt(target: Uint8Array, offset: number): number {
    return this.transfer("read", target, offset);
  }

  write(source: Uint8Array): number {
    const count = this.writeAt(source, this.position);
    if (count > 0) this.position = this.connection.mailbox.reals[Real.offset]!;
    return count;
  }

  writeAt(source: Uint8Array, offset: number): number {
    return this.transfer("write", source, offset);
  }

  seek(offset: number, whence: Whence): number {
    if (whence === "end") {
      const end = this.callSeek(offset, whence);
      if (end >= 0) this.position = end;
      return end;
    }
    const position = whence === "set" ? offset : this.position + offset;
    if (position < 0) return -Errno.EINVAL;
    if (position > FILE_BYTES_MAX) return -Errno.EOVERFLOW;
    this.position = position;
    return position;
  }

  readableBytes(): number {
    return Math.max(0, this.callSeek(0, "end") - this.position);
  }
}

/** Pipes, devices: what has no position. */
export class RemoteStream extends RemoteHandle {
  read(target: Uint8Array): number {
    const { bell } = this.connection;
    for (let tries = 0; ; tries++) {
      const seen = bell.now();
      const count = this.callRead(target, NO_OFFSET, this.nonblock ? 0 : CallFlag.wait);
      if (count !== -Errno.EAGAIN || this.nonblock) return count;
      this.await(seen, tries);
    }
  }

  write(source: Uint8Array): number {
    const { bell } = this.connection;
    let done = 0;
    for (let tries = 0; done < source.length || source.length === 0; tries++) {
      const seen = bell.now();
      const count = this.callWrite(source.subarray(done), NO_OFFSET, this.nonblock ? 0 : CallFlag.wait);
      if (count >= 0) {
        done += count;
        tries = 0;
        if (this.nonblock || source.length === 0) break;
      } else if (count !== -Errno.EAGAIN || this.nonblock) {
        return done > 0 ? done : count;
      } else this.await(seen, tries);
    }
    return done;
  }

  /** Until it is worth asking again. */
  protected await(seen: number, _tries: number): void {
    this.connection.bell.wait(seen);
  }

  /** Devices answer these, pipes refuse them. */
  readAt(target: Uint8Array, offset: number): number {
    return this.callRead(target, offset, 0);
  }
  writeAt(source: Uint8Array, offset: number): number {
    return this.callWrite(source, offset, 0);
  }

  seek(offset: number, whence: Whence): number {
    return this.callSeek(offset, whence);
  }

  override readiness(wanted: Readiness): Readiness {
    this.connection.mailbox.numbers[Place.mode] = wanted;
    return this.call(Operation.readiness, CallFlag.wait);
  }

  readableBytes(): number {
    return this.callReadableBytes();
  }
}
