/** What Node gives to a container's tree: layers of the store, directories of the host, the time, randomness. */
import type { TreeServices } from "../core/kernel/container-tree.ts";
import { realtimeNs } from "./clocks.ts";
import { fillRandom } from "./host/random.ts";
import { openHostTree } from "./hostdir/host-tree.ts";
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
    openHost(source, readOnly, device) {
      const tree = openHostTree(source, { readOnly, device, ...owner });
      open.push(tree);
      return tree;
    },
    reopen() {
      throw new Error("wpod defect: open files of the host can't move yet");
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
