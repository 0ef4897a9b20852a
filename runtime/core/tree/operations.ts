/** What POSIX lets a path do: each function is one system call, from a directory on. Answers are 0 or a negative `Errno`. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, OpenOptions, Stat, TimeChange } from "../../../shim/abi/system.ts";
import {
  type Credentials,
  DirectoryInode,
  type Inode,
  type Making,
  PERMIT_EXECUTE,
  PERMIT_READ,
  PERMIT_WRITE,
  permits,
} from "./inode.ts";
import type { Place } from "./mount-table.ts";
import { Directory, RegularFile } from "./open-file.ts";
import { type Base, PATH_BYTES_MAX, type Walk, walk } from "./walk.ts";

const MODE_SET_GID = 0o2000;
const MODE_STICKY = 0o1000;

/** Filled by the walk of the call that is under way; a call never walks inside another's. */
const first = {} as Walk;
const second = {} as Walk;

/** @see open(2) */
export function open(base: Base, path: string, options: OpenOptions): OpenFile | Failure {
  const exclusive = options.create && options.exclusive;
  const answer = walk(base, path, options.followLast && !exclusive, first);
  if (answer < 0) return answer;
  const { inode } = first;
  if (inode === undefined) return options.create ? create(base, first, options) : -Errno.ENOENT;
  if (exclusive) return -Errno.EEXIST;
  return openInode(base, { mount: first.inodeMount, inode }, options, first.slash);
}

function create(base: Base, at: Walk, options: OpenOptions): OpenFile | Failure {
  if (options.directory) return -Errno.EINVAL;
  if (at.slash) return -Errno.EISDIR;
  const refused = refuseMaking(at, base.who);
  if (refused < 0) return refused;
  const inode = at.directory.createFile(at.name, making(at.directory, base.who, options.mode));
  if (typeof inode === "number") return inode;
  // Whoever makes a file may use it as asked, whatever its mode says.
  const content = inode.openContent(options.write);
  return typeof content === "number" ? content : new RegularFile(base, at.mount, inode, content, options);
}

/** Opens what was found. Also for a directory that a container finds open at its start. */
export function openInode(
  base: Base,
  place: Place,
  options: OpenOptions,
  slash: boolean,
): OpenFile | Failure {
  const { inode, mount } = place;
  if (inode instanceof DirectoryInode) {
    if (options.write || options.truncate || (options.create && !options.directory)) return -Errno.EISDIR;
    if (options.read && !permits(inode, base.who, PERMIT_READ)) return -Errno.EACCES;
    return new Directory(base, mount, inode, base.ceiling === undefined ? undefined : inode);
  }
  if (options.directory || slash) return -Errno.ENOTDIR;
  if (inode.type === FileType.symbolicLink) return -Errno.ELOOP;
  const wanted = (options.read ? PERMIT_READ : 0) | (options.write || options.truncate ? PERMIT_WRITE : 0);
  if (!permits(inode, base.who, wanted)) return -Errno.EACCES;
  if (inode.type !== FileType.regularFile) return inode.openDevice() ?? -Errno.ENXIO;
  if ((wanted & PERMIT_WRITE) !== 0 && mount.readOnly) return -Errno.EROFS;
  const content = inode.openContent(options.write || options.truncate);
  if (typeof content === "number") return content;
  if (options.truncate) {
    const cut = content.truncate(0);
    if (cut < 0) {
      content.release();
      return cut;
    }
  }
  return new RegularFile(base, mount, inode, content, options);
}

/** @see stat(2) */
export function stat(base: Base, path: string, followLast: boolean, into: Stat): number {
  const answer = walk(base, path, followLast, first);
  if (answer < 0) return answer;
  const { inode } = first;
  if (inode === undefined) return -Errno.ENOENT;
  if (first.slash && !(inode instanceof DirectoryInode)) return -Errno.ENOTDIR;
  return inode.stat(into);
}

/** @see utimensat(2) */
export function setTimes(
  base: Base,
  path: string,
  followLast: boolean,
  access: TimeChange,
  modify: TimeChange,
): number {
  const answer = walk(base, path, followLast, first);
  if (answer < 0) return answer;
  if (first.inode === undefined) return -Errno.ENOENT;
  if (first.slash && !(first.inode instanceof DirectoryInode)) return -Errno.ENOTDIR;
  return setTimesOf({ mount: first.inodeMount, inode: first.inode }, base.who, access, modify);
}

/** The owner may set any times; who may write, only the present. */
export function setTimesOf(place: Place, who: Credentials, access: TimeChange, modify: TimeChange): number {
  if (place.mount.readOnly) return -Errno.EROFS;
  const { inode } = place;
  if (who.uid !== 0 && who.uid !== inode.uid) {
    const present = access.kind === "now" && modify.kind === "now";
    if (!present) return -Errno.EPERM;
    if (!permits(inode, who, PERMIT_WRITE)) return -Errno.EACCES;
  }
  return inode.setTimes(access, modify);
}

/** @see mkdir(2) */
export function makeDirectory(base: Base, path: string, mode: number): number {
  const answer = walk(base, path, false, first);
  if (answer < 0) return answer;
  if (first.inode !== undefined || first.name === "") return -Errno.EEXIST;
  const refused = refuseMaking(first, base.who);
  if (refused < 0) return refused;
  const { directory } = first;
  const inherited = directory.mode & MODE_SET_GID;
  const own = making(directory, base.who, mode);
  return directory.makeDirectory(first.name, { ...own, mode: own.mode | inherited });
}

/** @see symlink(2) */
export function makeSymlink(base: Base, target: string, path: string): number {
  if (target === "") return -Errno.ENOENT;
  if (target.length >= PATH_BYTES_MAX) return -Errno.ENAMETOOLONG;
  // It would lead out of the capability: what can't be followed isn't made.
  if (base.ceiling !== undefined && target.startsWith("/")) return -Errno.EPERM;
  const answer = walk(base, path, false, first);
  if (answer < 0) return answer;
  if (first.inode !== undefined || first.name === "") return -Errno.EEXIST;
  if (first.slash) return -Errno.ENOENT;
  const refused = refuseMaking(first, base.who);
  if (refused < 0) return refused;
  return first.directory.makeSymlink(first.name, target, making(first.directory, base.who, 0o777));
}

/** @see readlink(2) */
export function readLink(base: Base, path: string): string | Failure {
  const answer = walk(base, path, false, first);
  if (answer < 0) return answer;
  if (first.inode === undefined) return -Errno.ENOENT;
  return first.inode.readLink();
}

/** @see unlink(2) */
export function unlink(base: Base, path: string): number {
  const answer = walk(base, path, false, first);
  if (answer < 0) return answer;
  const { inode } = first;
  if (inode === undefined) return -Errno.ENOENT;
  if (inode instanceof DirectoryInode) return -Errno.EISDIR;
  if (first.slash) return -Errno.ENOTDIR;
  const refused = refuseRemoving(first, inode, base.who);
  return refused < 0 ? refused : first.directory.unlink(first.name, inode);
}

/** @see rmdir(2) */
export function removeDirectory(base: Base, path: string): number {
  const answer = walk(base, path, false, first);
  if (answer < 0) return answer;
  const { inode } = first;
  if (inode === undefined) return -Errno.ENOENT;
  if (first.name === "")
    return endsInDot(path) ? -Errno.EINVAL : endsInDots(path) ? -Errno.ENOTEMPTY : -Errno.EBUSY;
  if (!(inode instanceof DirectoryInode)) return -Errno.ENOTDIR;
  const refused = refuseRemoving(first, inode, base.who);
  if (refused < 0) return refused;
  if (!inode.isEmpty()) return -Errno.ENOTEMPTY;
  return first.directory.removeDirectory(first.name, inode);
}

/** @see link(2) */
export function link(base: Base, path: string, followLast: boolean, toBase: Base, toPath: string): number {
  const from = walk(base, path, followLast, first);
  if (from < 0) return from;
  const { inode } = first;
  if (inode === undefined) return -Errno.ENOENT;
  if (first.slash && !(inode instanceof DirectoryInode)) return -Errno.ENOTDIR;
  const to = walk(toBase, toPath, false, second);
  if (to < 0) return to;
  if (second.inode !== undefined || second.name === "") return -Errno.EEXIST;
  if (second.slash) return -Errno.ENOENT;
  if (inode instanceof DirectoryInode) return -Errno.EPERM;
  if (first.inodeMount !== second.mount || !second.directory.sameFileSystem(inode)) return -Errno.EXDEV;
  const refused = refuseMaking(second, toBase.who);
  if (refused < 0) return refused;
  return second.directory.link(second.name, inode);
}

/** @see rename(2) */
export function rename(base: Base, path: string, toBase: Base, toPath: string): number {
  const from = walk(base, path, false, first);
  if (from < 0) return from;
  const to = walk(toBase, toPath, false, second);
  if (to < 0) return to;
  const { inode } = first;
  const replaced = second.inode;
  if (first.name === "" || second.name === "") {
    return endsInDot(path) || endsInDot(toPath) ? -Errno.EINVAL : -Errno.EBUSY;
  }
  if (inode === undefined) return -Errno.ENOENT;
  const isDirectory = inode instanceof DirectoryInode;
  if (!isDirectory && (first.slash || second.slash)) return -Errno.ENOTDIR;
  if (first.mount !== second.mount || !second.directory.sameFileSystem(first.directory)) return -Errno.EXDEV;
  if (replaced?.is(inode)) return 0;
  if (first.mount.readOnly) return -Errno.EROFS;
  const leaving = refuseRemoving(first, inode, base.who);
  if (leaving < 0) return leaving;
  if (isDirectory && isInside(second.directory, inode)) return -Errno.EINVAL;
  if (replaced === undefined) {
    const entering = refuseMaking(second, toBase.who);
    if (entering < 0) return entering;
  } else {
    if (isInside(first.directory, replaced)) return -Errno.ENOTEMPTY;
    const replacing = refuseRemoving(second, replaced, toBase.who);
    if (replacing < 0) return replacing;
    if (replaced instanceof DirectoryInode) {
      if (!isDirectory) return -Errno.EISDIR;
      if (!replaced.isEmpty()) return -Errno.ENOTEMPTY;
    } else if (isDirectory) {
      return -Errno.ENOTDIR;
    }
  }
  return first.directory.rename(first.name, inode, second.directory, second.name, replaced);
}

/** May a name be added here? */
function refuseMaking(at: Walk, who: Credentials): number {
  if (at.directory.removed) return -Errno.ENOENT;
  if (at.mount.readOnly) return -Errno.EROFS;
  return permits(at.directory, who, PERMIT_WRITE | PERMIT_EXECUTE) ? 0 : -Errno.EACCES;
}

/** May this name be taken away? */
function refuseRemoving(at: Walk, inode: Inode, who: Credentials): number {
  // Something is mounted here, and the name holds it.
  if (at.inodeMount !== at.mount) return -Errno.EBUSY;
  if (at.mount.readOnly) return -Errno.EROFS;
  if (!permits(at.directory, who, PERMIT_WRITE | PERMIT_EXECUTE)) return -Errno.EACCES;
  const sticky = (at.directory.mode & MODE_STICKY) !== 0;
  if (sticky && who.uid !== 0 && who.uid !== inode.uid && who.uid !== at.directory.uid) return -Errno.EPERM;
  return 0;
}

function isInside(directory: DirectoryInode, outer: Inode): boolean {
  for (let at = directory; ; at = at.parent) {
    if (at.is(outer)) return true;
    if (at.parent === at) return false;
  }
}

function making(directory: DirectoryInode, who: Credentials, mode: number): Making {
  const gid = (directory.mode & MODE_SET_GID) !== 0 ? directory.gid : who.gid;
  return { mode: mode & ~who.umask & 0o7777, uid: who.uid, gid };
}

function endsInDot(path: string): boolean {
  return /(?:^|\/)\.\/*$/.test(path);
}

function endsInDots(path: string): boolean {
  return /(?:^|\/)\.\.\/*$/.test(path);
}
