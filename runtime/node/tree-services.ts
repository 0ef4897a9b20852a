/** What Node gives to a container's tree: layers of the store, directories of the host, the time, randomness. */

import { assert, WpodError } from "../core/error.ts";
import type { TreeServices } from "../core/kernel/container-tree.ts";
import { lostFile } from "../core/kernel/moved-files.ts";
import { realtimeNs } from "./clocks.ts";
import { fillRandom } from "./host/random.ts";
import { HostTree, openHostTree } from "./hostdir/host-tree.ts";
import { keep } from "./layerdir/keep.ts";
import { openLayer } from "./store/layer-reader.ts";

/** Descriptors of layers and mounts are open until it is disposed of. */
export function treeServices(
  owner: { uid: number; gid: number } = { uid: 0, gid: 0 },
): TreeServices & Disposable {
  const open: { close(): void }[] = [];
  return {
    openLayer(files) {
      const layer = openLayer(files);
      open.push(layer);
      return layer;
    },
    openHost(source, readOnly, device, root) {
      try {
        const tree = openHostTree(source, { readOnly, device, root, ...owner });
        open.push(tree);
        return tree;
      } catch (error) {
        const { message } = error as Error;
        throw new WpodError("MOUNT_INVALID", `can't mount ${source}: ${message}`, { cause: error });
      }
    },
    reopen(mount, file) {
      const { tree } = mount.root;
      assert(tree instanceof HostTree, "an open file of the host is of a bind mount");
      try {
        return tree.reopenFile(file, mount);
      } catch (error) {
        throw lostFile("file", error);
      }
    },
    keep(fileSystem, plan, arrival) {
      keep(fileSystem, plan, arrival);
      open.push({ close: () => fileSystem.keeper?.close() });
    },
    nowNs: realtimeNs,
    random: fillRandom,
    [Symbol.dispose]() {
      for (const item of open) item.close();
    },
  };
}
