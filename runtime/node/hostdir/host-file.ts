/**
 * An open regular file of the host. Its position is kept here: the host's would be shared with nobody.
 *
 * What is opened to append is so on the host, too: no writer there can come between the end and the write.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  readFileSync,
  readSync,
  writeSync,
} from "node:fs";
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { LockKind, OpenOptions, Stat, TimeChange, Whence } from "../../../shim/abi/system.ts";
import type { HostMovable } from "../../core/kernel/moved-files.ts";
import type { Credentials, Owned } from "../../core/vfs/credentials.ts";
import type { MountFlags } from "../../core/vfs/dentry.ts";
import { FileBase } from "../../core/vfs/file-base.ts";
import { FILE_BYTES_MAX } from "../../core/vfs/file-content.ts";
import { Lock, type Lockable, lockAlone } from "../../core/vfs/lock-table.ts";
import { mayChangeTimes } from "../../core/vfs/times.ts";
import { changeTimes } from "../host/descriptor-calls.ts";
import { isRestricted } from "../host/permission-flags.ts";
import { identityOf } from "./host-descriptors.ts";
import { attempt } from "./host-errno.ts";
import type { HostTree } from "./host-tree.ts";
import { reopen } from "./reopen.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND } = constants;
const INODE_BITS = 64n;

export class HostFile extends FileBase implements HostMovable, Lockable {
  readonly type = FileType.regularFile;
  #fd: number;
  /** Has the host's descriptor O_APPEND? */
  #appends: boolean;
  readonly #tree: HostTree;
  readonly #readable: boolean;
  readonly #writable: boolean;
  readonly #mount: MountFlags;
  readonly #credentials: Credentials;
  #position = 0;
  #lock: Lock | undefined = undefined;
  /** The last write was behind an end that only the host knows: so is the position. */
  #isAtHost = false;

  /**
   * @param appends was it opened with O_APPEND?
   * @throws NodeJS.ErrnoException when it can't be truncated; the descriptor is still the caller's then
   */
  constructor(
    fd: number,
    appends: boolean,
    tree: HostTree,
    options: OpenOptions,
    mount: MountFlags,
    credentials: Credentials,
    position = 0,
  ) {
    super();
    if (options.truncate) ftruncateSync(fd, 0);
    this.#fd = fd;
    this.#position = position;
    this.#appends = appends;
    this.#tree = tree;
    this.#readable = options.read;
    this.#writable = options.write;
    this.#mount = mount;
    this.#credentials = credentials;
    this.append = options.append;
    this.nonblock = options.nonblock;
    if (options.append && !appends) this.#reopen(true);
  }

  override setStatus(append: boolean, nonblock: boolean): number {
    if (append !== this.#appends && this.#writable) {
      this.#settle();
      const failure = this.#reopen(append);
      // With O_APPEND on the host there is no writing at a position; without it, the end is looked up before a write.
      if (failure < 0 && !append) return failure;
    }
    return super.setStatus(append, nonblock);
  }

  /** Node has no `fcntl`: the same file is opened again, by its descriptor. */
  #reopen(append: boolean): number {
    if (!this.#tree.descriptors.isExact || !this.#writable) return -Errno.ENOTSUP;
    return attempt(() => {
      const access = this.#readable ? O_RDWR : this.#writable ? O_WRONLY : O_RDONLY;
      const flags = access | (append ? O_APPEND : 0);
      const fd = reopen(this.#fd, flags);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#appends = append;
      return 0;
    });
  }

  /** For a kernel in another thread. */
  describeHost(): ReturnType<HostMovable["describeHost"]> {
    this.#settle();
    const { append, nonblock } = this;
    return {
      device: this.#tree.device,
      held: { fd: this.#fd, identity: identityOf(fstatSync(this.#fd, { bigint: true })) },
      status: { read: this.#readable, write: this.#writable, append, nonblock },
      position: this.#position,
      credentials: this.#credentials,
    };
  }

  /** Takes the host's position over. @see proc_pid_fdinfo(5) */
  #settle(): void {
    if (!this.#isAtHost) return;
    this.#isAtHost = false;
    let told: RegExpMatchArray | null = null;
    try {
      told = readFileSync(`/proc/self/fdinfo/${this.#fd}`, "latin1").match(/^pos:\s*(\d+)/);
    } catch {
      // The end will do.
    }
    this.#position = told === null ? Math.max(0, this.#sizeBytes()) : Number(told[1]);
  }

  read(target: Uint8Array): number {
    this.#settle();
    const count = this.readAt(target, this.#position);
    if (count > 0) this.#position += count;
    return count;
  }

  readAt(target: Uint8Array, offset: number): number {
    if (!this.#readable) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    if (target.length === 0) return 0;
    return attempt(() => readSync(this.#fd, target, 0, target.length, offset));
  }

  write(source: Uint8Array): number {
    if (this.append) return this.#putAtEnd(source);
    this.#settle();
    const count = this.#put(source, this.#position);
    if (count > 0) this.#position += count;
    return count;
  }

  /** Linux appends here, too. @see pwrite(2), bugs */
  writeAt(source: Uint8Array, offset: number): number {
    if (!this.append || offset < 0) return this.#put(source, offset);
    this.#settle();
    const position = this.#position;
    const count = this.#putAtEnd(source);
    this.#position = position;
    this.#isAtHost = false;
    return count;
  }

  #putAtEnd(source: Uint8Array): number {
    if (this.#appends) {
      const count = this.#put(source, null);
      if (count > 0) this.#isAtHost = true;
      return count;
    }
    const end = this.#sizeBytes();
    if (end < 0) return end;
    const count = this.#put(source, end);
    if (count > 0) this.#position = end + count;
    return count;
  }

  /** @param offset null: where the host appends */
  #put(source: Uint8Array, offset: number | null): number {
    if (!this.#writable) return -Errno.EBADF;
    if (offset !== null && offset < 0) return -Errno.EINVAL;
    if (source.length === 0) return 0;
    return attempt(() => writeSync(this.#fd, source, 0, source.length, offset));
  }

  /** Or a negative `Errno`. */
  #sizeBytes(): number {
    return attempt(() => fstatSync(this.#fd).size);
  }

  seek(offset: number, whence: Whence): number {
    this.#settle();
    const base = whence === "set" ? 0 : whence === "current" ? this.#position : this.#sizeBytes();
    if (base < 0) return base;
    const position = base + offset;
    if (position < 0) return -Errno.EINVAL;
    if (position > FILE_BYTES_MAX) return -Errno.EOVERFLOW;
    this.#position = position;
    return position;
  }

  stat(into: Stat): number {
    return attempt(() => this.#tree.fillStat(into, fstatSync(this.#fd, { bigint: true })));
  }

  truncate(sizeBytes: number): number {
    if (!this.#writable || sizeBytes < 0) return -Errno.EINVAL;
    return attempt(() => {
      ftruncateSync(this.#fd, sizeBytes);
      return 0;
    });
  }

  /** The size alone: Node has no call that takes the space from the host. */
  allocate(offset: number, length: number): number {
    if (!this.#writable) return -Errno.EBADF;
    if (offset < 0 || length <= 0) return -Errno.EINVAL;
    if (offset + length > FILE_BYTES_MAX) return -Errno.EFBIG;
    const sizeBytes = this.#sizeBytes();
    if (sizeBytes < 0) return sizeBytes;
    return sizeBytes >= offset + length ? 0 : this.truncate(offset + length);
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
    return attempt(() => {
      const stat = fstatSync(this.#fd, { bigint: true });
      const owned: Owned = {
        mode: Number(stat.mode) & 0o7777,
        uid: this.#tree.uidOf(stat),
        gid: this.#tree.gidOf(stat),
      };
      const refused = mayChangeTimes(owned, this.#mount, this.#credentials, access, modify);
      if (refused < 0) return refused;
      return this.#tree.setTimes(
        access,
        modify,
        () => fstatSync(this.#fd, { bigint: true }),
        (atime, mtime) => changeTimes(this.#fd, atime, mtime),
      );
    });
  }

  sync(dataOnly: boolean): number {
    // Not permitted, and not to be promised either.
    if (isRestricted()) return -Errno.ENOTSUP;
    return attempt(() => {
      if (dataOnly) fdatasyncSync(this.#fd);
      else fsyncSync(this.#fd);
      return 0;
    });
  }

  readableBytes(): number {
    this.#settle();
    return Math.max(0, this.#sizeBytes() - this.#position);
  }

  /** Among wpod's programs: Node has no `flock` for those of the host. */
  get ownLock(): Lock {
    if (this.#lock !== undefined) return this.#lock;
    const { dev, ino } = fstatSync(this.#fd, { bigint: true });
    this.#lock = new Lock(this.#tree.locks, (dev << INODE_BITS) | ino);
    return this.#lock;
  }
  get lockKind(): LockKind {
    return this.#lock?.kind ?? "none";
  }
  override lock(kind: LockKind, wait: boolean): number {
    return attempt(() => lockAlone(this.ownLock, kind, wait));
  }

  close(): void {
    this.#lock?.close();
    closeSync(this.#fd);
  }
}
