/** Clocks. */
import { CLOCK_NAMES } from "../abi/clock-id.ts";
import { Errno } from "../abi/errno.ts";
import { isFailure } from "../abi/system.ts";
import type { Guest } from "../guest.ts";

/**
 * `clock_res_get(id) -> (errno, resolution: u64 ns)`.
 *
 * @returns EINVAL no such clock; EFAULT
 * @see clock_getres(2)
 */
export function clockResGet(guest: Guest, id: number, resolutionPtr: number): Errno {
  const name = CLOCK_NAMES[id];
  if (name === undefined) return Errno.EINVAL;
  if (!guest.memory.contains(resolutionPtr, 8)) return Errno.EFAULT;
  const resolutionNs = guest.system.clocks.resolution(name);
  if (isFailure(resolutionNs)) return -resolutionNs as Errno;
  guest.memory.setU64(resolutionPtr, resolutionNs);
  return Errno.ESUCCESS;
}

/**
 * `clock_time_get(id, precision) -> (errno, time: u64 ns)`. The precision asked for is always met: it is not looked at.
 *
 * @returns EINVAL no such clock; EFAULT
 * @see clock_gettime(2)
 */
export function clockTimeGet(guest: Guest, id: number, timePtr: number): Errno {
  const name = CLOCK_NAMES[id];
  if (name === undefined) return Errno.EINVAL;
  if (!guest.memory.contains(timePtr, 8)) return Errno.EFAULT;
  const nowNs = guest.system.clocks.now(name);
  if (isFailure(nowNs)) return -nowNs as Errno;
  guest.memory.setU64(timePtr, nowNs);
  return Errno.ESUCCESS;
}
