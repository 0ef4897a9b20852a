/**
 * The same file again, by a descriptor of this process: Node has neither `fcntl` nor `dup`. What has no name any more is
 * opened, too.
 */
import { chmodSync, closeSync, constants, fstatSync, openSync } from "node:fs";
import type { HeldFile } from "../../core/vfs/dentry.ts";
import { identityOf, O_PATH, stale } from "./host-descriptors.ts";

const BY_PROC = process.platform === "linux";

/**
 * @param flags on Linux those of the new descriptor; elsewhere it has those of the old one, and shares its position
 * @throws NodeJS.ErrnoException
 */
export function reopen(fd: number, flags: number): number {
  const path = BY_PROC ? `/proc/self/fd/${fd}` : `/dev/fd/${fd}`;
  try {
    return openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    return withRights(fd, path, flags);
  }
}

/**
 * A place of its own for what another thread has open, which may end, and its number be given to another file, at any time.
 * @throws NodeJS.ErrnoException ESTALE
 */
export function placeOf({ fd, identity }: HeldFile): number {
  const place = openSync(`/proc/self/fd/${fd}`, O_PATH);
  if (identityOf(fstatSync(place, { bigint: true })) === identity) return place;
  closeSync(place);
  throw stale();
}

/** As `reopen`, of what another thread has open. @throws NodeJS.ErrnoException ESTALE */
export function reopenHeld(held: HeldFile, flags: number): number {
  if (!BY_PROC) {
    const fd = reopen(held.fd, flags);
    if (identityOf(fstatSync(fd, { bigint: true })) === held.identity) return fd;
    closeSync(fd);
    throw stale();
  }
  const place = placeOf(held);
  try {
    return reopen(place, flags);
  } finally {
    closeSync(place);
  }
}

/** A file that was made without the right to write it can still be written by who made it; not when it is opened again. */
function withRights(fd: number, path: string, flags: number): number {
  const mode = Number(fstatSync(fd).mode) & 0o7777;
  chmodSync(path, mode | constants.S_IRUSR | constants.S_IWUSR);
  try {
    return openSync(path, flags);
  } finally {
    chmodSync(path, mode);
  }
}
