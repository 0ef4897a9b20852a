/**
 * What Node's permission model takes from a process as a whole, although it concerns what is open already: `fchmod`, `futimes`
 * and `fsync`. On Linux the first two are there by the descriptor's place in `/proc`; durable are then only files that are
 * opened so.
 */
import fs from "node:fs";
import { isRestricted } from "./permission-flags.ts";

/** For `open`, of files whose content has to last: what `syncData` can't do is done by each write. Windows has no such flag. */
export const DURABLE_FLAGS = isRestricted() ? (fs.constants.O_DSYNC ?? 0) : 0;

export function changeMode(fd: number, mode: number): void {
  if (isRestricted()) fs.chmodSync(pathOf(fd), mode);
  else fs.fchmodSync(fd, mode);
}

/** In seconds. */
export function changeTimes(fd: number, accessS: number | string, modifyS: number | string): void {
  if (isRestricted()) fs.utimesSync(pathOf(fd), accessS, modifyS);
  else fs.futimesSync(fd, accessS, modifyS);
}

/** Of a file that was opened with `DURABLE_FLAGS`. */
export function syncDurable(fd: number): void {
  if (!isRestricted()) fs.fdatasyncSync(fd);
}

function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
