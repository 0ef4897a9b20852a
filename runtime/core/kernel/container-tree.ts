/** The files of one container: its image's layers, what is mounted over them, and the runtime's own. The same in any thread. */
import { Errno } from "../../../shim/abi/errno.ts";
import { isFailure, type OpenFile } from "../../../shim/abi/system.ts";
import { WpodError } from "../error.ts";
import { type Credentials, DirectoryInode, type Inode } from "../tree/inode.ts";
import { MemoryDirectory } from "../tree/memory-directory.ts";
import { type LayerSource, MemoryFileSystem } from "../tree/memory-file-system.ts";
import { type Mount, mountOver, rootMount } from "../tree/mount-table.ts";
import { Directory } from "../tree/open-file.ts";
import { restoreSnapshot } from "../tree/snapshot.ts";
import { type Base, type Walk, walk } from "../tree/walk.ts";
import { fillDevices } from "./devices.ts";
import type { FilesSpec, LayerFiles, MountPlan } from "./spec.ts";

/** What the thread that assembles a tree has to give. */
export interface TreeServices {
  openLayer(layer: LayerFiles): LayerSource;
  /** The root of a directory or file of the host. Throws a WpodError when it isn't there. */
  openHost(source: string, readOnly: boolean, device: bigint): Inode;
  nowNs(): bigint;
  random(target: Uint8Array): void;
}

export const SUPERUSER: Credentials = { uid: 0, gid: 0, groups: [], umask: 0o022 };

/** Numbers of the file systems that every container has; mounts come behind. */
const DEVICE = { root: 1n, dev: 2n, etc: 3n, firstMount: 4n };
/** Files of the runtime's own don't count against anybody. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

export interface ContainerTree {
  readonly root: MemoryFileSystem;
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
  const root = new MemoryFileSystem({
    layers: spec.layers.map((layer) => services.openLayer(layer)),
    nowNs,
    device: DEVICE.root,
    bytesMax: spec.diskBytesMax,
    inodesMax: spec.inodesMax,
  });
  if (spec.snapshot !== undefined) restoreSnapshot(root, spec.snapshot);
  const top = rootMount(root.root, spec.readOnly);
  const base: Base = {
    mount: top,
    directory: root.root,
    ceiling: undefined,
    root: { mount: top, inode: root.root },
    who: SUPERUSER,
  };
  for (const { path, mode } of spec.folders) makeFolder(base, path, mode);
  const plain = { nowNs, bytesMax: UNBOUNDED, inodesMax: UNBOUNDED };

  const dev = new MemoryFileSystem({ ...plain, device: DEVICE.dev });
  fillDevices(dev, stdio, services.random);
  mountAt(base, "/dev", dev.root, false);

  const etc = new MemoryFileSystem({ ...plain, device: DEVICE.etc });
  for (const { path, content } of spec.etcFiles) mountAt(base, path, textFile(etc, content), false);

  for (const [index, plan] of inOrder(spec.mounts).entries()) {
    const device = DEVICE.firstMount + BigInt(index);
    const inode =
      plan.kind === "bind"
        ? services.openHost(plan.source, plan.readOnly, device)
        : new MemoryFileSystem({
            nowNs,
            device,
            bytesMax: plan.sizeBytesMax,
            inodesMax: spec.inodesMax,
            rootMode: plan.mode,
          }).root;
    mountAt(base, plan.target, inode, plan.readOnly);
  }

  return {
    root,
    openRoot: (who) => new Directory({ ...base, who }, top, root.root, undefined),
    openCapability(path, who) {
      const found = find(base, path);
      const inode = found.inode;
      if (!(inode instanceof DirectoryInode)) {
        throw new WpodError("MOUNT_INVALID", `preopen "${path}" is not a directory of the container`);
      }
      return new Directory({ ...base, who }, found.inodeMount, inode, inode);
    },
    isDirectory(path) {
      const found = {} as Walk;
      return walk(base, path, true, found) === 0 && found.inode instanceof DirectoryInode;
    },
  };
}

/** Outer mounts first: what is mounted inside another has to find it. */
function inOrder(mounts: readonly MountPlan[]): MountPlan[] {
  const depth = (plan: MountPlan) => plan.target.split("/").filter((name) => name !== "").length;
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}

function find(base: Base, path: string): Walk {
  const found = {} as Walk;
  const answer = walk(base, path, true, found);
  if (answer < 0) {
    throw new WpodError("MOUNT_INVALID", `"${path}" can't be reached in the container`);
  }
  return found;
}

/** Makes the place where it isn't there, as docker does: a directory for a directory, an empty file for a file. */
function mountAt(base: Base, target: string, inode: Inode, readOnly: boolean): Mount {
  const isDirectory = inode instanceof DirectoryInode;
  makePlace(base, target, isDirectory);
  const found = find(base, target);
  if (found.inode === undefined || found.name === "") {
    throw new WpodError("MOUNT_INVALID", `nothing can be mounted on "${target}"`);
  }
  if (found.inode instanceof DirectoryInode !== isDirectory) {
    const [what, where] = isDirectory ? ["a directory", "a file"] : ["a file", "a directory"];
    throw new WpodError("MOUNT_INVALID", `${what} can't be mounted on "${target}", which is ${where}`);
  }
  return mountOver({ mount: found.mount, inode: found.inode }, found.directory, inode, readOnly);
}

function makePlace(base: Base, target: string, isDirectory: boolean): void {
  const names = target.split("/").filter((name) => name !== "");
  // The image's own tree may be read-only; the places of mounts are the runtime's doing.
  const writable: Base = { ...base, mount: { ...base.mount, readOnly: false } };
  const top = new Directory(writable, writable.mount, base.directory, undefined);
  for (let count = 1; count <= names.length; count++) {
    const path = names.slice(0, count).join("/");
    const last = count === names.length;
    const answer = last && !isDirectory ? makeEmptyFile(top, path) : top.makeDirectoryAt(path, 0o755);
    if (answer < 0 && answer !== -Errno.EEXIST && answer !== -Errno.EROFS) {
      throw new WpodError("MOUNT_INVALID", `the place for the mount on "${target}" can't be made`);
    }
  }
}

function makeFolder(base: Base, path: string, mode: number): void {
  makePlace(base, path, true);
  const { inode } = find(base, path);
  if (inode instanceof MemoryDirectory) inode.chmod(mode);
}

function makeEmptyFile(top: Directory, path: string): number {
  const file = top.openAt(path, {
    read: false,
    write: true,
    append: false,
    create: true,
    exclusive: true,
    truncate: false,
    directory: false,
    nonblock: true,
    followLast: false,
    mode: 0o644,
  });
  if (isFailure(file)) return file;
  file.close();
  return 0;
}

function textFile(fileSystem: MemoryFileSystem, content: string): Inode {
  const name = `${fileSystem.root.entries().size}`;
  const inode = fileSystem.root.createFile(name, { mode: 0o644, uid: 0, gid: 0 });
  if (typeof inode === "number") throw new Error("wpod defect: an unbounded file system had no room");
  const open = inode.openContent(true);
  if (typeof open === "number") throw new Error("wpod defect: a file in memory can't be opened");
  open.writeAt(new TextEncoder().encode(content), 0);
  open.release();
  return inode;
}
