/** An `OpenFile` that is no directory: operations relative to a directory answer ENOTDIR. */
import { Errno } from "../../../shim/abi/errno.ts";
import type { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, Readiness, Stat, TimeChange, Whence } from "../../../shim/abi/system.ts";

export abstract class FileBase implements OpenFile {
  abstract readonly type: FileType;
  append = false;
  nonblock = false;

  setStatus(append: boolean, nonblock: boolean): number {
    this.append = append;
    this.nonblock = nonblock;
    return 0;
  }

  abstract read(target: Uint8Array): number;
  abstract write(source: Uint8Array): number;
  abstract readAt(target: Uint8Array, offset: number): number;
  abstract writeAt(source: Uint8Array, offset: number): number;
  abstract seek(offset: number, whence: Whence): number;
  abstract stat(into: Stat): number;
  abstract truncate(sizeBytes: number): number;
  abstract allocate(offset: number, length: number): number;
  abstract setTimes(access: TimeChange, modify: TimeChange): number;
  abstract sync(dataOnly: boolean): number;
  abstract readableBytes(): number;
  abstract close(): void;

  readiness(wanted: Readiness): Readiness {
    return wanted;
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
