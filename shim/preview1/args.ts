/** Arguments and environment. */
import { Errno } from "../abi/errno.ts";
import type { Guest } from "../guest.ts";
import type { GuestMemory } from "../memory.ts";
import type { StringList } from "../string-list.ts";

const POINTER_SIZE_BYTES = 4;

/**
 * `args_get(argv, argv_buf)`: the strings at `argv_buf`, NUL-terminated, and pointers to each at `argv`.
 *
 * @returns EFAULT
 * @see https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#args_get
 */
export function argsGet(guest: Guest, pointersPtr: number, bytesPtr: number): Errno {
  return writeStrings(guest.memory, guest.args, pointersPtr, bytesPtr);
}

/** `args_sizes_get() -> (errno, count: u32, size: u32)`. EFAULT. */
export function argsSizesGet(guest: Guest, countPtr: number, sizePtr: number): Errno {
  return writeSizes(guest.memory, guest.args, countPtr, sizePtr);
}

/** `environ_get(environ, environ_buf)`: `NAME=value` each, as `args_get`. EFAULT. */
export function environGet(guest: Guest, pointersPtr: number, bytesPtr: number): Errno {
  return writeStrings(guest.memory, guest.environ, pointersPtr, bytesPtr);
}

/** `environ_sizes_get() -> (errno, count: u32, size: u32)`. EFAULT. */
export function environSizesGet(guest: Guest, countPtr: number, sizePtr: number): Errno {
  return writeSizes(guest.memory, guest.environ, countPtr, sizePtr);
}

function writeStrings(memory: GuestMemory, list: StringList, pointersPtr: number, bytesPtr: number): Errno {
  const count = list.starts.length;
  if (!memory.contains(pointersPtr, count * POINTER_SIZE_BYTES)) return Errno.EFAULT;
  if (!memory.contains(bytesPtr, list.bytes.length)) return Errno.EFAULT;
  memory.setBytes(bytesPtr, list.bytes);
  for (let index = 0; index < count; index++) {
    memory.setU32(pointersPtr + index * POINTER_SIZE_BYTES, bytesPtr + list.starts[index]!);
  }
  return Errno.ESUCCESS;
}

function writeSizes(memory: GuestMemory, list: StringList, countPtr: number, sizePtr: number): Errno {
  if (!memory.contains(countPtr, 4) || !memory.contains(sizePtr, 4)) return Errno.EFAULT;
  memory.setU32(countPtr, list.starts.length);
  memory.setU32(sizePtr, list.bytes.length);
  return Errno.ESUCCESS;
}
