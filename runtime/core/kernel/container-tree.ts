/** The files of one container: its image's layers, what is mounted over them, and the runtime's own. The same in any thread. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { OpenFile, Stat } from "../../../shim/abi/system.ts";
import { WpodError } from "../error.ts";
import type { Credentials } from "../vfs/credentials.ts";
import type { Tree } from "../vfs/dentry.ts";
import { deviceTree } from "../vfs/devices.ts";
import { FileSystem, type Layer } from "../vfs/file-system.ts";
import type { DeviceOpener } from "../vfs/memory-node.ts";
import { MountTable } from "../vfs/mount-table.ts";
import { restoreSnapshot } from "../vfs/snapshot.ts";
import type { FilesSpec, LayerFiles, MountPlan } from "./spec.ts";

/** What the thread that assembles a tree has to give. */
export interface TreeServices {
  openLayer(layer: LayerFiles): Layer;
  /** A directory or file of the host. Throws a WpodError when it isn't there. */
  openHost(source: string, readOnly: boolean, device: bigint): Tree;
  nowNs(): bigint;
  random(target: Uint8Array): void;
}

export const SUPERUSER: Credentials = { uid: 0, gid: 0, groups: [], umask: 0o022 };

/** Numbers of the file systems that every container has; mounts come behind. */
const DEVICE = { root: 1n, dev: 2n, etc: 3n, firstMount: 4n };
const STREAMS = ["stdin", "stdout", "stderr"] as const;

export interface ContainerTree {
  readonly root: FileSystem;
  /** The container's `/`, as a directory that somebody has open. */
  openRoot(who: Credentials): OpenFile;
  /** A directory under another name, which its holder can't leave. */
  openCapability(path: string, who: Credentials): OpenFile;
  isDirectory(path: string): boolean;
}

/** @throws WpodError MOUNT_INVALID */
export function assembleTree(
  spec: FilesSpec,
  services: TreeServices,
  stdio: readonly [OpenFile, OpenFile, OpenFile] | undefined,
): ContainerTree {
  const { nowNs } = services;
  const root = new FileSystem({
    layers: spec.layers.map((layer) => services.openLayer(layer)),
    nowNs,
    device: DEVICE.root,
    bytesMax: spec.diskBytesMax,
    inodesMax: spec.inodesMax,
  });
  if (spec.snapshot !== undefined) restoreSnapshot(root, spec.snapshot);
  const table = new MountTable(root, { readOnly: spec.readOnly });
  for (const { path, mode } of spec.folders) table.makeDirectory(path, mode);

  const dev = deviceTree({
    nowNs,
    device: DEVICE.dev,
    random: services.random,
    openers: streamOpeners(stdio),
  });
  table.mount("/dev", { tree: dev });

  const etc = new FileSystem({ nowNs, device: DEVICE.etc });
  for (const [index, { path, content }] of spec.etcFiles.entries()) {
    etc.makeFile(`${index}`, 0o644, new TextEncoder().encode(content));
    table.mount(path, { tree: etc, path: `${index}` });
  }

  for (const [index, plan] of inOrder(spec.mounts).entries()) {
    const device = DEVICE.firstMount + BigInt(index);
    const tree =
      plan.kind === "bind"
        ? services.openHost(plan.source, plan.readOnly, device)
        : new FileSystem({
            nowNs,
            device,
            bytesMax: plan.sizeBytesMax,
            inodesMax: spec.inodesMax,
            rootMode: plan.mode,
          });
    table.mount(plan.target, { tree, readOnly: plan.readOnly });
  }

  return {
    root,
    openRoot: (who) => table.openRoot(who),
    openCapability(path, who) {
      const directory = table.openPreopen(path, true, who);
      if (typeof directory !== "number") return directory;
      throw new WpodError("MOUNT_INVALID", `preopen "${path}" is not a directory of the container`);
    },
    isDirectory(path) {
      const stat = {} as Stat;
      const directory = table.openRoot(SUPERUSER);
      const answer = directory.statAt(path, true, stat);
      directory.close();
      return answer === 0 && stat.type === FileType.directory;
    },
  };
}

/** What `/dev/stdin` and the others lead to. Without a terminal `/dev/tty` is there, and can't be opened. */
function streamOpeners(stdio: readonly OpenFile[] | undefined): Record<string, DeviceOpener> {
  const terminal = stdio?.find((file) => file.terminal !== undefined);
  const openers: Record<string, DeviceOpener> = { tty: () => terminal ?? -Errno.ENXIO };
  for (const [index, name] of STREAMS.entries()) openers[name] = () => stdio?.[index] ?? -Errno.ENXIO;
  return openers;
}

/** Outer mounts first: what is mounted inside another has to find it. */
function inOrder(mounts: readonly MountPlan[]): MountPlan[] {
  const depth = (plan: MountPlan) => plan.target.split("/").filter((name) => name !== "").length;
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}
