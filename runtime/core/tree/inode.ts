/**
 * What a name stands for: a file, a directory, a link or a device, of this memory or of somebody else's disk.
 *
 * Everything that a path walk and an open file need, and nothing about paths, descriptors or access modes: those are
 * the same for every kind of file system, and stand above. Answers are counts or negative `Errno`s.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import type { FileType } from "../../../shim/abi/filetype.ts";
import type { DirEntrySink, Failure, OpenFile, Stat, TimeChange } from "../../../shim/abi/system.ts";
import type { Mount } from "./mount-table.ts";

/** Who acts. `uid` 0 may do everything that permissions would refuse. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Bits that a new file doesn't get. */
  readonly umask: number;
}

/** Owner and permissions of what is made. */
export interface Making {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Bytes of an open regular file. */
export interface Content {
  readAt(target: Uint8Array, offset: number): number;
  writeAt(source: Uint8Array, offset: number): number;
  sizeBytes(): number;
  truncate(sizeBytes: number): number;
  allocate(offset: number, length: number): number;
  sync(dataOnly: boolean): number;
  /** As the inode's, but of the file that is open, whatever its name leads to now. */
  stat?(into: Stat): number;
  setTimes?(access: TimeChange, modify: TimeChange): number;
  /** Nobody holds this description any more. */
  release(): void;
}

export abstract class Inode {
  abstract readonly type: FileType;
  /** What is mounted over this directory or file, in the one container that this tree belongs to. */
  abstract covered: Mount | undefined;

  abstract stat(into: Stat): number;
  abstract setTimes(access: TimeChange, modify: TimeChange): number;
  abstract get mode(): number;
  abstract get uid(): number;
  abstract get gid(): number;

  /** The same file, however it was found: an inode of the host may be seen through several objects. */
  is(other: Inode): boolean {
    return this === other;
  }

  /** Bytes of a regular file, for as long as a description is open. */
  openContent(_write: boolean): Content | Failure {
    return -Errno.EINVAL;
  }

  /** What a device answers when it is opened; undefined for what is no device. */
  openDevice(): OpenFile | Failure | undefined {
    return undefined;
  }

  readLink(): string | Failure {
    return -Errno.EINVAL;
  }
}

/** A place in a directory's listing that the next call goes on from. */
export interface Listing {
  /** From this cookie on; the sink may refuse, and is given the same entry at the next call. */
  read(cookie: number, sink: DirEntrySink): number;
  close(): void;
}

export abstract class DirectoryInode extends Inode {
  /** Undefined where there is no such name. */
  abstract lookup(name: string): Inode | Failure | undefined;
  /** The directory above, in the same file system; itself at the root. */
  abstract get parent(): DirectoryInode;

  // The caller has checked that the name is free (or there), the permissions, and that nothing is mounted on it.
  abstract createFile(name: string, making: Making): Inode | Failure;
  abstract makeDirectory(name: string, making: Making): number;
  abstract makeSymlink(name: string, target: string, making: Making): number;
  abstract link(name: string, inode: Inode): number;
  abstract unlink(name: string, inode: Inode): number;
  abstract removeDirectory(name: string, inode: DirectoryInode): number;
  /** `replaced` is what stands under the new name; the kinds fit, and a directory is empty. */
  abstract rename(
    name: string,
    inode: Inode,
    to: DirectoryInode,
    toName: string,
    replaced: Inode | undefined,
  ): number;
  abstract isEmpty(): boolean;
  abstract list(): Listing;
  /** It was removed while it was open: nothing can be made in it. */
  abstract get removed(): boolean;
  /** Both are of one file system: links and renames between them are possible. */
  abstract sameFileSystem(other: Inode): boolean;
}

export const PERMIT_READ = 4;
export const PERMIT_WRITE = 2;
export const PERMIT_EXECUTE = 1;

/** @see path_resolution(7) */
export function permits(inode: Inode, who: Credentials, wanted: number): boolean {
  if (who.uid === 0) return true;
  const mode = inode.mode;
  let bits = mode & 7;
  if (inode.uid === who.uid) bits = (mode >> 6) & 7;
  else if (inode.gid === who.gid || who.groups.includes(inode.gid)) bits = (mode >> 3) & 7;
  return (bits & wanted) === wanted;
}
