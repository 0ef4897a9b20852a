/** Keeps a file system as a container's description says: in a folder, or beside memory for as long as it runs. */
import type { KeepPlan } from "../../core/kernel/spec.ts";
import type { FileSystem } from "../../core/vfs/file-system.ts";
import type { Arrival } from "../../core/vfs/journal/journal.ts";
import { Spill } from "../../core/vfs/spill.ts";
import { keepInFolder } from "./layer-directory.ts";
import { HostFolder } from "./store-folder.ts";

/**
 * @param arrival what the file system has already; undefined: what the folder says
 * @throws WpodError STORE_UNUSABLE
 */
export function keep(fileSystem: FileSystem, plan: KeepPlan, arrival: Arrival | undefined): void {
  if (plan.kind === "folder") {
    keepInFolder(fileSystem, plan.path, plan, arrival);
    return;
  }
  new Spill(fileSystem, new HostFolder(plan.folder), plan, arrival?.nodes);
}
