/** The host's errors as the guest sees them. */
import { Errno } from "../../../shim/abi/errno.ts";

/** Runs a call of `node:fs`; a failure of the host becomes a negative `Errno`, anything else is thrown on. */
export function attempt(call: () => number): number {
  try {
    return call();
  } catch (error) {
    return -hostErrno(error);
  }
}

export function hostErrno(error: unknown): Errno {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return code in Errno ? Errno[code as keyof typeof Errno] : Errno.EIO;
}
