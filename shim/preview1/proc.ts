/** What a program does to itself. */
import { Errno } from "../abi/errno.ts";
import { SIGNAL_NAMES } from "../abi/signal.ts";
import type { Guest } from "../guest.ts";

/** The exit status that a parent sees (`WEXITSTATUS`). */
const STATUS_MASK = 0xff;

/**
 * `proc_exit(rval)`: ends the program; does not return. The runtime unwinds the guest with an exception of its own.
 *
 * @see exit(3)
 */
export function procExit(guest: Guest, status: number): never {
  return guest.system.processes.exit(status & STATUS_MASK);
}

/**
 * `proc_raise(sig)`: the default action of a signal, since a guest has no handlers.
 *
 * @returns EINVAL no such signal; what the runtime answers where it doesn't end the program
 * @see raise(3)
 */
export function procRaise(guest: Guest, signal: number): Errno {
  const name = SIGNAL_NAMES[signal];
  if (name === undefined) return Errno.EINVAL;
  if (name === "") return Errno.ESUCCESS; // kill(2): signal 0 only asks whether one may.
  const answer = guest.system.processes.raise(name);
  return answer < 0 ? (-answer as Errno) : Errno.ESUCCESS;
}
