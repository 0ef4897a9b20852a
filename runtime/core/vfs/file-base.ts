/** An `OpenFile` that is no directory: operations relative to a directory answer ENOTDIR. */
import { Errno } from "../../../shim/abi/errno.ts";
import type { FileType } from "../../../shim/abi/filetype.ts";
import type {
  DirEntrySink,
  Failure,
  LockKind,
  OpenFile,
  OpenOptions,
  Readiness,
  Stat,
  TimeChange,
  Whence,
} from "../../../shim/abi/system.ts";

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

  lock?(kind: LockKind, wait: boolean): number;

  readiness(wanted: Readiness): Readiness {
    return wanted;
  }
  readDirectory(_cookie: number, _sink: DirEntrySink): number {
    return -Errno.ENOTDIR;
  }
  openAt(_path: string, _options: OpenOptions): OpenFile | Failure {
    return -Errno.ENOTDIR;
  }
  statAt(_path: string, _followLast: boolean, _into: Stat): number {
    return -Errno.ENOTDIR;
  }
  setTimesAt(_path: string, _followLast: boolean, _access: TimeChange, _modify: TimeChange): number {
    return -Errno.ENOTDIR;
  }
  makeDirectoryAt(_path: string, _mode: number): number {
    return -Errno.ENOTDIR;
  }
  removeDirectoryAt(_path: string): number {
    return -Errno.ENOTDIR;
  }
  unlinkAt(_path: string): number {
    return -Errno.ENOTDIR;
  }
  readLinkAt(_path: string): string | Failure {
    return -Errno.ENOTDIR;
  }
  makeSymlinkAt(_target: string, _path: string): number {
    return -Errno.ENOTDIR;
  }
  linkAt(_path: string, _followLast: boolean, _to: OpenFile, _toPath: string): number {
    return -Errno.ENOTDIR;
  }
  renameAt(_path: string, _to: OpenFile, _toPath: string): number {
    return -Errno.ENOTDIR;
  }
}
