/**
 * The same file again, by a descriptor of this process: Node has neither `fcntl` nor `dup`. What has no name any more is
 * opened, too.
 */
import { constants, fchmodSync, fstatSync, openSync } from "node:fs";

const BY_PROC = process.platform === "linux";

/**
 * @param flags on Linux those of the new descriptor; elsewhere it has those of the old one, and shares its position
 * @throws NodeJS.ErrnoException
 */
export function reopen(fd: number, flags: number): number {
  const open = () => openSync(BY_PROC ? `/proc/self/fd/${fd}` : `/dev/fd/${fd}`, flags);
  try {
    return open();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    return withRights(fd, open);
  }
}

/** A file that was made without the right to write it can still be written by who made it; not when it is opened again. */
function withRights(fd: number, open: () => number): number {
  const mode = Number(fstatSync(fd).mode) & 0o7777;
  fchmodSync(fd, mode | constants.S_IRUSR | constants.S_IWUSR);
  try {
    return open();
  } finally {
    fchmodSync(fd, mode);
  }
}
