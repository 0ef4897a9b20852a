/** Scheduling. */
import { Errno } from "../abi/errno.ts";
import type { Guest } from "../guest.ts";

/** `sched_yield()`. Always succeeds. @see sched_yield(2) */
export function schedYield(guest: Guest): Errno {
  guest.system.processes.yield();
  return Errno.ESUCCESS;
}
