/** Mounts as the caller names them, checked against each other and the host, before anything starts. */
import { accessSync, constants, type Stats, statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { WpodError } from "../core/error.ts";
import { normalizePath } from "../core/kernel/path.ts";
import type { MountPlan } from "../core/kernel/spec.ts";
import type { VolumeLimits } from "../core/quota/volume-limits.ts";
import { INODES_MAX, RESIDENT_BYTES_MAX, TMPFS_BYTES_MAX, VOLUME_BYTES_MAX } from "./limits.ts";
import type { MountSpec } from "./types.ts";

const TMPFS_MODE = 0o1777;
const VOLUME_MODE = 0o755;

/** Where a volume is; what it may hold. */
export interface VolumePlace extends Partial<VolumeLimits> {
  path: string;
}

/** @throws WpodError MOUNT_INVALID */
export function planMounts(
  mounts: readonly MountSpec[],
  placeOf: (volume: string) => VolumePlace,
): MountPlan[] {
  const targets = new Set<string>();
  return mounts.map((mount) => {
    const target = checkTarget(mount.target);
    if (targets.has(target)) throw invalid(`${target}: duplicate mount destination`);
    targets.add(target);
    if (mount.type === "bind") checkSource(mount);
    return {
      kind: mount.type,
      source: mount.source ?? "",
      target,
      readOnly: mount.readOnly ?? false,
      ...(mount.type === "volume" ? volumePlan(mount, placeOf) : tmpfsPlan(mount)),
    };
  });
}

function tmpfsPlan({
  sizeBytesMax = TMPFS_BYTES_MAX,
  inodesMax,
  mode = TMPFS_MODE,
}: MountSpec): Pick<MountPlan, "sizeBytesMax" | "inodesMax" | "mode"> {
  for (const [name, value] of Object.entries({ sizeBytesMax, inodesMax: inodesMax ?? 0 })) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw invalid(`the limit ${name} of ${value} is no whole number from 0 on`);
  }
  return { sizeBytesMax, inodesMax, mode };
}

function volumePlan(
  { source, noCopy }: MountSpec,
  placeOf: (volume: string) => VolumePlace,
): Pick<MountPlan, "sizeBytesMax" | "inodesMax" | "mode" | "keep" | "whenEmpty"> {
  const { path, bytesMax = VOLUME_BYTES_MAX, inodesMax = INODES_MAX } = placeOf(source!);
  return {
    sizeBytesMax: bytesMax,
    inodesMax,
    mode: VOLUME_MODE,
    keep: { kind: "folder", path, identity: "", residentBytesMax: RESIDENT_BYTES_MAX },
    whenEmpty: noCopy === true ? "leave" : "copy",
  };
}

function checkSource({ source }: MountSpec): void {
  if (source === undefined || source === "") throw invalid("host directory cannot be empty");
  if (!isAbsolute(source)) throw invalid(`the source "${source}" of a bind mount is not an absolute path`);
  const stat = statOf(source);
  if (!stat.isDirectory() && !stat.isFile()) {
    throw new WpodError("MOUNT_INVALID", `the source "${source}" of a bind mount is a ${kindOf(stat)}`, {
      hint: "directories and regular files can be mounted",
    });
  }
  try {
    accessSync(source, constants.R_OK | (stat.isDirectory() ? constants.X_OK : 0));
  } catch (error) {
    throw new WpodError(
      "MOUNT_INVALID",
      `the source "${source}" of a bind mount can't be read: permission denied`,
      {
        hint: "the guest has no more rights on it than you",
        cause: error,
      },
    );
  }
}

const STAT_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EACCES: "permission denied",
  ELOOP: "too many levels of symbolic links",
  ENAMETOOLONG: "file name too long",
};

/** As podman words it. */
function statOf(source: string): Stats {
  try {
    return statSync(source);
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new WpodError("MOUNT_INVALID", `statfs ${source}: ${STAT_ERRORS[code] ?? message}`, {
      ...(code === "ENOENT" ? { hint: "make it first: a bind mount shows what is there" } : {}),
      cause: error,
    });
  }
}

function kindOf(stat: Stats): string {
  if (stat.isFIFO()) return "FIFO";
  return stat.isSocket() ? "socket" : "device";
}

function checkTarget(target: string): string {
  if (target === "") throw invalid("container directory cannot be empty");
  if (!target.startsWith("/") || target.includes("\0")) {
    throw invalid(`invalid container path "${target}", must be an absolute path`);
  }
  const path = normalizePath(target);
  if (path === "/") throw invalid(`invalid container path "${target}", must not be /`);
  return path;
}

function invalid(message: string): WpodError {
  return new WpodError("MOUNT_INVALID", message);
}
