/** An open description of a regular file in memory. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { LockKind, OpenOptions, Stat, TimeChange, Whence } from "../../../shim/abi/system.ts";
import type { Credentials } from "./credentials.ts";
import type { MountFlags } from "./dentry.ts";
import { FileBase } from "./file-base.ts";
import { FILE_BYTES_MAX, type FileContent } from "./file-content.ts";
import { Lock, type Lockable, lockAlone } from "./lock-table.ts";
import type { MemoryNode } from "./memory-node.ts";
import { mayChangeTimes } from "./times.ts";

export class MemoryFile extends FileBase implements Lockable {
  readonly type = FileType.regularFile;
  readonly node: MemoryNode;
  readonly #content: FileContent;
  readonly mount: MountFlags;
  readonly credentials: Credentials;
  readonly readable: boolean;
  readonly writable: boolean;
  #position: number;
  #lock: Lock | undefined = undefined;

  /** @param position where it stands: of one that was open elsewhere */
  constructor(
    node: MemoryNode,
    options: OpenOptions,
    mount: MountFlags,
    credentials: Credentials,
    position = 0,
  ) {
    super();
    this.#position = position;
    this.node = node;
    this.#content = node.content!;
    this.mount = mount;
    this.credentials = credentials;
    this.readable = options.read;
    this.writable = options.write;
    this.append = options.append;
    this.nonblock = options.nonblock;
    node.hold();
  }

  read(target: Uint8Array): number {
    const count = this.readAt(target, this.#position);
    if (count > 0) this.#position += count;
    return count;
  }

  readAt(target: Uint8Array, offset: number): number {
    if (!this.readable) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    const count = this.#content.read(target, offset);
    if (count > 0 && !this.mount.readOnly) this.node.touchAccess();
    return count;
  }

  write(source: Uint8Array): number {
    const offset = this.append ? this.#content.sizeBytes : this.#position;
    const count = this.#put(source, offset);
    if (count > 0) this.#position = offset + count;
    return count;
  }

  /** With O_APPEND it appends, as Linux does and POSIX does not say. */
  writeAt(source: Uint8Array, offset: number): number {
    return this.#put(source, this.append ? this.#content.sizeBytes : offset);
  }

  #put(source: Uint8Array, offset: number): number {
    if (!this.writable) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    const count = this.#content.write(source, offset);
    if (count > 0) this.#changed();
    return count;
  }

  #changed(): void {
    this.node.dropPrivilegeBits(this.credentials);
    this.node.touchModify();
  }

  get position(): number {
    return this.#position;
  }

  seek(offset: number, whence: Whence): number {
    const base = whence === "set" ? 0 : whence === "current" ? this.#position : this.#content.sizeBytes;
    const position = base + offset;
    if (position < 0) return -Errno.EINVAL;
    if (position > FILE_BYTES_MAX) return -Errno.EOVERFLOW;
    this.#position = position;
    return position;
  }

  stat(into: Stat): number {
    return this.node.fillStat(into, this.node.linkCount);
  }

  truncate(sizeBytes: number): number {
    if (!this.writable || sizeBytes < 0) return -Errno.EINVAL;
    const failure = this.#content.truncate(sizeBytes);
    if (failure < 0) return failure;
    this.#changed();
    return 0;
  }

  allocate(offset: number, length: number): number {
    if (!this.writable) return -Errno.EBADF;
    if (offset < 0 || length <= 0) return -Errno.EINVAL;
    const failure = this.#content.allocate(offset, length);
    if (failure < 0) return failure;
    this.#changed();
    return 0;
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
    const refused = mayChangeTimes(this.node, this.mount, this.credentials, access, modify);
    return refused < 0 ? refused : this.node.changeTimes(access, modify);
  }

  /** What is in memory alone outlives nothing. */
  sync(): number {
    return this.node.owner.keeper?.sync() ?? 0;
  }

  readableBytes(): number {
    return Math.max(0, this.#content.sizeBytes - this.#position);
  }

  get ownLock(): Lock {
    this.#lock ??= new Lock(this.node.owner.locks, this.node.inode);
    return this.#lock;
  }
  get lockKind(): LockKind {
    return this.#lock?.kind ?? "none";
  }
  override lock(kind: LockKind, wait: boolean): number {
    return lockAlone(this.ownLock, kind, wait);
  }

  close(): void {
    this.#lock?.close();
    this.node.drop();
  }
}
