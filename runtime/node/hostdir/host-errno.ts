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

/** Names of Node and of hosts that WASI doesn't have. */
const OTHER_NAMES: Readonly<Record<string, Errno>> = {
  EOPNOTSUPP: Errno.ENOTSUP,
  EDEADLOCK: Errno.EDEADLK,
  ENODATA: Errno.EIO,
  ERR_ACCESS_DENIED: Errno.EACCES, // Node's permission model
  ERR_INVALID_ARG_VALUE: Errno.EINVAL, // a NUL in a name
  ERR_OUT_OF_RANGE: Errno.EINVAL,
  ERR_FS_FILE_TOO_LARGE: Errno.EFBIG,
};

/** Anything without a code is a defect of ours, and thrown on. */
export function hostErrno(error: unknown): Errno {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  if (Object.hasOwn(Errno, code)) return Errno[code as keyof typeof Errno];
  return OTHER_NAMES[code] ?? Errno.EIO;
}
