/** One number in a guest's table: an open file, and what the guest may do with it. */
import { Errno } from "./abi/errno.ts";
import { FileType } from "./abi/filetype.ts";
import { FdFlags } from "./abi/flags.ts";
import { Rights } from "./abi/rights.ts";
import type { OpenFile } from "./abi/system.ts";

const EVERY_FILE: Rights =
  Rights.FD_DATASYNC |
  Rights.FD_SYNC |
  Rights.FD_FDSTAT_SET_FLAGS |
  Rights.FD_FILESTAT_GET |
  Rights.FD_FILESTAT_SET_TIMES |
  Rights.POLL_FD_READWRITE;

const REGULAR_FILE: Rights =
  EVERY_FILE | Rights.FD_SEEK | Rights.FD_TELL | Rights.FD_ADVISE | Rights.FD_READ | Rights.FD_WRITE;

/** What the right to write brings with it. */
const REGULAR_FILE_WRITTEN: Rights = Rights.FD_ALLOCATE | Rights.FD_FILESTAT_SET_SIZE;

const DIRECTORY: Rights =
  EVERY_FILE |
  Rights.PATH_CREATE_DIRECTORY |
  Rights.PATH_CREATE_FILE |
  Rights.PATH_LINK_SOURCE |
  Rights.PATH_LINK_TARGET |
  Rights.PATH_OPEN |
  Rights.FD_READDIR |
  Rights.PATH_READLINK |
  Rights.PATH_RENAME_SOURCE |
  Rights.PATH_RENAME_TARGET |
  Rights.PATH_FILESTAT_GET |
  Rights.PATH_FILESTAT_SET_SIZE |
  Rights.PATH_FILESTAT_SET_TIMES |
  Rights.PATH_SYMLINK |
  Rights.PATH_REMOVE_DIRECTORY |
  Rights.PATH_UNLINK_FILE;

/** Pipes, terminals, devices: no positions. A character device that can't seek is what wasi-libc's `isatty` takes for a terminal. */
const STREAM: Rights = EVERY_FILE | Rights.FD_READ | Rights.FD_WRITE;

/** Flags that a descriptor keeps; the file itself knows the other two. */
export const SYNC_FLAGS = FdFlags.DSYNC | FdFlags.RSYNC | FdFlags.SYNC;

/** What descriptors opened through a directory may have. */
export const INHERITED_RIGHTS: Rights = DIRECTORY | REGULAR_FILE | REGULAR_FILE_WRITTEN;

/**
 * What makes sense for an open file.
 *
 * Only reading and writing depend on what was asked for: programs ask for too few of the others, and wasmtime grants them too.
 */
export function rightsFor(type: FileType, read: boolean, write: boolean): Rights {
  if (type === FileType.directory) return DIRECTORY;
  const denied = (read ? 0 : Rights.FD_READ) | (write ? 0 : Rights.FD_WRITE);
  if (type !== FileType.regularFile) return STREAM & ~denied;
  return (REGULAR_FILE & ~denied) | (write ? REGULAR_FILE_WRITTEN : 0);
}

export class Descriptor {
  /** Changes only when the files move to another kernel: the guest sees no difference. */
  file: OpenFile;
  rightsBase: Rights;
  /** What descriptors opened through it may have. */
  rightsInheriting: Rights;
  /** Those of `SYNC_FLAGS`. */
  syncFlags: number;
  /** Its name in UTF-8 when the guest found it open at its start. */
  readonly preopenName: Uint8Array | undefined;

  constructor(
    file: OpenFile,
    rightsBase: Rights,
    rightsInheriting: Rights,
    syncFlags = 0,
    preopenName: Uint8Array | undefined = undefined,
  ) {
    this.file = file;
    this.rightsBase = rightsBase;
    this.rightsInheriting = rightsInheriting;
    this.syncFlags = syncFlags;
    this.preopenName = preopenName;
  }

  /** Status flags, as `FdFlags`. */
  get flags(): number {
    const { append, nonblock } = this.file;
    return (append ? FdFlags.APPEND : 0) | (nonblock ? FdFlags.NONBLOCK : 0) | this.syncFlags;
  }

  /** @returns 0, or what the file answers */
  setFlags(flags: number): number {
    const answer = this.file.setStatus((flags & FdFlags.APPEND) !== 0, (flags & FdFlags.NONBLOCK) !== 0);
    if (answer >= 0) this.syncFlags = flags & SYNC_FLAGS;
    return answer;
  }

  /** Gives rights away: these are what is left. */
  setRights(base: Rights, inheriting: Rights): void {
    this.rightsBase = base;
    this.rightsInheriting = inheriting;
  }

  may(rights: Rights): boolean {
    return (this.rightsBase & rights) === rights;
  }

  /**
   * Why something may not be done: what POSIX says of such a file; else EBADF when it isn't open for that (EINVAL for
   * its size, as Linux has it); else ENOTCAPABLE, when the guest has given the right away.
   */
  refusal(right: Rights): Errno {
    const type = this.file.type;
    if ((DIRECTORY & ~EVERY_FILE & right) !== 0 && type !== FileType.directory) return Errno.ENOTDIR;
    if (type === FileType.directory && (right & (Rights.FD_READ | Rights.FD_SEEK | Rights.FD_TELL)) !== 0) {
      return Errno.EISDIR;
    }
    if (type !== FileType.directory && type !== FileType.regularFile && (STREAM & right) === 0)
      return Errno.ESPIPE;
    if (type === FileType.regularFile && right === Rights.FD_FILESTAT_SET_SIZE) return Errno.EINVAL;
    if ((right & (Rights.FD_READ | Rights.FD_WRITE | REGULAR_FILE_WRITTEN)) !== 0) return Errno.EBADF;
    return type === FileType.directory && (DIRECTORY & right) === 0 ? Errno.EBADF : Errno.ENOTCAPABLE;
  }
}
