/**
 * What the resolver and the operations above it need of a file system: names in directories, and what they name.
 *
 * Rules that hold for every file system (permissions, sticky bits, types, mount points) are judged above this
 * interface, by `DirectoryFile`; a file system is told what to do, and answers what only it can know (ENOSPC, EIO).
 */
import type { FileType } from "../../../shim/abi/filetype.ts";
import type {
  DirEntrySink,
  Failure,
  OpenFile,
  OpenOptions,
  Stat,
  TimeChange,
} from "../../../shim/abi/system.ts";
import type { Credentials, Owned } from "./credentials.ts";
import type { Keeper } from "./keeper.ts";
import type { LockTable } from "./lock-table.ts";

/** A file system: something that can be mounted. */
export interface Tree {
  /** `st_dev`; different for each tree of a container. */
  readonly device: bigint;
  readonly root: Dentry;
  /** Nothing in it can be changed, however it is mounted. */
  readonly readOnly: boolean;
  /** What keeps it on disk, where wpod does. */
  readonly keeper?: Keeper | undefined;
  /** Advisory locks on its files. */
  readonly locks: LockTable;
  /** A part of it that gets mounted: stays this dentry and this file, whatever becomes of its name. 0 or an `Errno`. */
  pin?(root: Dentry): number;
  /**
   * What another thread has open: the same directory or file, held, wherever it is by now. ESTALE when it isn't open there
   * any more.
   * @param held of a tree of the same source. @param names where it was, from the root
   */
  adopt?(held: HeldFile, names: readonly string[]): Dentry | Failure;
}

/** What a thread has open of the host. Another thread finds it by the number, which may be another file's by then. */
export interface HeldFile {
  readonly fd: number;
  readonly identity: string;
}

/** What an open description must know of the mount that it was opened through. */
export interface MountFlags {
  readonly readOnly: boolean;
}

/**
 * A name in a directory, with what it names: Linux's word. Attributes are those of the file, as of now.
 * One directory has one dentry at a time; a file may have many.
 */
export interface Dentry extends Owned {
  readonly tree: Tree;
  /** The directory that holds the name; stays after a removal. Undefined: the root of its tree. */
  readonly up: Dentry | undefined;
  /** By what another thread can `adopt` it. Undefined: nobody holds it, or a snapshot has it. */
  readonly held?: HeldFile | undefined;
  /** Its last name; empty for the root of its tree. */
  readonly name: string;
  readonly type: FileType;
  readonly inode: bigint;
  /** How many mounts of any table stand on it. Kept by `MountTable`. */
  mountCount: number;

  isSameFile(other: Dentry): boolean;
  stat(into: Stat): number;
  setTimes(access: TimeChange, modify: TimeChange): number;
  /** The target of a symbolic link. */
  readTarget(): string | Failure;
  /** Opens what is no directory and no link. Access was judged; O_TRUNC is done here. */
  openFile(options: OpenOptions, mount: MountFlags, credentials: Credentials): OpenFile | Failure;

  // On directories only. An open one is held, each time: it stays the same directory, whatever becomes of its name.
  hold(): number;
  release(): void;
  // `name` is one component, never "." or "..".
  /** ENOENT when there is no such name. */
  lookUp(name: string): Dentry | Failure;
  /** One for each open directory: it keeps the cookies of its entries. */
  openDirectory(): DirectoryReader | Failure;
  createFile(name: string, mode: number, uid: number, gid: number): Dentry | Failure;
  makeDirectory(name: string, mode: number, uid: number, gid: number): Dentry | Failure;
  makeSymlink(name: string, target: string, uid: number, gid: number): Dentry | Failure;
  /** EMLINK beyond what a file can have. */
  addLink(name: string, file: Dentry): number;
  unlink(name: string, child: Dentry): number;
  /** ENOTEMPTY. */
  removeDirectory(name: string, child: Dentry): number;
  /** `replaced` is of the same kind as `child`; ENOTEMPTY when it is a directory that isn't empty. */
  rename(name: string, child: Dentry, to: Dentry, toName: string, replaced: Dentry | undefined): number;
}

/** The entries of one open directory, `.` and `..` not among them. */
export interface DirectoryReader {
  /**
   * Gives entries to `sink` until it is full or the end has come.
   * @param from 0 is the start; else what followed the last entry that was taken
   * @param cookieBase added to every cookie that the sink gets
   */
  read(from: number, cookieBase: number, sink: DirEntrySink): number;
  close(): void;
}
