/** The tree of a container's `/dev`: a few harmless devices, and the links that programs look for there. */
import { assert } from "../error.ts";
import {
  type DeviceBehaviour,
  DeviceFile,
  fullDevice,
  nullDevice,
  randomDevice,
  zeroDevice,
} from "./device-file.ts";
import { FileSystem } from "./file-system.ts";
import type { DeviceOpener } from "./memory-node.ts";

export interface DeviceTreeOptions {
  nowNs: () => bigint;
  device: bigint;
  random: (target: Uint8Array) => void;
  /** What opening `/dev/stdin`, `stdout`, `stderr` or `tty` gives, by name; those without an opener aren't there. */
  openers?: Readonly<Record<string, DeviceOpener>>;
  /** Of what a guest puts into `/dev/shm`. */
  bytesMax?: number;
  inodesMax?: number;
}

export function deviceTree(options: DeviceTreeOptions): FileSystem {
  const tree = new FileSystem({
    nowNs: options.nowNs,
    device: options.device,
    bytesMax: options.bytesMax ?? 64 * 1024 * 1024,
    inodesMax: options.inodesMax ?? 10_000,
    rootMode: 0o755,
  });
  const behaviours: Record<string, DeviceBehaviour> = {
    null: nullDevice(),
    zero: zeroDevice(),
    full: fullDevice(),
    random: randomDevice(options.random),
    urandom: randomDevice(options.random),
  };
  for (const [name, behaviour] of Object.entries(behaviours)) addDevice(tree, name, behaviour);
  for (const [name, opener] of Object.entries(options.openers ?? {})) tree.makeDevice(name, 0o666, opener);
  const shared = tree.root.makeDirectory("shm", 0o1777, 0, 0);
  assert(typeof shared !== "number", "/dev/shm fits");
  return tree;
}

function addDevice(tree: FileSystem, name: string, behaviour: DeviceBehaviour): void {
  const node = tree.makeDevice(name, 0o666, (options) => new DeviceFile(node, behaviour, options));
}
