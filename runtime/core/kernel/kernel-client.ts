/**
 * One client as its kernel sees it: the files that it has open, and what its calls mean.
 *
 * Nothing that comes out of shared memory is trusted: handles are looked up, lengths bounded, numbers checked. No call
 * blocks: what would have to wait answers EAGAIN, and the client's bell is rung when it is worth asking again.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type Stat, type Whence } from "../../../shim/abi/system.ts";
import { type Mailbox, TRANSFER_BYTES_MAX } from "../ipc/mailbox.ts";
import { putText, takeText } from "../ipc/text.ts";
import { PATH_BYTES_MAX } from "../vfs/path-walk.ts";
import { LOCK_KINDS, lockFor } from "./lock-call.ts";
import type { OpenHandles } from "./open-handles.ts";
import { openPipeFor } from "./pipe-call.ts";
import {
  CallFlag,
  ENTRY_HEADER_BYTES,
  NO_OFFSET,
  Operation,
  Place,
  putStat,
  Real,
  takeTimeChanges,
  unpackOpenFlags,
} from "./protocol.ts";
import { StdioAlias } from "./stdio-alias.ts";
import { isWaitable } from "./wait-queue.ts";

const MODE_MASK = 0o7777;

export class KernelClient {
  readonly mailbox: Mailbox;
  /** What it has open; those of one program's threads have the same. */
  readonly handles: OpenHandles;
  readonly #stat = {} as Stat;

  constructor(mailbox: Mailbox, handles: OpenHandles) {
    this.mailbox = mailbox;
    this.handles = handles;
    handles.join();
  }

  /** Opens under a handle that it knows from elsewhere: a preopen, or what it had open before a hand-over. */
  adopt(handle: number, file: OpenFile): void {
    this.handles.set(handle, file);
  }

  /** The client has gone, at whatever point. */
  close(): void {
    this.handles.leave();
  }

  /** Answers the call that waits, if one does. */
  serve(): void {
    const operation = this.mailbox.asked();
    if (operation === undefined) return;
    this.mailbox.answer(this.#perform(operation));
  }

  #perform(operation: number): number {
    if (operation === Operation.join) return 0;
    const { numbers } = this.mailbox;
    if (operation === Operation.pipe) {
      return openPipeFor(this.handles, numbers[Place.handle]!, numbers[Place.otherHandle]!);
    }
    const file = this.handles.get(numbers[Place.handle]!);
    if (file === undefined) return -Errno.EBADF;
    const flags = numbers[Place.flags]!;
    switch (operation) {
      case Operation.close:
        this.handles.close(numbers[Place.handle]!);
        return 0;
      case Operation.read:
        return this.#read(file, flags);
      case Operation.write:
        return this.#write(file, flags);
      case Operation.seek:
        return this.#seek(file, flags);
      case Operation.stat:
        return this.#answerStat(file.stat(this.#stat));
      case Operation.truncate: {
        const sizeBytes = this.#real(Real.length);
        return sizeBytes < 0 ? -Errno.EINVAL : file.truncate(sizeBytes);
      }
      case Operation.allocate: {
        const offset = this.#real(Real.offset);
        const length = this.#real(Real.length);
        return offset < 0 || length <= 0 ? -Errno.EINVAL : file.allocate(offset, length);
      }
      case Operation.setTimes:
        return file.setTimes(...takeTimeChanges(this.mailbox, flags));
      case Operation.sync:
        return file.sync((flags & CallFlag.dataOnly) !== 0);
      case Operation.lock:
        return lockFor(this.handles, file, LOCK_KINDS[numbers[Place.mode]!], (flags & CallFlag.wait) !== 0);
      case Operation.readDirectory:
        return this.#readDirectory(file);
      case Operation.readiness:
        return this.#readiness(file, flags);
      case Operation.readableBytes:
        this.mailbox.reals[Real.length] = file.readableBytes();
        return 0;
      case Operation.setStatus:
        return file.setStatus((flags & CallFlag.append) !== 0, (flags & CallFlag.nonblock) !== 0);
      default:
        return this.#performAt(operation, file, flags);
    }
  }

  #performAt(operation: number, directory: OpenFile, flags: number): number {
    const { numbers } = this.mailbox;
    const path = this.#path(0, numbers[Place.pathBytes]!);
    if (path === undefined) return -Errno.EINVAL;
    const followLast = (flags & CallFlag.followLast) !== 0;
    switch (operation) {
      case Operation.openAt:
        return this.#openAt(directory, path, flags);
      case Operation.statAt:
        return this.#answerStat(directory.statAt(path, followLast, this.#stat));
      case Operation.setTimesAt:
        return directory.setTimesAt(path, followLast, ...takeTimeChanges(this.mailbox, flags));
      case Operation.makeDirectoryAt:
        return directory.makeDirectoryAt(path, numbers[Place.mode]! & MODE_MASK);
      case Operation.removeDirectoryAt:
        return directory.removeDirectoryAt(path);
      case Operation.unlinkAt:
        return directory.unlinkAt(path);
      case Operation.readLinkAt:
        return this.#readLinkAt(directory, path);
      case Operation.makeSymlinkAt:
      case Operation.linkAt:
      case Operation.renameAt:
        return this.#performWithTwo(operation, directory, path, followLast);
      default:
        return -Errno.ENOSYS;
    }
  }

  #performWithTwo(operation: number, directory: OpenFile, path: string, followLast: boolean): number {
    const { numbers } = this.mailbox;
    const other = this.#path(numbers[Place.pathBytes]!, numbers[Place.otherPathBytes]!);
    if (other === undefined) return -Errno.EINVAL;
    if (operation === Operation.makeSymlinkAt) return directory.makeSymlinkAt(other, path);
    const to = this.handles.get(numbers[Place.otherHandle]!);
    if (to === undefined) return -Errno.EBADF;
    return operation === Operation.linkAt
      ? directory.linkAt(path, followLast, to, other)
      : directory.renameAt(path, to, other);
  }

  /** Undefined when no well-behaved client would send it. */
  #path(at: number, sizeBytes: number): string | undefined {
    if (at < 0 || sizeBytes < 0 || at > PATH_BYTES_MAX || sizeBytes > PATH_BYTES_MAX) return undefined;
    const path = takeText(this.mailbox.data, at, sizeBytes);
    return path.includes("\0") ? undefined : path;
  }

  /** A size or position; negative when it is none. */
  #real(place: number): number {
    const value = this.mailbox.reals[place]!;
    return Number.isSafeInteger(value) ? value : -1;
  }

  /** Content of the call: never more than there is. */
  #content(): Uint8Array {
    const sizeBytes = this.mailbox.numbers[Place.dataBytes]!;
    return this.mailbox.data.subarray(0, Math.max(0, Math.min(sizeBytes, TRANSFER_BYTES_MAX)));
  }

  #read(file: OpenFile, flags: number): number {
    const target = this.#content();
    const offset = this.mailbox.reals[Real.offset]!;
    if (offset === NO_OFFSET) return this.#awaited(file, file.read(target), flags);
    return Number.isSafeInteger(offset) ? file.readAt(target, offset) : -Errno.EINVAL;
  }

  #write(file: OpenFile, flags: number): number {
    const source = this.#content();
    const offset = this.mailbox.reals[Real.offset]!;
    if (offset === NO_OFFSET) return this.#awaited(file, file.write(source), flags);
    if (!Number.isSafeInteger(offset)) return -Errno.EINVAL;
    const count = file.writeAt(source, offset);
    // Where it ended up is what the client's position becomes.
    if (count > 0 && file.append) this.mailbox.reals[Real.offset] = file.seek(0, "end");
    else if (count > 0) this.mailbox.reals[Real.offset] = offset + count;
    return count;
  }

  #seek(file: OpenFile, flags: number): number {
    const offset = this.mailbox.reals[Real.offset]!;
    if (!Number.isSafeInteger(offset)) return -Errno.EINVAL;
    const whence: Whence =
      (flags & CallFlag.end) !== 0 ? "end" : (flags & CallFlag.current) !== 0 ? "current" : "set";
    const position = file.seek(offset, whence);
    if (position < 0) return position;
    this.mailbox.reals[Real.offset] = position;
    return 0;
  }

  #readiness(file: OpenFile, flags: number): number {
    const ready = file.readiness(this.mailbox.numbers[Place.mode]!);
    if (ready === 0 && (flags & CallFlag.wait) !== 0 && isWaitable(file)) file.waiting.add(this.handles.bell);
    return ready;
  }

  /** What has to wait is told by the bell. */
  #awaited(file: OpenFile, answer: number, flags: number): number {
    if (answer === -Errno.EAGAIN && (flags & CallFlag.wait) !== 0 && isWaitable(file)) {
      file.waiting.add(this.handles.bell);
    }
    return answer;
  }

  #answerStat(answer: number): number {
    if (answer === 0) putStat(this.mailbox, this.#stat);
    return answer;
  }

  #openAt(directory: OpenFile, path: string, flags: number): number {
    const { numbers } = this.mailbox;
    const handle = numbers[Place.otherHandle]!;
    if (this.handles.has(handle)) return -Errno.EBADF;
    if (this.handles.isFull) return -Errno.EMFILE;
    const file = directory.openAt(path, unpackOpenFlags(flags, numbers[Place.mode]! & MODE_MASK));
    if (isFailure(file)) return file;
    if (file instanceof StdioAlias) {
      numbers[Place.alias] = file.index;
      return 0;
    }
    numbers[Place.alias] = -1;
    numbers[Place.type] = file.type;
    numbers[Place.flags] = file.append ? CallFlag.append : 0;
    this.handles.set(handle, file);
    return 0;
  }

  #readLinkAt(directory: OpenFile, path: string): number {
    const target = directory.readLinkAt(path);
    return isFailure(target) ? target : putText(this.mailbox.data, 0, target);
  }

  /** As many entries as fit. Answers how many bytes they take; 0 at the end. */
  #readDirectory(directory: OpenFile): number {
    const cookie = this.#real(Real.offset);
    if (cookie < 0) return -Errno.EINVAL;
    if (directory.type !== FileType.directory) return -Errno.ENOTDIR;
    const { data } = this.mailbox;
    const view = new DataView(data.buffer, data.byteOffset, TRANSFER_BYTES_MAX);
    let at = 0;
    const failure = directory.readDirectory(cookie, (next, inode, type, name) => {
      // A unit of UTF-16 takes three bytes at most.
      if (at + ENTRY_HEADER_BYTES + name.length * 3 > TRANSFER_BYTES_MAX) return false;
      const nameBytes = putText(data, at + ENTRY_HEADER_BYTES, name);
      view.setFloat64(at, next, true);
      view.setBigInt64(at + 8, inode, true);
      view.setUint8(at + 16, type);
      view.setUint16(at + 18, nameBytes, true);
      at += ENTRY_HEADER_BYTES + nameBytes;
      return true;
    });
    return failure < 0 ? failure : at;
  }
}
