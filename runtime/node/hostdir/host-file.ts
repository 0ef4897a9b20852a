/** An open regular file of the host. Its position is kept here: the host's would be shared with nobody. */
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  readSync,
  writeSync,
} from "node:fs";
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { OpenOptions, Stat, TimeChange, Whence } from "../../../shim/abi/system.ts";
import type { Credentials, Owned } from "../../core/vfs/credentials.ts";
import type { MountFlags } from "../../core/vfs/dentry.ts";
import { FileBase } from "../../core/vfs/file-base.ts";
import { FILE_BYTES_MAX } from "../../core/vfs/file-content.ts";
import { mayChangeTimes } from "../../core/vfs/times.ts";
import { attempt } from "./host-errno.ts";
import type { HostTree } from "./host-tree.ts";

export class HostFile extends FileBase {
  readonly type = FileType.regularFile;
  readonly #fd: number;
  readonly #tree: HostTree;
  readonly #readable: boolean;
  readonly #writable: boolean;
  readonly #mount: MountFlags;
  readonly #credentials: Credentials;
  #position = 0;

  /** @throws NodeJS.ErrnoException when it can't be truncated; the descriptor is still the caller's then */
  constructor(fd: number, tree: HostTree, options: OpenOptions, mount: MountFlags, credentials: Credentials) {
    super();
    if (options.truncate) ftruncateSync(fd, 0);
    this.#fd = fd;
    this.#tree = tree;
    this.#readable = options.read;
    this.#writable = options.write;
    this.#mount = mount;
    this.#credentials = credentials;
    this.append = options.append;
    this.nonblock = options.nonblock;
  }

  read(target: Uint8Array): number {
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
    const offset = this.append ? this.#sizeBytes() : this.#position;
    const count = this.#put(source, offset);
    if (count > 0) this.#position = offset + count;
    return count;
  }

  writeAt(source: Uint8Array, offset: number): number {
    return this.#put(source, this.append ? this.#sizeBytes() : offset);
  }

  #put(source: Uint8Array, offset: number): number {
    if (!this.#writable) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    if (source.length === 0) return 0;
    return attempt(() => writeSync(this.#fd, source, 0, source.length, offset));
  }

  #sizeBytes(): number {
    return fstatSync(this.#fd).size;
  }

  seek(offset: number, whence: Whence): number {
    const base = whence === "set" ? 0 : whence === "current" ? this.#position : this.#sizeBytes();
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
    return this.#sizeBytes() >= offset + length ? 0 : this.truncate(offset + length);
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
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
      (atime, mtime) => futimesSync(this.#fd, atime, mtime),
    );
  }

  sync(dataOnly: boolean): number {
    return attempt(() => {
      if (dataOnly) fdatasyncSync(this.#fd);
      else fsyncSync(this.#fd);
      return 0;
    });
  }

  readableBytes(): number {
    return Math.max(0, this.#sizeBytes() - this.#position);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
