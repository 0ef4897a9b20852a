/** Mounts as the caller names them, checked against each other and the host, before anything starts. */
import { statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { WpodError } from "../core/error.ts";
import { normalizePath } from "../core/kernel/path.ts";
import type { MountPlan } from "../core/kernel/spec.ts";
import { TMPFS_BYTES_MAX } from "./limits.ts";
import type { MountSpec } from "./types.ts";

const TMPFS_MODE = 0o1777;

/** @throws WpodError MOUNT_INVALID */
export function planMounts(mounts: readonly MountSpec[]): MountPlan[] {
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
      sizeBytesMax: mount.sizeBytesMax ?? TMPFS_BYTES_MAX,
      mode: mount.mode ?? TMPFS_MODE,
    };
  });
}

function checkSource({ source }: MountSpec): void {
  if (source === undefined || source === "") throw invalid("host directory cannot be empty");
  if (!isAbsolute(source)) throw invalid(`the source "${source}" of a bind mount is not an absolute path`);
  try {
    statSync(source);
  } catch (error) {
    throw new WpodError("MOUNT_INVALID", `statfs ${source}: no such file or directory`, {
      hint: "make it first: a bind mount shows what is there",
      cause: error,
    });
  }
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
