/**
 * An open directory, of any tree: every operation that names a path. Here stand the rules of POSIX that hold for all
 * file systems; each is checked before anything is changed.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type {
  DirEntrySink,
  Failure,
  LockKind,
  OpenFile,
  OpenOptions,
  Readiness,
  Stat,
  TimeChange,
} from "../../../shim/abi/system.ts";
import { Access, type Credentials, isHeldBySticky, isPermitted } from "./credentials.ts";
import type { Dentry, DirectoryReader } from "./dentry.ts";
import { Lock, type Lockable, lockAlone } from "./lock-table.ts";
import type { Mount } from "./mount.ts";
import type { MountTable } from "./mount-table.ts";
import { Follow, Last, PATH_BYTES_MAX, type PathWalk } from "./path-walk.ts";
import { mayChangeTimes } from "./times.ts";
import { utf8Length } from "./utf8.ts";

/** `.` and `..` come first: cookies 1 and 2 follow them, and those of the entries begin behind. */
const DOT_COOKIES = 2;
const SETGID = 0o2000;

export class DirectoryFile implements OpenFile, Lockable {
  readonly type = FileType.directory;
  append = false;
  nonblock = false;
  readonly table: MountTable;
  readonly mount: Mount;
  readonly dentry: Dentry;
  readonly credentials: Credentials;
  /** A capability: it can't be left. So can't what is opened through it. */
  readonly beneath: boolean;
  #reader: DirectoryReader | undefined = undefined;
  #lock: Lock | undefined = undefined;

  /** The dentry is held by who makes this; `close` releases it. */
  constructor(table: MountTable, mount: Mount, dentry: Dentry, credentials: Credentials, beneath: boolean) {
    this.table = table;
    this.mount = mount;
    this.dentry = dentry;
    this.credentials = credentials;
    this.beneath = beneath;
  }

  setStatus(append: boolean, nonblock: boolean): number {
    this.append = append;
    this.nonblock = nonblock;
    return 0;
  }

  read(): number {
    return -Errno.EISDIR;
  }
  write(): number {
    return -Errno.EBADF;
  }
  readAt(): number {
    return -Errno.EISDIR;
  }
  writeAt(): number {
    return -Errno.EBADF;
  }
  /** Its position is a cookie, which `readDirectory` is told. */
  seek(): number {
    return -Errno.EISDIR;
  }
  truncate(): number {
    return -Errno.EINVAL;
  }
  allocate(): number {
    return -Errno.EBADF;
  }
  /** As the whole file system: its names are in the same journal as everything. */
  sync(): number {
    return this.dentry.tree.keeper?.sync() ?? 0;
  }
  readiness(wanted: Readiness): Readiness {
    return wanted;
  }
  readableBytes(): number {
    return 0;
  }

  stat(into: Stat): number {
    return this.dentry.stat(into);
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
    const refused = mayChangeTimes(this.dentry, this.mount, this.credentials, access, modify);
    return refused < 0 ? refused : this.dentry.setTimes(access, modify);
  }

  get ownLock(): Lock {
    this.#lock ??= new Lock(this.dentry.tree.locks, this.dentry.inode);
    return this.#lock;
  }
  get lockKind(): LockKind {
    return this.#lock?.kind ?? "none";
  }
  lock(kind: LockKind, wait: boolean): number {
    return lockAlone(this.ownLock, kind, wait);
  }

  close(): void {
    this.#lock?.close();
    this.#reader?.close();
    this.#reader = undefined;
    this.dentry.release();
  }

  readDirectory(cookie: number, sink: DirEntrySink): number {
    if (!isPermitted(this.dentry, this.credentials, Access.read)) return -Errno.EACCES;
    if (this.#reader === undefined) {
      const reader = this.dentry.openDirectory();
      if (typeof reader === "number") return reader;
      this.#reader = reader;
    }
    if (cookie < 1 && !sink(1, this.dentry.inode, FileType.directory, ".")) return 0;
    if (cookie < 2 && !sink(2, this.#parentInode(), FileType.directory, "..")) return 0;
    return this.#reader.read(Math.max(0, cookie - DOT_COOKIES), DOT_COOKIES, sink);
  }

  #parentInode(): bigint {
    let mount = this.mount;
    let dentry = this.dentry;
    while (dentry === mount.root) {
      if (mount.parent === undefined) return dentry.inode;
      dentry = mount.point!;
      mount = mount.parent;
    }
    return mount.reaches(dentry) ? (dentry.up ?? dentry).inode : dentry.inode;
  }

  #walk(walk: PathWalk, path: string, follow: Follow): number {
    return walk.run(this.mount, this.dentry, path, follow, this.credentials, this.beneath);
  }

  /**
   * The directory in which a call on this path would change a name, and what has that name: as of now, nothing is changed.
   * @param options of an `openAt`; else a link at the end is followed only where that is said
   */
  placesOf(path: string, options: OpenOptions | undefined, followLast: boolean): Dentry[] {
    const { walk } = this.table;
    const follow =
      options === undefined ? (followLast ? Follow.always : Follow.never) : followToOpen(options);
    if (this.#walk(walk, path, follow) < 0) return [];
    return walk.found === undefined ? [walk.directory] : [walk.directory, walk.found];
  }

  openAt(path: string, options: OpenOptions): OpenFile | Failure {
    if (options.create && options.directory) return -Errno.EINVAL;
    const walk = this.table.walk;
    const failure = this.#walk(walk, path, followToOpen(options));
    if (failure < 0) return failure;
    // Linux doesn't look at what is there.
    if (options.create && walk.slash) return -Errno.EISDIR;
    return walk.found === undefined
      ? this.#create(walk, options)
      : this.#openFound(walk, walk.found, options);
  }

  #openFound(walk: PathWalk, found: Dentry, options: OpenOptions): OpenFile | Failure {
    if (options.create && options.exclusive) return -Errno.EEXIST;
    if (found.type === FileType.symbolicLink) return options.directory ? -Errno.ENOTDIR : -Errno.ELOOP;
    const writes = options.write || options.truncate;
    if (found.type === FileType.directory) {
      if (writes || options.create) return -Errno.EISDIR;
      if (options.read && !isPermitted(found, this.credentials, Access.read)) return -Errno.EACCES;
      const mount = walk.foundMount;
      const held = found.hold();
      return held < 0 ? held : new DirectoryFile(this.table, mount, found, this.credentials, this.beneath);
    }
    if (options.directory) return -Errno.ENOTDIR;
    const wanted = (options.read ? Access.read : 0) | (writes ? Access.write : 0);
    if (!isPermitted(found, this.credentials, wanted)) return -Errno.EACCES;
    // A read-only mount says nothing about what stands behind a device.
    if (writes && walk.foundMount.readOnly && found.type === FileType.regularFile) return -Errno.EROFS;
    return found.openFile(options, walk.foundMount, this.credentials);
  }

  #create(walk: PathWalk, options: OpenOptions): OpenFile | Failure {
    if (!options.create) return -Errno.ENOENT;
    const refused = this.#mayAdd(walk);
    if (refused < 0) return refused;
    const directory = walk.directory;
    const mount = walk.directoryMount;
    const mode = options.mode & 0o7777 & ~this.credentials.umask;
    const made = directory.createFile(walk.name, mode, this.credentials.uid, this.#groupOf(directory));
    if (typeof made === "number") return made;
    return made.openFile(
      options.truncate ? { ...options, truncate: false } : options,
      mount,
      this.credentials,
    );
  }

  /** Files in a setgid directory get its group. @see inode(7) */
  #groupOf(directory: Dentry): number {
    return (directory.mode & SETGID) !== 0 ? directory.gid : this.credentials.gid;
  }

  /** May a name be added where the walk ended? */
  #mayAdd(walk: PathWalk): number {
    if (walk.directoryMount.readOnly) return -Errno.EROFS;
    return isPermitted(walk.directory, this.credentials, Access.write | Access.execute) ? 0 : -Errno.EACCES;
  }

  /** May this name be taken away? */
  #mayRemove(walk: PathWalk, child: Dentry): number {
    const refused = this.#mayAdd(walk);
    if (refused < 0) return refused;
    if (isHeldBySticky(walk.directory, child, this.credentials)) return -Errno.EPERM;
    return 0;
  }

  statAt(path: string, followLast: boolean, into: Stat): number {
    const walk = this.table.walk;
    const failure = this.#walk(walk, path, followLast ? Follow.always : Follow.beforeSlash);
    if (failure < 0) return failure;
    return walk.found === undefined ? -Errno.ENOENT : walk.found.stat(into);
  }

  setTimesAt(path: string, followLast: boolean, access: TimeChange, modify: TimeChange): number {
    const walk = this.table.walk;
    const failure = this.#walk(walk, path, followLast ? Follow.always : Follow.beforeSlash);
    if (failure < 0) return failure;
    const found = walk.found;
    if (found === undefined) return -Errno.ENOENT;
    const refused = mayChangeTimes(found, walk.foundMount, this.credentials, access, modify);
    return refused < 0 ? refused : found.setTimes(access, modify);
  }

  makeDirectoryAt(path: string, mode: number): number {
    const walk = this.table.walk;
    const failure = this.#walk(walk, path, Follow.never);
    if (failure < 0) return failure;
    if (walk.found !== undefined) return -Errno.EEXIST;
    const refused = this.#mayAdd(walk);
    if (refused < 0) return refused;
    const directory = walk.directory;
    const inherited = directory.mode & SETGID;
    const bits = (mode & 0o1777 & ~this.credentials.umask) | inherited;
    const made = directory.makeDirectory(walk.name, bits, this.credentials.uid, this.#groupOf(directory));
    return typeof made === "number" ? made : 0;
  }

  removeDirectoryAt(path: string): number {
    const walk = this.table.walk;
    const failure = this.#walk(walk, path, Follow.never);
    if (failure < 0) return failure;
    if (walk.last === Last.dot) return -Errno.EINVAL;
    if (walk.last === Last.dotdot) return -Errno.ENOTEMPTY;
    if (walk.last === Last.root) return -Errno.EBUSY;
    const found = walk.found;
    if (found === undefined) return -Errno.ENOENT;
    const refused = this.#mayRemove(walk, found);
    if (refused < 0) return refused;
    if (found.type !== FileType.directory) return -Errno.ENOTDIR;
    if (isBusy(walk, found)) return -Errno.EBUSY;
    return walk.directory.removeDirectory(walk.name, found);
  }

  unlinkAt(path: string): number {
    const walk = this.table.walk;
    const failure = this.#walk(walk, path, Follow.never);
    if (failure < 0) return failure;
    if (walk.last !== Last.name) return -Errno.EISDIR;
    const found = walk.found;
    if (found === undefined) return -Errno.ENOENT;
    if (walk.slash) return found.type === FileType.directory ? -Errno.EISDIR : -Errno.ENOTDIR;
    const refused = this.#mayRemove(walk, found);
    if (refused < 0) return refused;
    if (found.type === FileType.directory) return -Errno.EISDIR;
    if (isBusy(walk, found)) return -Errno.EBUSY;
    return walk.directory.unlink(walk.name, found);
  }

  readLinkAt(path: string): string | Failure {
    const walk = this.table.walk;
    const failure = this.#walk(walk, path, Follow.beforeSlash);
    if (failure < 0) return failure;
    const found = walk.found;
    if (found === undefined) return -Errno.ENOENT;
    return found.type === FileType.symbolicLink ? found.readTarget() : -Errno.EINVAL;
  }

  makeSymlinkAt(target: string, path: string): number {
    if (target.length === 0) return -Errno.ENOENT;
    if (utf8Length(target) > PATH_BYTES_MAX) return -Errno.ENAMETOOLONG;
    // It could never be followed from here, and would lead a program with other rights astray.
    if (this.beneath && target.startsWith("/")) return -Errno.EPERM;
    const walk = this.table.walk;
    const failure = this.#walk(walk, path, Follow.never);
    if (failure < 0) return failure;
    if (walk.found !== undefined) return -Errno.EEXIST;
    if (walk.slash) return -Errno.ENOENT;
    const refused = this.#mayAdd(walk);
    if (refused < 0) return refused;
    const directory = walk.directory;
    const made = directory.makeSymlink(walk.name, target, this.credentials.uid, this.#groupOf(directory));
    return typeof made === "number" ? made : 0;
  }

  linkAt(path: string, followLast: boolean, to: OpenFile, toPath: string): number {
    if (!(to instanceof DirectoryFile)) return -Errno.ENOTDIR;
    const from = this.table.walk;
    const failure = this.#walk(from, path, followLast ? Follow.always : Follow.beforeSlash);
    if (failure < 0) return failure;
    const file = from.found;
    if (file === undefined) return -Errno.ENOENT;
    const target = this.table.walkTo;
    const failureTo = to.#walk(target, toPath, Follow.never);
    if (failureTo < 0) return failureTo;
    if (target.found !== undefined) return -Errno.EEXIST;
    if (target.slash) return -Errno.ENOENT;
    if (from.foundMount !== target.directoryMount) return -Errno.EXDEV;
    const refused = to.#mayAdd(target);
    if (refused < 0) return refused;
    if (file.type === FileType.directory) return -Errno.EPERM;
    return target.directory.addLink(target.name, file);
  }

  renameAt(path: string, to: OpenFile, toPath: string): number {
    if (!(to instanceof DirectoryFile)) return -Errno.ENOTDIR;
    const from = this.table.walk;
    const failure = this.#walk(from, path, Follow.never);
    if (failure < 0) return failure;
    const target = this.table.walkTo;
    const failureTo = to.#walk(target, toPath, Follow.never);
    if (failureTo < 0) return failureTo;
    if (from.directoryMount !== target.directoryMount) return -Errno.EXDEV;
    if (from.last !== Last.name || target.last !== Last.name) return -Errno.EBUSY;
    const child = from.found;
    if (child === undefined) return -Errno.ENOENT;
    const replaced = target.found;
    const isDirectory = child.type === FileType.directory;
    if (!isDirectory && (from.slash || target.slash)) return -Errno.ENOTDIR;
    if (isDirectory && isAncestor(child, target.directory)) return -Errno.EINVAL;
    if (replaced !== undefined && isAncestor(replaced, from.directory)) return -Errno.ENOTEMPTY;
    if (replaced?.isSameFile(child)) return 0;
    const refused = this.#mayRename(from, child, to, target, replaced);
    if (refused < 0) return refused;
    return from.directory.rename(from.name, child, target.directory, target.name, replaced);
  }

  #mayRename(
    from: PathWalk,
    child: Dentry,
    to: DirectoryFile,
    target: PathWalk,
    replaced: Dentry | undefined,
  ): number {
    const refusedFrom = this.#mayRemove(from, child);
    if (refusedFrom < 0) return refusedFrom;
    const refusedTo = replaced === undefined ? to.#mayAdd(target) : to.#mayRemove(target, replaced);
    if (refusedTo < 0) return refusedTo;
    const isDirectory = child.type === FileType.directory;
    if (replaced !== undefined) {
      if (isDirectory && replaced.type !== FileType.directory) return -Errno.ENOTDIR;
      if (!isDirectory && replaced.type === FileType.directory) return -Errno.EISDIR;
      if (isBusy(target, replaced)) return -Errno.EBUSY;
    }
    if (isBusy(from, child)) return -Errno.EBUSY;
    // Its ".." is written anew.
    if (
      isDirectory &&
      !from.directory.isSameFile(target.directory) &&
      !isPermitted(child, this.credentials, Access.write)
    ) {
      return -Errno.EACCES;
    }
    return 0;
  }
}

function followToOpen(options: OpenOptions): Follow {
  if (options.create && (options.exclusive || !options.followLast)) return Follow.never;
  if (options.create) return Follow.toCreate;
  return options.followLast ? Follow.always : Follow.beforeSlash;
}

/** Something is mounted there: what was found is the root of a mount, or carries one. */
function isBusy(walk: PathWalk, found: Dentry): boolean {
  return walk.foundMount !== walk.directoryMount || found.mountCount > 0;
}

/** Is `directory` the same as `above`, or under it? */
function isAncestor(above: Dentry, directory: Dentry): boolean {
  if (above.type !== FileType.directory) return false;
  for (let dentry: Dentry | undefined = directory; dentry !== undefined; dentry = dentry.up) {
    if (dentry === above || dentry.isSameFile(above)) return true;
  }
  return false;
}
