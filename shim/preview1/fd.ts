/**
 * Operations on open descriptors. In every function: EBADF where the descriptor isn't open or not open for that,
 * ENOTCAPABLE where the guest gave the right away, EFAULT where a pointer leaves memory; nothing has happened then.
 *
 * Integers are non-negative `u32` already, and `u64` come as the signed bigints that JavaScript gets: `table.ts` converts.
 */
import { ADVICE_MAX } from "../abi/advice.ts";
import { Errno } from "../abi/errno.ts";
import { FileType } from "../abi/filetype.ts";
import { FdFlags } from "../abi/flags.ts";
import { DIRENT, FDSTAT, FILESTAT, FILESTAT_UNSTABLE, PRESTAT } from "../abi/layout.ts";
import { PreopenType } from "../abi/preopen-type.ts";
import { RIGHTS_ALL, Rights } from "../abi/rights.ts";
import type { DirEntrySink, Whence } from "../abi/system.ts";
import { type Descriptor, SYNC_FLAGS } from "../descriptor.ts";
import type { Guest } from "../guest.ts";
import { encodeUtf8 } from "../memory.ts";
import { type FilestatWriter, writeFilestat, writeFilestatUnstable } from "./filestat.ts";
import { accessChange, modifyChange, validTimeFlags } from "./time-change.ts";
import { AT_POSITION, readVector, writeVector } from "./transfer.ts";

export const FDFLAGS_KNOWN = FdFlags.APPEND | FdFlags.NONBLOCK | SYNC_FLAGS;
const U64_SIZE_BYTES = 8;

/**
 * `fd_read(fd, iovs, iovs_len) -> (errno, nread: u32)`: reads into several buffers, in order, until one isn't filled.
 *
 * @param iovsPtr offset of `iovsCount` × `iovec`
 * @returns EISDIR; EINVAL too many buffers or bytes; else what the file answers
 * @see readv(2)
 */
export function fdRead(
  guest: Guest,
  fd: number,
  iovsPtr: number,
  iovsCount: number,
  nreadPtr: number,
): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_READ)) return descriptor.refusal(Rights.FD_READ);
  if (!guest.memory.contains(nreadPtr, 4)) return Errno.EFAULT;
  const count = readVector(guest.memory, descriptor.file, iovsPtr, iovsCount, AT_POSITION);
  return wasRead(guest, descriptor, count, nreadPtr);
}

/**
 * `fd_pread(fd, iovs, iovs_len, offset) -> (errno, nread: u32)`: as `fd_read`, at a place; the position stays.
 *
 * @returns EINVAL an offset of 2^63 or more; ESPIPE; EISDIR; as `fd_read`
 * @see preadv(2)
 */
export function fdPread(
  guest: Guest,
  fd: number,
  iovsPtr: number,
  iovsCount: number,
  offset: bigint,
  nreadPtr: number,
): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_READ)) return descriptor.refusal(Rights.FD_READ);
  if (!descriptor.may(Rights.FD_SEEK)) return descriptor.refusal(Rights.FD_SEEK);
  if (!guest.memory.contains(nreadPtr, 4)) return Errno.EFAULT;
  const at = Number(offset);
  if (at < 0) return Errno.EINVAL;
  // No file reaches beyond what a number holds exactly.
  const offsetBytes = Math.min(at, Number.MAX_SAFE_INTEGER);
  const count = readVector(guest.memory, descriptor.file, iovsPtr, iovsCount, offsetBytes);
  return wasRead(guest, descriptor, count, nreadPtr);
}

/**
 * `fd_write(fd, iovs, iovs_len) -> (errno, nwritten: u32)`.
 *
 * @param iovsPtr offset of `iovsCount` × `ciovec`
 * @returns EINVAL too many buffers or bytes; EPIPE, ENOSPC and what else the file answers
 * @see writev(2)
 */
export function fdWrite(
  guest: Guest,
  fd: number,
  iovsPtr: number,
  iovsCount: number,
  nwrittenPtr: number,
): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_WRITE)) return descriptor.refusal(Rights.FD_WRITE);
  if (!guest.memory.contains(nwrittenPtr, 4)) return Errno.EFAULT;
  const count = writeVector(guest.memory, descriptor.file, iovsPtr, iovsCount, AT_POSITION);
  return written(guest, descriptor, count, nwrittenPtr);
}

/**
 * `fd_pwrite(fd, iovs, iovs_len, offset) -> (errno, nwritten: u32)`: as `fd_write`, at a place; the position stays.
 *
 * @returns EINVAL an offset of 2^63 or more; EFBIG one that no file can have; ESPIPE; as `fd_write`
 * @see pwritev(2)
 */
export function fdPwrite(
  guest: Guest,
  fd: number,
  iovsPtr: number,
  iovsCount: number,
  offset: bigint,
  nwrittenPtr: number,
): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_WRITE)) return descriptor.refusal(Rights.FD_WRITE);
  if (!descriptor.may(Rights.FD_SEEK)) return descriptor.refusal(Rights.FD_SEEK);
  if (!guest.memory.contains(nwrittenPtr, 4)) return Errno.EFAULT;
  const at = Number(offset);
  if (at < 0) return Errno.EINVAL;
  if (at > Number.MAX_SAFE_INTEGER) return Errno.EFBIG;
  const count = writeVector(guest.memory, descriptor.file, iovsPtr, iovsCount, at);
  return written(guest, descriptor, count, nwrittenPtr);
}

function wasRead(guest: Guest, { file }: Descriptor, count: number, nreadPtr: number): Errno {
  if (count < 0) return -count as Errno;
  guest.memory.setU32(nreadPtr, count);
  if (count > 0 && file.type === FileType.regularFile) guest.system.fileTraffic?.read(count);
  return Errno.ESUCCESS;
}

function written(guest: Guest, descriptor: Descriptor, count: number, nwrittenPtr: number): Errno {
  if (count < 0) return -count as Errno;
  if ((descriptor.syncFlags & (FdFlags.DSYNC | FdFlags.SYNC)) !== 0) {
    const synced = descriptor.file.sync((descriptor.syncFlags & FdFlags.SYNC) === 0);
    if (synced < 0) return -synced as Errno;
  }
  guest.memory.setU32(nwrittenPtr, count);
  if (count > 0 && descriptor.file.type === FileType.regularFile) guest.system.fileTraffic?.wrote(count);
  return Errno.ESUCCESS;
}

/**
 * `fd_seek(fd, offset, whence) -> (errno, newoffset: u64)`.
 *
 * @param whence undefined: the number meant nothing
 * @returns EINVAL a position below 0, or no such whence; EOVERFLOW one that no file can have; ESPIPE; EISDIR
 * @see lseek(2)
 */
export function fdSeek(
  guest: Guest,
  fd: number,
  offset: bigint,
  whence: Whence | undefined,
  newOffsetPtr: number,
): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  const needed = offset === 0n && whence === "current" ? Rights.FD_TELL : Rights.FD_SEEK;
  if (!descriptor.may(needed)) return descriptor.refusal(needed);
  if (whence === undefined) return Errno.EINVAL;
  if (!guest.memory.contains(newOffsetPtr, U64_SIZE_BYTES)) return Errno.EFAULT;
  const offsetBytes = Number(offset);
  if (!Number.isSafeInteger(offsetBytes)) return offsetBytes < 0 ? Errno.EINVAL : Errno.EOVERFLOW;
  const position = descriptor.file.seek(offsetBytes, whence);
  if (position < 0) return -position as Errno;
  guest.memory.setSafeU64(newOffsetPtr, position);
  return Errno.ESUCCESS;
}

/** `fd_tell(fd) -> (errno, offset: u64)`. ESPIPE; EISDIR. */
export function fdTell(guest: Guest, fd: number, offsetPtr: number): Errno {
  return fdSeek(guest, fd, 0n, "current", offsetPtr);
}

/** `fd_close(fd)`. What was open as a preopen may be closed too. @see close(2) */
export function fdClose(guest: Guest, fd: number): Errno {
  return guest.descriptors.close(fd);
}

/** `fd_renumber(fd, to)`: `to` is closed and stands for what `fd` stood for; `fd` is free. Both have to be open. */
export function fdRenumber(guest: Guest, from: number, to: number): Errno {
  return guest.descriptors.renumber(from, to);
}

/** `fd_sync(fd)`: content and metadata are durable. EINVAL for what can't be. @see fsync(2) */
export function fdSync(guest: Guest, fd: number): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_SYNC)) return descriptor.refusal(Rights.FD_SYNC);
  return errnoOf(descriptor.file.sync(false));
}

/** `fd_datasync(fd)`: content is durable. EINVAL for what can't be. @see fdatasync(2) */
export function fdDatasync(guest: Guest, fd: number): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_DATASYNC)) return descriptor.refusal(Rights.FD_DATASYNC);
  return errnoOf(descriptor.file.sync(true));
}

/**
 * `fd_advise(fd, offset, len, advice)`: checked, and then not needed: files are in memory or read ahead by the host.
 *
 * @returns ESPIPE a stream; EINVAL no such advice, or a range of 2^63 or more
 * @see posix_fadvise(2)
 */
export function fdAdvise(guest: Guest, fd: number, offset: bigint, length: bigint, advice: number): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_ADVISE)) return descriptor.refusal(Rights.FD_ADVISE);
  return offset < 0n || length < 0n || advice > ADVICE_MAX ? Errno.EINVAL : Errno.ESUCCESS;
}

/**
 * `fd_allocate(fd, offset, len)`: the file has these bytes, and room for them.
 *
 * @returns EINVAL no bytes, or a range of 2^63 or more; EFBIG; ENOSPC; ESPIPE
 * @see posix_fallocate(3)
 */
export function fdAllocate(guest: Guest, fd: number, offset: bigint, length: bigint): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_ALLOCATE)) return descriptor.refusal(Rights.FD_ALLOCATE);
  if (offset < 0n || length <= 0n) return Errno.EINVAL;
  if (offset + length > BigInt(Number.MAX_SAFE_INTEGER)) return Errno.EFBIG;
  return errnoOf(descriptor.file.allocate(Number(offset), Number(length)));
}

/** `fd_fdstat_get(fd) -> (errno, stat: fdstat)`. @see fcntl(2), F_GETFL */
export function fdFdstatGet(guest: Guest, fd: number, statPtr: number): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  const memory = guest.memory;
  if (!memory.contains(statPtr, FDSTAT.sizeBytes)) return Errno.EFAULT;
  memory.zero(statPtr, FDSTAT.sizeBytes);
  memory.setU8(statPtr + FDSTAT.fs_filetype, descriptor.file.type);
  memory.setU16(statPtr + FDSTAT.fs_flags, descriptor.flags);
  memory.setSafeU64(statPtr + FDSTAT.fs_rights_base, descriptor.rightsBase);
  memory.setSafeU64(statPtr + FDSTAT.fs_rights_inheriting, descriptor.rightsInheriting);
  return Errno.ESUCCESS;
}

/** `fd_fdstat_set_flags(fd, flags)`. EINVAL for flags that aren't known. @see fcntl(2), F_SETFL */
export function fdFdstatSetFlags(guest: Guest, fd: number, flags: number): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_FDSTAT_SET_FLAGS)) return descriptor.refusal(Rights.FD_FDSTAT_SET_FLAGS);
  if ((flags & ~FDFLAGS_KNOWN) !== 0) return Errno.EINVAL;
  return errnoOf(descriptor.setFlags(flags));
}

/** `fd_fdstat_set_rights(fd, base, inheriting)`: gives rights away. ENOTCAPABLE when it would add one. */
export function fdFdstatSetRights(guest: Guest, fd: number, base: bigint, inheriting: bigint): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  const newBase = rightsOf(base);
  const newInheriting = rightsOf(inheriting);
  if (newBase === undefined || newInheriting === undefined) return Errno.ENOTCAPABLE;
  const addsBase = (newBase & ~descriptor.rightsBase) !== 0;
  const addsInheriting = (newInheriting & ~descriptor.rightsInheriting) !== 0;
  if (addsBase || addsInheriting) return Errno.ENOTCAPABLE;
  descriptor.setRights(newBase, newInheriting);
  return Errno.ESUCCESS;
}

/** Undefined when there are bits that mean nothing. */
function rightsOf(bits: bigint): Rights | undefined {
  const rights = Number(bits);
  return rights >= 0 && rights <= RIGHTS_ALL ? rights : undefined;
}

/** `fd_filestat_get(fd) -> (errno, filestat)`. @see fstat(2) */
export function fdFilestatGet(guest: Guest, fd: number, filestatPtr: number): Errno {
  return filestat(guest, fd, filestatPtr, FILESTAT.sizeBytes, writeFilestat);
}

/** The same for `wasi_unstable`. */
export function fdFilestatGetUnstable(guest: Guest, fd: number, filestatPtr: number): Errno {
  return filestat(guest, fd, filestatPtr, FILESTAT_UNSTABLE.sizeBytes, writeFilestatUnstable);
}

function filestat(guest: Guest, fd: number, ptr: number, sizeBytes: number, write: FilestatWriter): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_FILESTAT_GET)) return descriptor.refusal(Rights.FD_FILESTAT_GET);
  if (!guest.memory.contains(ptr, sizeBytes)) return Errno.EFAULT;
  const answer = descriptor.file.stat(guest.stat);
  if (answer < 0) return -answer as Errno;
  write(guest.memory, ptr, guest.stat);
  return Errno.ESUCCESS;
}

/** `fd_filestat_set_size(fd, size)`. EINVAL for 2^63 or more; EFBIG; ENOSPC. @see ftruncate(2) */
export function fdFilestatSetSize(guest: Guest, fd: number, size: bigint): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_FILESTAT_SET_SIZE)) return descriptor.refusal(Rights.FD_FILESTAT_SET_SIZE);
  const sizeBytes = Number(size);
  if (sizeBytes < 0) return Errno.EINVAL;
  if (sizeBytes > Number.MAX_SAFE_INTEGER) return Errno.EFBIG;
  return errnoOf(descriptor.file.truncate(sizeBytes));
}

/** `fd_filestat_set_times(fd, atim, mtim, fst_flags)`. EINVAL for flags that contradict each other. @see futimens(3) */
export function fdFilestatSetTimes(
  guest: Guest,
  fd: number,
  atimeNs: bigint,
  mtimeNs: bigint,
  flags: number,
): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_FILESTAT_SET_TIMES)) return descriptor.refusal(Rights.FD_FILESTAT_SET_TIMES);
  if (!validTimeFlags(flags)) return Errno.EINVAL;
  return errnoOf(descriptor.file.setTimes(accessChange(flags, atimeNs), modifyChange(flags, mtimeNs)));
}

/** `fd_prestat_get(fd) -> (errno, prestat)`. EBADF is also where programs stop to look for preopens. */
export function fdPrestatGet(guest: Guest, fd: number, prestatPtr: number): Errno {
  const name = guest.descriptors.get(fd)?.preopenName;
  if (name === undefined) return Errno.EBADF;
  if (!guest.memory.contains(prestatPtr, PRESTAT.sizeBytes)) return Errno.EFAULT;
  guest.memory.setU32(prestatPtr + PRESTAT.tag, PreopenType.DIR); // a u8 and 3 bytes of padding
  guest.memory.setU32(prestatPtr + PRESTAT.pr_name_len, name.length);
  return Errno.ESUCCESS;
}

/** `fd_prestat_dir_name(fd, path, path_len)`: its name, without a NUL. ENAMETOOLONG when it doesn't fit. */
export function fdPrestatDirName(guest: Guest, fd: number, pathPtr: number, pathBytes: number): Errno {
  const name = guest.descriptors.get(fd)?.preopenName;
  if (name === undefined) return Errno.EBADF;
  if (!guest.memory.contains(pathPtr, pathBytes)) return Errno.EFAULT;
  if (name.length > pathBytes) return Errno.ENAMETOOLONG;
  guest.memory.setBytes(pathPtr, name);
  return Errno.ESUCCESS;
}

/**
 * `fd_readdir(fd, buf, buf_len, cookie) -> (errno, bufused: u32)`: `dirent` and name, one after the other, unaligned.
 * The last entry is cut off where the buffer ends; `bufused` below `buf_len` says that there are no more.
 *
 * @returns ENOTDIR
 * @see readdir(3)
 */
export function fdReaddir(
  guest: Guest,
  fd: number,
  bufferPtr: number,
  bufferBytes: number,
  cookie: bigint,
  usedPtr: number,
): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  if (!descriptor.may(Rights.FD_READDIR)) return descriptor.refusal(Rights.FD_READDIR);
  const memory = guest.memory;
  if (!memory.contains(bufferPtr, bufferBytes) || !memory.contains(usedPtr, 4)) return Errno.EFAULT;

  let usedBytes = 0;
  const sink: DirEntrySink = (nextCookie, inode, type, name) => {
    const leftBytes = bufferBytes - usedBytes;
    if (leftBytes < DIRENT.sizeBytes) {
      memory.setBytes(
        bufferPtr + usedBytes,
        direntHead(nextCookie, inode, type, name).subarray(0, leftBytes),
      );
      usedBytes = bufferBytes;
      return false;
    }
    const entryPtr = bufferPtr + usedBytes;
    const roomBytes = leftBytes - DIRENT.sizeBytes;
    const nameBytes = memory.setText(entryPtr + DIRENT.sizeBytes, name, roomBytes);
    memory.setSafeU64(entryPtr + DIRENT.d_next, nextCookie);
    memory.setU64(entryPtr + DIRENT.d_ino, inode);
    memory.setU32(entryPtr + DIRENT.d_namlen, nameBytes);
    memory.setU32(entryPtr + DIRENT.d_type, type); // a u8 and 3 bytes of padding
    usedBytes += DIRENT.sizeBytes + Math.min(nameBytes, roomBytes);
    return nameBytes <= roomBytes;
  };
  // Cookies are ours, and safe integers; the guest may have made one up.
  const from = Math.min(Number(BigInt.asUintN(64, cookie)), Number.MAX_SAFE_INTEGER);
  const answer = descriptor.file.readDirectory(from, sink);
  if (answer < 0) return -answer as Errno;
  memory.setU32(usedPtr, usedBytes);
  return Errno.ESUCCESS;
}

/** A `dirent`, for where only its beginning fits. */
function direntHead(nextCookie: number, inode: bigint, type: FileType, name: string): Uint8Array {
  const bytes = new Uint8Array(DIRENT.sizeBytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(DIRENT.d_next, BigInt(nextCookie), true);
  view.setBigUint64(DIRENT.d_ino, inode, true);
  view.setUint32(DIRENT.d_namlen, encodeUtf8(name).length, true);
  view.setUint8(DIRENT.d_type, type);
  return bytes;
}

/** A count or 0, or a negative errno, as an errno. */
export function errnoOf(answer: number): Errno {
  return answer < 0 ? (-answer as Errno) : Errno.ESUCCESS;
}
