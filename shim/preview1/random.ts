/** Randomness. */
import { Errno } from "../abi/errno.ts";
import type { Guest } from "../guest.ts";
import { RANDOM_BYTES_MAX } from "../limits.ts";

/**
 * `random_get(buf, buf_len)`: bytes that can't be guessed. Asked for in pieces, so that no guest decides how much the host makes at once.
 *
 * @returns EFAULT
 * @see getentropy(3)
 */
export function randomGet(guest: Guest, ptr: number, sizeBytes: number): Errno {
  if (!guest.memory.contains(ptr, sizeBytes)) return Errno.EFAULT;
  for (let at = 0; at < sizeBytes; at += RANDOM_BYTES_MAX) {
    const target = guest.memory.slice(ptr + at, Math.min(RANDOM_BYTES_MAX, sizeBytes - at));
    if (target === undefined) return Errno.EFAULT;
    guest.system.random(target);
  }
  return Errno.ESUCCESS;
}
