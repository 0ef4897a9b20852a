/** An `OpenFile` that is neither a regular file nor a directory: everything answers what POSIX answers for such a thing. */
import { Errno } from "../../../shim/abi/errno.ts";
import type { FileType } from "../../../shim/abi/filetype.ts";
import type { Readiness, Stat } from "../../../shim/abi/system.ts";
import { FileBase } from "../vfs/file-base.ts";

export abstract class SpecialFile extends FileBase {
  readonly type: FileType;
  readonly #inode: bigint;

  constructor(type: FileType, inode: bigint) {
    super();
    this.type = type;
    this.#inode = inode;
  }

  abstract override readiness(wanted: Readiness): Readiness;

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
}
