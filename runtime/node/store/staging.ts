/**
 * Files on their way into the store: written under `tmp/`, synced, and renamed when all is known to be right. What is
 * left of a process that died is swept by the next import.
 */
import { closeSync, constants, fsyncSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { WpodError } from "../../core/error.ts";
import { DURABLE_FLAGS, syncDurable } from "../host/descriptor-calls.ts";
import { isRestricted } from "../host/permission-flags.ts";
import { randomHex } from "../host/random.ts";
import { databaseError } from "./database.ts";
import type { Store } from "./store.ts";

const { O_WRONLY, O_CREAT, O_EXCL } = constants;
const TEMPORARY_NAME = /^(\d+)-[0-9a-f]{16}\.[a-z]+$/;
/** A process of another container may share this folder, and its number means nothing here: old ones only. */
const SWEEP_AGE_MS = 10 * 60 * 1000;

/** A name that nobody else has, and that the sweep knows for one of this process. */
export function temporaryName(suffix: string): string {
  return `${process.pid}-${randomHex(8)}.${suffix}`;
}

/** A path under `tmp/` of such a name. */
export function temporaryPath(store: Store, suffix: string): string {
  return join(store.temporaryFolder, temporaryName(suffix));
}

/** Writes a file and makes it durable. */
export function writeSynced(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | DURABLE_FLAGS, 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    syncDurable(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes renames in a directory durable. */
export function syncDirectory(path: string): void {
  // A directory can't be opened there, and NTFS journals renames; a restricted process may not.
  if (process.platform === "win32" || isRestricted()) return;
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Removes what processes that are gone left behind. */
export function sweepTemporary(store: Store, nowMs: number): void {
  for (const name of readdirSync(store.temporaryFolder)) {
    const pid = TEMPORARY_NAME.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const path = join(store.temporaryFolder, name);
    const status = statSync(path, { throwIfNoEntry: false });
    if (status !== undefined && nowMs - status.mtimeMs > SWEEP_AGE_MS) rmSync(path, { force: true });
  }
}

/** A failure of the host's disk as the sentence that its reader needs; others are left as they are. */
export function storeError(error: unknown, store: Store): unknown {
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new WpodError("STORE_FULL", `no space is left in ${store.root}: nothing was imported`, {
        hint: "free some space, or set WPOD_ROOT to a folder on a larger disk",
        cause: error,
      });
    default:
      return databaseError(error, store.databasePath);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
