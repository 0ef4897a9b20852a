/**
 * Reading into and writing from several buffers of a guest, as `readv` and `writev` do.
 *
 * All buffers are checked before the first byte moves. One buffer, the usual case, costs nothing but its view.
 * @see readv(2)
 */
import { Errno } from "../abi/errno.ts";
import { FileType } from "../abi/filetype.ts";
import { IOVEC } from "../abi/layout.ts";
import { type OpenFile, Readiness } from "../abi/system.ts";
import { GATHER_BYTES_MAX, IOVECS_MAX } from "../limits.ts";
import type { GuestMemory } from "../memory.ts";

/** In place of an offset: at the file's position. */
export const AT_POSITION = -1;

const TOTAL_BYTES_MAX = 0xffff_ffff;

/**
 * @param offset in the file, or `AT_POSITION`
 * @returns bytes read; EFAULT, EINVAL too many buffers or bytes; else what the file answers
 */
export function readVector(
  memory: GuestMemory,
  file: OpenFile,
  iovsPtr: number,
  iovsCount: number,
  offset: number,
): number {
  if (iovsCount === 1) {
    const target = memory.iovec(iovsPtr);
    if (target === undefined) return -Errno.EFAULT;
    return offset === AT_POSITION ? file.read(target) : file.readAt(target, offset);
  }
  const total = measure(memory, iovsPtr, iovsCount);
  if (total <= 0) return total;

  let readBytes = 0;
  for (let index = 0; index < iovsCount; index++) {
    const target = memory.iovec(iovsPtr + index * IOVEC.sizeBytes);
    // Only where another thread has changed the buffers since they were measured.
    if (target === undefined) return readBytes > 0 ? readBytes : -Errno.EFAULT;
    if (target.length === 0) continue;
    if (readBytes > 0 && wouldBlock(file)) break;

    const count = offset === AT_POSITION ? file.read(target) : file.readAt(target, offset + readBytes);
    // An error after some bytes were read is told at the next call: these bytes would be lost.
    if (count < 0) return readBytes > 0 ? readBytes : count;
    readBytes += count;
    if (count < target.length) break;
  }
  return readBytes;
}

/**
 * What is small goes out in one piece: then lines of several writers don't mix, and O_APPEND stays atomic.
 *
 * @param offset in the file, or `AT_POSITION`
 * @param roomBytes no more is written
 * @returns bytes written; EFAULT, EINVAL too many buffers or bytes; EFBIG there is no room; else what the file answers
 */
export function writeVector(
  memory: GuestMemory,
  file: OpenFile,
  iovsPtr: number,
  iovsCount: number,
  offset: number,
  roomBytes: number = Number.POSITIVE_INFINITY,
): number {
  if (iovsCount === 1) {
    const source = memory.iovec(iovsPtr);
    if (source === undefined) return -Errno.EFAULT;
    if (roomBytes <= 0 && source.length > 0) return -Errno.EFBIG;
    return put(file, source, offset, roomBytes);
  }
  const total = measure(memory, iovsPtr, iovsCount);
  if (total <= 0) return total;
  if (roomBytes <= 0) return -Errno.EFBIG;
  if (total <= GATHER_BYTES_MAX) {
    const source = memory.gather(iovsPtr, iovsCount, total);
    return source === undefined ? -Errno.EFAULT : put(file, source, offset, roomBytes);
  }

  let writtenBytes = 0;
  for (let index = 0; index < iovsCount && writtenBytes < roomBytes; index++) {
    const source = memory.iovec(iovsPtr + index * IOVEC.sizeBytes);
    if (source === undefined) return writtenBytes > 0 ? writtenBytes : -Errno.EFAULT;
    if (source.length === 0) continue;

    const at = offset === AT_POSITION ? AT_POSITION : offset + writtenBytes;
    const count = put(file, source, at, roomBytes - writtenBytes);
    if (count < 0) return writtenBytes > 0 ? writtenBytes : count;
    writtenBytes += count;
    if (count < source.length) break;
  }
  return writtenBytes;
}

function put(file: OpenFile, source: Uint8Array, offset: number, roomBytes: number): number {
  const part = source.length > roomBytes ? source.subarray(0, roomBytes) : source;
  return offset === AT_POSITION ? file.write(part) : file.writeAt(part, offset);
}

/** Checks the array and every buffer. Answers the bytes in all, at most what a `u32` can tell. */
function measure(memory: GuestMemory, iovsPtr: number, iovsCount: number): number {
  if (iovsCount > IOVECS_MAX) return -Errno.EINVAL;
  if (!memory.contains(iovsPtr, iovsCount * IOVEC.sizeBytes)) return -Errno.EFAULT;
  let totalBytes = 0;
  for (let index = 0; index < iovsCount; index++) {
    const iovecPtr = iovsPtr + index * IOVEC.sizeBytes;
    const sizeBytes = memory.u32(iovecPtr + IOVEC.buf_len);
    if (!memory.contains(memory.u32(iovecPtr + IOVEC.buf), sizeBytes)) return -Errno.EFAULT;
    totalBytes += sizeBytes;
  }
  return totalBytes > TOTAL_BYTES_MAX ? -Errno.EINVAL : totalBytes;
}

/** Something has been read already: a pipe must not make the guest wait for more. */
function wouldBlock(file: OpenFile): boolean {
  // What a terminal has more would be another line, or an end of file.
  if (file.terminal !== undefined) return true;
  return file.type !== FileType.regularFile && (file.readiness(Readiness.read) & Readiness.read) === 0;
}
