/** Open descriptions over inodes: regular files and directories. Access modes are checked here, permissions when opening. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type {
  DirEntrySink,
  Failure,
  OpenFile,
  OpenOptions,
  Readiness,
  Stat,
  TimeChange,
  Whence,
} from "../../../shim/abi/system.ts";
import type { Content, DirectoryInode, Inode, Listing } from "./inode.ts";
import type { Mount, Place } from "./mount-table.ts";
import * as operations from "./operations.ts";
import type { Base } from "./walk.ts";

/** Half of what regular files and directories have in common: they are inodes on a mount. */
abstract class InodeFile {
  append: boolean;
  nonblock: boolean;
  protected readonly base: Base;
  protected readonly mount: Mount;
  protected readonly inode: Inode;

  constructor(base: Base, mount: Mount, inode: Inode, options: { append: boolean; nonblock: boolean }) {
    this.base = base;
    this.mount = mount;
    this.inode = inode;
    this.append = options.append;
    this.nonblock = options.nonblock;
  }

  get place(): Place {
    return { mount: this.mount, inode: this.inode };
  }

  setStatus(append: boolean, nonblock: boolean): number {
    this.append = append;
    this.nonblock = nonblock;
    return 0;
  }

  stat(into: Stat): number {
    return this.inode.stat(into);
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
    return operations.setTimesOf(this.place, this.base.who, access, modify);
  }

  readiness(wanted: Readiness): Readiness {
    return wanted;
  }
}

export class RegularFile extends InodeFile implements OpenFile {
  readonly type: FileType = FileType.regularFile;
  readonly #content: Content;
  readonly #readable: boolean;
  readonly #writable: boolean;
  #position = 0;

  constructor(base: Base, mount: Mount, inode: Inode, content: Content, options: OpenOptions) {
    super(base, mount, inode, options);
    this.#content = content;
    this.#readable = options.read;
    this.#writable = options.write;
  }

  read(target: Uint8Array): number {
    if (!this.#readable) return -Errno.EBADF;
    const count = this.#content.readAt(target, this.#position);
    if (count > 0) this.#position += count;
    return count;
  }

  readAt(target: Uint8Array, offset: number): number {
    if (!this.#readable) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    return this.#content.readAt(target, offset);
  }

  write(source: Uint8Array): number {
    if (!this.#writable) return -Errno.EBADF;
    if (this.append) this.#position = this.#content.sizeBytes();
    if (source.length === 0) return 0;
    const count = this.#content.writeAt(source, this.#position);
    if (count > 0) this.#position += count;
    return count;
  }

  /** With O_APPEND Linux appends whatever the offset says, and so does POSIX's text of `pwrite` forbid; wasmtime follows Linux. */
  writeAt(source: Uint8Array, offset: number): number {
    if (!this.#writable) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    if (source.length === 0) return 0;
    return this.#content.writeAt(source, this.append ? this.#content.sizeBytes() : offset);
  }

  seek(offset: number, whence: Whence): number {
    const start = whence === "set" ? 0 : whence === "current" ? this.#position : this.#content.sizeBytes();
    const position = start + offset;
    if (position < 0) return -Errno.EINVAL;
    if (!Number.isSafeInteger(position)) return -Errno.EOVERFLOW;
    this.#position = position;
    return position;
  }

  truncate(sizeBytes: number): number {
    if (!this.#writable) return -Errno.EINVAL;
    if (sizeBytes < 0) return -Errno.EINVAL;
    return this.#content.truncate(sizeBytes);
  }

  allocate(offset: number, length: number): number {
    if (!this.#writable) return -Errno.EBADF;
    if (offset < 0 || length <= 0) return -Errno.EINVAL;
    if (!Number.isSafeInteger(offset + length)) return -Errno.EFBIG;
    return this.#content.allocate(offset, length);
  }

  override stat(into: Stat): number {
    return this.#content.stat?.(into) ?? super.stat(into);
  }

  override setTimes(access: TimeChange, modify: TimeChange): number {
    const { setTimes } = this.#content;
    if (setTimes === undefined) return super.setTimes(access, modify);
    return this.mount.readOnly ? -Errno.EROFS : setTimes.call(this.#content, access, modify);
  }

  sync(dataOnly: boolean): number {
    return this.#content.sync(dataOnly);
  }

  readableBytes(): number {
    return Math.max(0, this.#content.sizeBytes() - this.#position);
  }

  close(): void {
    this.#content.release();
  }

  readDirectory(): number {
    return -Errno.ENOTDIR;
  }
  openAt(): OpenFile | Failure {
    return -Errno.ENOTDIR;
  }
  statAt(): number {
    return -Errno.ENOTDIR;
  }
  setTimesAt(): number {
    return -Errno.ENOTDIR;
  }
  makeDirectoryAt(): number {
    return -Errno.ENOTDIR;
  }
  removeDirectoryAt(): number {
    return -Errno.ENOTDIR;
  }
  unlinkAt(): number {
    return -Errno.ENOTDIR;
  }
  readLinkAt(): string | Failure {
    return -Errno.ENOTDIR;
  }
  makeSymlinkAt(): number {
    return -Errno.ENOTDIR;
  }
  linkAt(): number {
    return -Errno.ENOTDIR;
  }
  renameAt(): number {
    return -Errno.ENOTDIR;
  }
}

export class Directory extends InodeFile implements OpenFile {
  readonly type: FileType = FileType.directory;
  /** From where its paths are walked. */
  readonly here: Base;
  #listing: Listing | undefined;

  /** @param ceiling see `Base` */
  constructor(base: Base, mount: Mount, inode: DirectoryInode, ceiling: DirectoryInode | undefined) {
    super(base, mount, inode, { append: false, nonblock: false });
    this.here = { mount, directory: inode, ceiling, root: base.root, who: base.who };
  }

  read(): number {
    return -Errno.EISDIR;
  }
  readAt(): number {
    return -Errno.EISDIR;
  }
  write(): number {
    return -Errno.EBADF;
  }
  writeAt(): number {
    return -Errno.EBADF;
  }
  seek(): number {
    return -Errno.EISDIR;
  }
  truncate(): number {
    return -Errno.EISDIR;
  }
  allocate(): number {
    return -Errno.EISDIR;
  }
  sync(): number {
    return 0;
  }
  readableBytes(): number {
    return 0;
  }

  readDirectory(cookie: number, sink: DirEntrySink): number {
    this.#listing ??= this.here.directory.list();
    return this.#listing.read(cookie, sink);
  }

  close(): void {
    this.#listing?.close();
    this.#listing = undefined;
  }

  openAt(path: string, options: OpenOptions): OpenFile | Failure {
    return operations.open(this.here, path, options);
  }
  statAt(path: string, followLast: boolean, into: Stat): number {
    return operations.stat(this.here, path, followLast, into);
  }
  setTimesAt(path: string, followLast: boolean, access: TimeChange, modify: TimeChange): number {
    return operations.setTimes(this.here, path, followLast, access, modify);
  }
  makeDirectoryAt(path: string, mode: number): number {
    return operations.makeDirectory(this.here, path, mode);
  }
  removeDirectoryAt(path: string): number {
    return operations.removeDirectory(this.here, path);
  }
  unlinkAt(path: string): number {
    return operations.unlink(this.here, path);
  }
  readLinkAt(path: string): string | Failure {
    return operations.readLink(this.here, path);
  }
  makeSymlinkAt(target: string, path: string): number {
    return operations.makeSymlink(this.here, target, path);
  }
  linkAt(path: string, followLast: boolean, to: OpenFile, toPath: string): number {
    if (!(to instanceof Directory)) return -Errno.ENOTDIR;
    return operations.link(this.here, path, followLast, to.here, toPath);
  }
  renameAt(path: string, to: OpenFile, toPath: string): number {
    if (!(to instanceof Directory)) return -Errno.ENOTDIR;
    return operations.rename(this.here, path, to.here, toPath);
  }
}
