/**
 * Operations on paths, each relative to an open directory. In every function: EBADF, ENOTDIR where the descriptor is
 * none, ENOTCAPABLE where the guest gave the right away, EFAULT where a pointer leaves memory, EILSEQ a path that isn't
 * UTF-8, EINVAL one with a NUL, ENAMETOOLONG; nothing has happened then.
 *
 * Paths go to the directory as they are: `..`, trailing slashes and links are the file system's to judge, which knows inodes.
 */
import { Errno } from "../abi/errno.ts";
import { FdFlags, LookupFlags, OpenFlags } from "../abi/flags.ts";
import { FILESTAT, FILESTAT_UNSTABLE } from "../abi/layout.ts";
import { Rights } from "../abi/rights.ts";
import { isFailure } from "../abi/system.ts";
import { Descriptor, rightsFor, SYNC_FLAGS } from "../descriptor.ts";
import type { Guest } from "../guest.ts";
import { errnoOf, FDFLAGS_KNOWN } from "./fd.ts";
import { type FilestatWriter, writeFilestat, writeFilestatUnstable } from "./filestat.ts";
import { accessChange, modifyChange, validTimeFlags } from "./time-change.ts";

const OPEN_FLAGS_KNOWN = OpenFlags.CREAT | OpenFlags.DIRECTORY | OpenFlags.EXCL | OpenFlags.TRUNC;

/** WASI has no modes: what POSIX programs mostly ask for. The file system takes the umask off. */
const FILE_MODE = 0o666;
const DIRECTORY_MODE = 0o777;

/**
 * `path_open(fd, dirflags, path, oflags, fs_rights_base, fs_rights_inheriting, fdflags) -> (errno, fd)`.
 *
 * Of the rights asked for only FD_READ and FD_WRITE matter: they are the access mode. The others are granted as far as
 * the directory passes them on; what was to be inherited is not looked at. (Programs pass too few or all of them.)
 *
 * @returns EINVAL flags that aren't known, or to create a directory; EMFILE; ENFILE; ENOTCAPABLE the directory doesn't pass
 *   on reading or writing; ENOENT, EEXIST, EISDIR, ENOTDIR, ELOOP and what else the file system answers
 * @see openat(2)
 */
export function pathOpen(
  guest: Guest,
  fd: number,
  lookupFlags: number,
  pathPtr: number,
  pathBytes: number,
  openFlags: number,
  rightsBase: bigint,
  fdFlags: number,
  openedFdPtr: number,
): Errno {
  const directory = guest.descriptors.get(fd);
  if (directory === undefined) return Errno.EBADF;
  if (!directory.may(Rights.PATH_OPEN)) return directory.refusal(Rights.PATH_OPEN);
  if (!validLookup(lookupFlags)) return Errno.EINVAL;
  if ((openFlags & ~OPEN_FLAGS_KNOWN) !== 0 || (fdFlags & ~FDFLAGS_KNOWN) !== 0) return Errno.EINVAL;
  const create = (openFlags & OpenFlags.CREAT) !== 0;
  const truncate = (openFlags & OpenFlags.TRUNC) !== 0;
  const mustBeDirectory = (openFlags & OpenFlags.DIRECTORY) !== 0;
  if (create && mustBeDirectory) return Errno.EINVAL;
  if (create && !directory.may(Rights.PATH_CREATE_FILE)) return Errno.ENOTCAPABLE;
  if (truncate && !directory.may(Rights.PATH_FILESTAT_SET_SIZE)) return Errno.ENOTCAPABLE;

  // All rights are in the low 32 bits.
  const asked = Number(BigInt.asIntN(32, rightsBase));
  const access = asked & (Rights.FD_READ | Rights.FD_WRITE);
  if ((access & ~directory.rightsInheriting) !== 0) return Errno.ENOTCAPABLE;

  if (!guest.memory.contains(openedFdPtr, 4)) return Errno.EFAULT;
  const path = guest.memory.path(pathPtr, pathBytes);
  if (isFailure(path)) return -path as Errno;
  const refused = guest.descriptors.refusal();
  if (refused !== Errno.ESUCCESS) return refused;

  const read = (access & Rights.FD_READ) !== 0;
  const write = (access & Rights.FD_WRITE) !== 0;
  const file = directory.file.openAt(path, {
    read,
    write,
    append: (fdFlags & FdFlags.APPEND) !== 0,
    create,
    exclusive: (openFlags & OpenFlags.EXCL) !== 0,
    truncate,
    directory: mustBeDirectory,
    nonblock: (fdFlags & FdFlags.NONBLOCK) !== 0,
    followLast: (lookupFlags & LookupFlags.SYMLINK_FOLLOW) !== 0,
    mode: FILE_MODE,
  });
  if (isFailure(file)) return -file as Errno;

  const rights = rightsFor(file.type, read, write) & directory.rightsInheriting;
  const syncFlags = fdFlags & SYNC_FLAGS;
  const opened = guest.descriptors.add(new Descriptor(file, rights, directory.rightsInheriting, syncFlags));
  if (opened < 0) {
    // Another thread took the last number in the meantime.
    file.close();
    return -opened as Errno;
  }
  guest.memory.setU32(openedFdPtr, opened);
  return Errno.ESUCCESS;
}

/** `path_create_directory(fd, path)`. EEXIST. @see mkdirat(2) */
export function pathCreateDirectory(guest: Guest, fd: number, pathPtr: number, pathBytes: number): Errno {
  const directory = guest.descriptors.get(fd);
  if (directory === undefined) return Errno.EBADF;
  const right = Rights.PATH_CREATE_DIRECTORY;
  if (!directory.may(right)) return directory.refusal(right);
  const path = guest.memory.path(pathPtr, pathBytes);
  if (isFailure(path)) return -path as Errno;
  return errnoOf(directory.file.makeDirectoryAt(path, DIRECTORY_MODE));
}

/** `path_remove_directory(fd, path)`. ENOTEMPTY; ENOTDIR. @see unlinkat(2), AT_REMOVEDIR */
export function pathRemoveDirectory(guest: Guest, fd: number, pathPtr: number, pathBytes: number): Errno {
  const directory = guest.descriptors.get(fd);
  if (directory === undefined) return Errno.EBADF;
  const right = Rights.PATH_REMOVE_DIRECTORY;
  if (!directory.may(right)) return directory.refusal(right);
  const path = guest.memory.path(pathPtr, pathBytes);
  if (isFailure(path)) return -path as Errno;
  return errnoOf(directory.file.removeDirectoryAt(path));
}

/** `path_unlink_file(fd, path)`. EISDIR. @see unlinkat(2) */
export function pathUnlinkFile(guest: Guest, fd: number, pathPtr: number, pathBytes: number): Errno {
  const directory = guest.descriptors.get(fd);
  if (directory === undefined) return Errno.EBADF;
  if (!directory.may(Rights.PATH_UNLINK_FILE)) return directory.refusal(Rights.PATH_UNLINK_FILE);
  const path = guest.memory.path(pathPtr, pathBytes);
  if (isFailure(path)) return -path as Errno;
  return errnoOf(directory.file.unlinkAt(path));
}

/** `path_filestat_get(fd, flags, path) -> (errno, filestat)`. EINVAL for flags that aren't known. @see fstatat(2) */
export function pathFilestatGet(
  guest: Guest,
  fd: number,
  flags: number,
  pathPtr: number,
  pathBytes: number,
  filestatPtr: number,
): Errno {
  return filestatAt(guest, fd, flags, pathPtr, pathBytes, filestatPtr, FILESTAT.sizeBytes, writeFilestat);
}

/** The same for `wasi_unstable`. */
export function pathFilestatGetUnstable(
  guest: Guest,
  fd: number,
  flags: number,
  pathPtr: number,
  pathBytes: number,
  filestatPtr: number,
): Errno {
  const sizeBytes = FILESTAT_UNSTABLE.sizeBytes;
  return filestatAt(guest, fd, flags, pathPtr, pathBytes, filestatPtr, sizeBytes, writeFilestatUnstable);
}

function filestatAt(
  guest: Guest,
  fd: number,
  flags: number,
  pathPtr: number,
  pathBytes: number,
  filestatPtr: number,
  filestatBytes: number,
  write: FilestatWriter,
): Errno {
  const directory = guest.descriptors.get(fd);
  if (directory === undefined) return Errno.EBADF;
  if (!directory.may(Rights.PATH_FILESTAT_GET)) return directory.refusal(Rights.PATH_FILESTAT_GET);
  if (!validLookup(flags)) return Errno.EINVAL;
  if (!guest.memory.contains(filestatPtr, filestatBytes)) return Errno.EFAULT;
  const path = guest.memory.path(pathPtr, pathBytes);
  if (isFailure(path)) return -path as Errno;
  const answer = directory.file.statAt(path, flags === LookupFlags.SYMLINK_FOLLOW, guest.stat);
  if (answer < 0) return -answer as Errno;
  write(guest.memory, filestatPtr, guest.stat);
  return Errno.ESUCCESS;
}

/** `path_filestat_set_times(fd, flags, path, atim, mtim, fst_flags)`. EINVAL for flags that contradict each other. @see utimensat(2) */
export function pathFilestatSetTimes(
  guest: Guest,
  fd: number,
  lookupFlags: number,
  pathPtr: number,
  pathBytes: number,
  atimeNs: bigint,
  mtimeNs: bigint,
  timeFlags: number,
): Errno {
  const directory = guest.descriptors.get(fd);
  if (directory === undefined) return Errno.EBADF;
  const right = Rights.PATH_FILESTAT_SET_TIMES;
  if (!directory.may(right)) return directory.refusal(right);
  if (!validLookup(lookupFlags) || !validTimeFlags(timeFlags)) return Errno.EINVAL;
  const path = guest.memory.path(pathPtr, pathBytes);
  if (isFailure(path)) return -path as Errno;
  const followLast = lookupFlags === LookupFlags.SYMLINK_FOLLOW;
  const access = accessChange(timeFlags, atimeNs);
  return errnoOf(directory.file.setTimesAt(path, followLast, access, modifyChange(timeFlags, mtimeNs)));
}

/** `path_link(old_fd, old_flags, old_path, new_fd, new_path)`: a hard link. EPERM for directories; EXDEV; EEXIST. @see linkat(2) */
export function pathLink(
  guest: Guest,
  oldFd: number,
  oldFlags: number,
  oldPathPtr: number,
  oldPathBytes: number,
  newFd: number,
  newPathPtr: number,
  newPathBytes: number,
): Errno {
  const source = guest.descriptors.get(oldFd);
  const target = guest.descriptors.get(newFd);
  if (source === undefined || target === undefined) return Errno.EBADF;
  if (!source.may(Rights.PATH_LINK_SOURCE)) return source.refusal(Rights.PATH_LINK_SOURCE);
  if (!target.may(Rights.PATH_LINK_TARGET)) return target.refusal(Rights.PATH_LINK_TARGET);
  if (!validLookup(oldFlags)) return Errno.EINVAL;
  const oldPath = guest.memory.path(oldPathPtr, oldPathBytes);
  if (isFailure(oldPath)) return -oldPath as Errno;
  const newPath = guest.memory.path(newPathPtr, newPathBytes);
  if (isFailure(newPath)) return -newPath as Errno;
  const followLast = oldFlags === LookupFlags.SYMLINK_FOLLOW;
  return errnoOf(source.file.linkAt(oldPath, followLast, target.file, newPath));
}

/** `path_rename(fd, old_path, new_fd, new_path)`. EXDEV; ENOTEMPTY; EINVAL into itself. @see renameat(2) */
export function pathRename(
  guest: Guest,
  oldFd: number,
  oldPathPtr: number,
  oldPathBytes: number,
  newFd: number,
  newPathPtr: number,
  newPathBytes: number,
): Errno {
  const source = guest.descriptors.get(oldFd);
  const target = guest.descriptors.get(newFd);
  if (source === undefined || target === undefined) return Errno.EBADF;
  if (!source.may(Rights.PATH_RENAME_SOURCE)) return source.refusal(Rights.PATH_RENAME_SOURCE);
  if (!target.may(Rights.PATH_RENAME_TARGET)) return target.refusal(Rights.PATH_RENAME_TARGET);
  const oldPath = guest.memory.path(oldPathPtr, oldPathBytes);
  if (isFailure(oldPath)) return -oldPath as Errno;
  const newPath = guest.memory.path(newPathPtr, newPathBytes);
  if (isFailure(newPath)) return -newPath as Errno;
  return errnoOf(source.file.renameAt(oldPath, target.file, newPath));
}

/** `path_symlink(old_path, fd, new_path)`: `old_path` is what the link holds, and never looked up. EEXIST. @see symlinkat(2) */
export function pathSymlink(
  guest: Guest,
  targetPtr: number,
  targetBytes: number,
  fd: number,
  pathPtr: number,
  pathBytes: number,
): Errno {
  const directory = guest.descriptors.get(fd);
  if (directory === undefined) return Errno.EBADF;
  if (!directory.may(Rights.PATH_SYMLINK)) return directory.refusal(Rights.PATH_SYMLINK);
  const target = guest.memory.path(targetPtr, targetBytes);
  if (isFailure(target)) return -target as Errno;
  const path = guest.memory.path(pathPtr, pathBytes);
  if (isFailure(path)) return -path as Errno;
  return errnoOf(directory.file.makeSymlinkAt(target, path));
}

/**
 * `path_readlink(fd, path, buf, buf_len) -> (errno, bufused: u32)`: what a link holds, cut off where the buffer ends.
 *
 * @returns EINVAL it is no symbolic link
 * @see readlinkat(2)
 */
export function pathReadlink(
  guest: Guest,
  fd: number,
  pathPtr: number,
  pathBytes: number,
  bufferPtr: number,
  bufferBytes: number,
  usedPtr: number,
): Errno {
  const directory = guest.descriptors.get(fd);
  if (directory === undefined) return Errno.EBADF;
  if (!directory.may(Rights.PATH_READLINK)) return directory.refusal(Rights.PATH_READLINK);
  const memory = guest.memory;
  if (!memory.contains(bufferPtr, bufferBytes) || !memory.contains(usedPtr, 4)) return Errno.EFAULT;
  const path = memory.path(pathPtr, pathBytes);
  if (isFailure(path)) return -path as Errno;
  const target = directory.file.readLinkAt(path);
  if (isFailure(target)) return -target as Errno;
  memory.setU32(usedPtr, Math.min(memory.setText(bufferPtr, target, bufferBytes), bufferBytes));
  return Errno.ESUCCESS;
}

function validLookup(flags: number): boolean {
  return (flags & ~LookupFlags.SYMLINK_FOLLOW) === 0;
}
