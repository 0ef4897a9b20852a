/** An `OpenFile` that is neither a regular file nor a directory: everything answers what POSIX answers for such a thing. */
import { Errno } from "../../../shim/abi/errno.ts";
import type { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, Readiness, Stat } from "../../../shim/abi/system.ts";

export abstract class SpecialFile implements OpenFile {
  readonly type: FileType;
  append = false;
  nonblock = false;
  readonly #inode: bigint;

  constructor(type: FileType, inode: bigint) {
    this.type = type;
    this.#inode = inode;
  }

  setStatus(append: boolean, nonblock: boolean): number {
    this.append = append;
    this.nonblock = nonblock;
    return 0;
  }

  abstract read(target: Uint8Array): number;
  abstract write(source: Uint8Array): number;
  abstract readableBytes(): number;
  abstract readiness(wanted: Readiness): Readiness;

  readAt(): number {
    return -Errno.ESPIPE;
  }
  writeAt(): number {
    return -Errno.ESPIPE;
  }
  seek(): number {
    return -Errno.ESPIPE;
  }

  stat(into: Stat): number {
    into.device = 0n;
    into.inode = this.#inode;
    into.type = this.type;
    into.mode = 0o666;
    into.uid = 0;
    into.gid = 0;
    into.linkCount = 1;
    into.sizeBytes = 0;
    into.atimeNs = 0n;
    into.mtimeNs = 0n;
    into.ctimeNs = 0n;
    return 0;
  }

  truncate(): number {
    return -Errno.EINVAL;
  }
  allocate(): number {
    return -Errno.ESPIPE;
  }
  setTimes(): number {
    return 0;
  }
  /** Linux answers EINVAL for what can't be synced. */
  sync(): number {
    return -Errno.EINVAL;
  }
  close(): void {}

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
