/** What Node gives to a container's tree: layers of the store, directories of the host, the time, randomness. */

import { assert } from "../core/error.ts";
import type { TreeServices } from "../core/kernel/container-tree.ts";
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
    openHost(source, readOnly, device, rootFd) {
      const tree = openHostTree(source, { readOnly, device, rootFd, ...owner });
      open.push(tree);
      return tree;
    },
    reopen(mount, file) {
      const { tree } = mount.root;
      assert(tree instanceof HostTree, "an open file of the host is of a bind mount");
      return tree.reopenFile(file, mount);
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
