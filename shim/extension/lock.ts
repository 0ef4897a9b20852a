/** `wpod_lock`: advisory locks, which preview 1 has no functions for. `wpod_lock.h` declares them for C. */
import { Errno } from "../abi/errno.ts";
import type { LockKind } from "../abi/system.ts";
import type { Guest } from "../guest.ts";
import type { Syscall } from "../preview1/table.ts";

/** Bits of `wpod_lock.h`: as Linux has them. */
const LOCK_NONBLOCK = 4;
const KINDS: ReadonlyMap<number, LockKind> = new Map([
  [1, "shared"],
  [2, "exclusive"],
  [8, "none"],
]);

/**
 * `flock(fd, operation: u32) -> errno`: of the open file behind the descriptor, as flock(2) has it.
 *
 * @returns EBADF; EINVAL an operation that there isn't, or a file that can't be locked; EAGAIN others have it, with
 *   LOCK_NB; EDEADLK it would wait for nobody but itself; ENOLCK
 */
function lockFlock(guest: Guest, fd: number, operation: number): Errno {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor === undefined) return Errno.EBADF;
  const kind = KINDS.get(operation & ~LOCK_NONBLOCK);
  if (kind === undefined) return Errno.EINVAL;
  const answer = descriptor.file.lock?.(kind, (operation & LOCK_NONBLOCK) === 0) ?? -Errno.EINVAL;
  return answer < 0 ? (-answer as Errno) : Errno.ESUCCESS;
}

/** Functions of the module `wpod_lock`. */
export const LOCK: readonly Syscall[] = [
  {
    name: "flock",
    level: "full",
    note: "",
    bind: (guest) => (fd: number, operation: number) => lockFlock(guest, fd >>> 0, operation >>> 0),
  },
];
