/** The files of a container that doesn't run, as a `node:fs`-shaped object on this thread. */
import { assembleTree } from "../core/kernel/container-tree.ts";
import type { FilesSpec } from "../core/kernel/spec.ts";
import { type FileSystemState, takeSnapshot } from "../core/vfs/snapshot.ts";
import { treeServices } from "../node/tree-services.ts";
import type { ContainerFiles } from "./types.ts";

export interface OpenFiles {
  volume: ContainerFiles;
  /** What the files of a new container are now; the volume must not be used after that. */
  close(): FileSystemState | undefined;
}

/**
 * Mounts are not part of it: only the container's own layer, and its image's.
 * @param isNew it has not run: what is changed goes to its worker, and is kept there
 */
export async function openFiles(files: FilesSpec, isNew: boolean): Promise<OpenFiles> {
  const { openVolume } = await import("../node/volume/volume.ts");
  const services = treeServices();
  const keep = isNew ? undefined : files.keep;
  const tree = assembleTree({ ...files, keep, mounts: [], etcFiles: [] }, services, undefined);
  return {
    volume: openVolume(tree.root),
    close() {
      const state = isNew ? takeSnapshot(tree.root) : undefined;
      services[Symbol.dispose]();
      return state;
    },
  };
}
