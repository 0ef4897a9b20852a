/** Where a container's writable layer is, beyond memory. */
import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeepPlan } from "../core/kernel/spec.ts";
import { temporaryName } from "../node/store/staging.ts";
import { RESIDENT_BYTES_MAX } from "./limits.ts";

/** Of a container whose record stays: in its folder, for as long. Made when something is written. */
export function lastingLayer(containerFolder: string, identity: string): KeepPlan {
  return {
    kind: "folder",
    path: join(containerFolder, "layer"),
    identity,
    residentBytesMax: RESIDENT_BYTES_MAX,
  };
}

/** Of others: a file under the root, where there is one, which is made when memory is full. */
export function passingLayer(root: string): KeepPlan {
  const folder = join(root, "tmp");
  return {
    kind: "spill",
    folder: existsSync(folder) ? folder : tmpdir(),
    // The name of a temporary file of the store: an import sweeps those of processes that are gone.
    name: temporaryName("spill"),
    residentBytesMax: RESIDENT_BYTES_MAX,
  };
}

/** Files of containers that have ended, and whose files are still looked at. */
const spilled = new Set<string>();

/** Whether anything went out of memory; if so, it is removed at the end of the process at last. */
export function hasSpilled(plan: KeepPlan): boolean {
  if (plan.kind !== "spill") return false;
  const path = join(plan.folder, plan.name);
  if (!existsSync(path)) return false;
  if (spilled.size === 0) process.once("exit", removeAll);
  spilled.add(path);
  return true;
}

export function removeSpilled(plan: KeepPlan | undefined): void {
  if (plan?.kind !== "spill") return;
  const path = join(plan.folder, plan.name);
  rmSync(path, { force: true });
  if (spilled.delete(path) && spilled.size === 0) process.off("exit", removeAll);
}

function removeAll(): void {
  for (const path of spilled) rmSync(path, { force: true });
}
