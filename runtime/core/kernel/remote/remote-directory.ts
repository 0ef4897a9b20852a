/** An open directory of a kernel in another thread: what names a path is asked there. */

import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type {
  DirEntrySink,
  Failure,
  OpenFile,
  OpenOptions,
  Stat,
  TimeChange,
} from "../../../../shim/abi/system.ts";
import { takeText } from "../../ipc/text.ts";
import {
  CallFlag,
  ENTRY_HEADER_BYTES,
  Operation,
  Place,
  packOpenFlags,
  putTimeChanges,
  Real,
  takeStat,
} from "../protocol.ts";
import { aliased } from "../stdio-alias.ts";
import { appends, type Connection, typeOf } from "./connection.ts";
import { RemoteFile, RemoteHandle, RemoteStream } from "./remote-file.ts";

interface Entry {
  next: number;
  inode: bigint;
  type: FileType;
  name: string;
}

const NO_ENTRIES: readonly Entry[] = [];

export class RemoteDirectory extends RemoteHandle {
  /** What the kernel told last of its entries; where a reader stopped; and whether there are no more behind them. */
  #entries: readonly Entry[] = NO_ENTRIES;
  #place = 0;
  #isWhole = false;

  constructor(connection: Connection, handle: number) {
    super(connection, handle, FileType.directory);
  }

  read(): number {
    return -Errno.EISDIR;
  }
  write(): number {
    return -Errno.EBADF;
  }
  readAt(): number {
    return -Errno.EISDIR;
  }
  writeAt(): number {
    return -Errno.EBADF;
  }
  seek(): number {
    return -Errno.EISDIR;
  }
  readableBytes(): number {
    return 0;
  }

  override openAt(path: string, options: OpenOptions): OpenFile | Failure {
    const { connection } = this;
    const { numbers } = connection.mailbox;
    const handle = connection.takeHandle();
    numbers[Place.otherHandle] = handle;
    numbers[Place.mode] = options.mode;
    const flags = packOpenFlags(options) | this.openFlags(options);
    const answer = connection.callAt(Operation.openAt, this.handle, flags, path);
    const alias = numbers[Place.alias]!;
    if (answer < 0 || alias >= 0) {
      connection.giveHandle(handle);
      return answer < 0 ? answer : aliased(alias, connection.stdio);
    }
    return this.opened(handle, options.nonblock);
  }

  /** What the kernel is to know beside the options. */
  protected openFlags(_options: OpenOptions): number {
    return 0;
  }

  /** What an answer to `openAt` says was opened. */
  protected opened(handle: number, nonblock: boolean): OpenFile {
    const { connection } = this;
    const type = typeOf(connection.mailbox);
    if (type === FileType.directory) return new RemoteDirectory(connection, handle);
    const file =
      type === FileType.regularFile
        ? new RemoteFile(connection, handle, appends(connection.mailbox))
        : new RemoteStream(connection, handle, type);
    file.nonblock = nonblock;
    return file;
  }

  override statAt(path: string, followLast: boolean, into: Stat): number {
    const answer = this.#callAt(Operation.statAt, followLast ? CallFlag.followLast : 0, path);
    if (answer === 0) takeStat(this.connection.mailbox, into);
    return answer;
  }

  override setTimesAt(path: string, followLast: boolean, access: TimeChange, modify: TimeChange): number {
    const kinds = putTimeChanges(this.connection.mailbox, access, modify);
    return this.#callAt(Operation.setTimesAt, kinds | (followLast ? CallFlag.followLast : 0), path);
  }

  override makeDirectoryAt(path: string, mode: number): number {
    this.connection.mailbox.numbers[Place.mode] = mode;
    return this.#callAt(Operation.makeDirectoryAt, 0, path);
  }

  override removeDirectoryAt(path: string): number {
    return this.#callAt(Operation.removeDirectoryAt, 0, path);
  }

  override unlinkAt(path: string): number {
    return this.#callAt(Operation.unlinkAt, 0, path);
  }

  override readLinkAt(path: string): string | Failure {
    const sizeBytes = this.#callAt(Operation.readLinkAt, 0, path);
    return sizeBytes < 0 ? sizeBytes : takeText(this.connection.mailbox.data, 0, sizeBytes);
  }

  override makeSymlinkAt(target: string, path: string): number {
    return this.connection.callWithTwo(Operation.makeSymlinkAt, this.handle, 0, path, target);
  }

  override linkAt(path: string, followLast: boolean, to: OpenFile, toPath: string): number {
    return this.#callWithTwo(Operation.linkAt, followLast ? CallFlag.followLast : 0, path, to, toPath);
  }

  override renameAt(path: string, to: OpenFile, toPath: string): number {
    return this.#callWithTwo(Operation.renameAt, 0, path, to, toPath);
  }

  #callAt(operation: number, flags: number, path: string): number {
    return this.connection.callAt(operation, this.handle, flags, path);
  }

  #callWithTwo(operation: number, flags: number, path: string, to: OpenFile, toPath: string): number {
    if (!(to instanceof RemoteDirectory)) return -Errno.ENOTDIR;
    // Two kernels never share a file.
    if (to.connection !== this.connection) return -Errno.EXDEV;
    this.connection.mailbox.numbers[Place.otherHandle] = to.handle;
    return this.connection.callWithTwo(operation, this.handle, flags, path, toPath);
  }

  override readDirectory(cookie: number, sink: DirEntrySink): number {
    let place = this.#placeOf(cookie);
    let at = cookie;
    for (;;) {
      if (place < 0) {
        const failure = this.#ask(at);
        if (failure < 0) return failure;
        place = 0;
      }
      const entries = this.#entries;
      for (let index = place; index < entries.length; index++) {
        const entry = entries[index]!;
        if (!sink(entry.next, entry.inode, entry.type, entry.name)) {
          this.#place = index;
          return 0;
        }
        at = entry.next;
      }
      this.#place = entries.length;
      if (this.#isWhole) return 0;
      place = -1;
    }
  }

  /** Which of the entries here follows a cookie; -1: the kernel has to be asked, as always from the start, like `rewinddir`. */
  #placeOf(cookie: number): number {
    if (cookie === 0) return -1;
    // Readers go on where they stopped.
    const place = this.#place;
    if (place > 0 && this.#entries[place - 1]?.next === cookie) return place;
    const index = this.#entries.findIndex((entry) => entry.next === cookie);
    return index < 0 ? -1 : index + 1;
  }

  #ask(cookie: number): number {
    const { mailbox } = this.connection;
    mailbox.reals[Real.offset] = cookie;
    const sizeBytes = this.call(Operation.readDirectory, 0);
    if (sizeBytes < 0) return sizeBytes;
    this.#entries = takeEntries(mailbox.data, sizeBytes);
    this.#isWhole = (mailbox.numbers[Place.flags]! & CallFlag.end) !== 0;
    return 0;
  }
}

export function takeEntries(data: Uint8Array, sizeBytes: number): Entry[] {
  const view = new DataView(data.buffer, data.byteOffset, sizeBytes);
  const entries: Entry[] = [];
  let at = 0;
  while (at < sizeBytes) {
    const nameBytes = view.getUint16(at + 18, true);
    entries.push({
      next: view.getFloat64(at, true),
      inode: view.getBigInt64(at + 8, true),
      type: view.getUint8(at + 16) as FileType,
      name: takeText(data, at + ENTRY_HEADER_BYTES, nameBytes),
    });
    at += ENTRY_HEADER_BYTES + nameBytes;
  }
  return entries;
}
