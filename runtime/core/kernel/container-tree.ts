/** The files of one container: its image's layers, what is mounted over them, and the runtime's own. The same in any thread. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { OpenFile } from "../../../shim/abi/system.ts";
import { WpodError } from "../error.ts";
import { CGROUP_FILES, PROC_FILES } from "../quota/cgroup-files.ts";
import { FilesMemory } from "../quota/files-memory.ts";
import { IoPage } from "../quota/io-page.ts";
import { MemoryAccount } from "../quota/memory-account.ts";
import { UsagePage, type UsagePageSpec } from "../quota/usage-page.ts";
import type { Credentials } from "../vfs/credentials.ts";
import type { HeldFile, Tree } from "../vfs/dentry.ts";
import { deviceTree } from "../vfs/devices.ts";
import { FileSystem, type Layer } from "../vfs/file-system.ts";
import type { Arrival } from "../vfs/journal/journal.ts";
import { MemoryLink } from "../vfs/memory-link.ts";
import type { DeviceOpener, MemoryNode } from "../vfs/memory-node.ts";
import type { Mount } from "../vfs/mount.ts";
import { type MountPlace, type MountSource, MountTable } from "../vfs/mount-table.ts";
import { isEmpty, populate } from "../vfs/populate.ts";
import { type FileSystemState, restoreSnapshot, takeSnapshot } from "../vfs/snapshot.ts";
import { type TextSource, textTree } from "../vfs/text-tree.ts";
import { type MovedHostFile, openNode } from "./moved-files.ts";
import type { VolumeUse } from "./shared-volumes.ts";
import type { FilesSpec, KeepPlan, LayerFiles, MountPlan } from "./spec.ts";
import { terminalAmong } from "./stdio-alias.ts";

/** What the thread that assembles a tree has to give. */
export interface TreeServices {
  openLayer(layer: LayerFiles): Layer;
  /**
   * A directory or file of the host. Throws a WpodError when it isn't there.
   * @param root of another thread's tree of it: the same one, whatever its path leads to now
   */
  openHost(source: string, readOnly: boolean, device: bigint, root: HeldFile | undefined): Tree;
  /** Opens again what another thread has open of such a tree. */
  reopen(mount: Mount, file: MovedHostFile): OpenFile;
  /**
   * Keeps a file system on disk from now on.
   * @param arrival what it has already; undefined: it gets what is there. @throws WpodError STORE_UNUSABLE
   */
  keep(fileSystem: FileSystem, plan: KeepPlan, arrival: Arrival | undefined): void;
  nowNs(): bigint;
  random(target: Uint8Array): void;
}

export const SUPERUSER: Credentials = { uid: 0, gid: 0, groups: [], umask: 0o022 };

/** Of the image's layers, and what is written over them. */
export const ROOT_DEVICE = 1n;
/** Numbers of the file systems that every container has; mounts come behind. */
const DEVICE = { root: ROOT_DEVICE, dev: 2n, etc: 3n, proc: 4n, sys: 5n, firstMount: 6n };
const STREAMS = ["stdin", "stdout", "stderr"] as const;

export interface ContainerTree {
  readonly root: FileSystem;
  readonly table: MountTable;
  /** Those in memory, in the order in which they are assembled. */
  readonly fileSystems: readonly FileSystem[];
  /** What of it is in memory is charged to it; undefined: nobody counts. */
  readonly memory?: FilesMemory | undefined;
  /** A node that came with `MovedFiles`. */
  movedNode(device: number, inode: number): MemoryNode | undefined;
  /** The container's `/`, as a directory that somebody has open. */
  openRoot(who: Credentials): OpenFile;
  /** A directory under another name, which its holder can't leave. */
  openCapability(path: string, who: Credentials): OpenFile;
}

/** What the trees of a container hold, on their way to another thread. */
export interface MovedFiles {
  /** In the order of `fileSystems`. */
  states: FileSystemState[];
  /** Of each: what is kept on disk has all that changed. */
  written: boolean[];
  /** Where each mount stands, the root left out. */
  places: MountPlace[];
  /** Of each mount, in the same order: what it shows, where that is the host's. */
  roots: (HeldFile | undefined)[];
}

/** @param open files that are open in it: their nodes go along */
export function takeFiles(tree: ContainerTree, open: Iterable<OpenFile>): MovedFiles {
  const nodes = new Map<object, MemoryNode[]>(tree.fileSystems.map((fileSystem) => [fileSystem, []]));
  for (const file of open) {
    const found = openNode(file);
    if (found !== undefined) nodes.get(found.owner)!.push(found.node);
  }
  const { table } = tree;
  // What is kept is written first: then it doesn't have to go along.
  const written = tree.fileSystems.map(({ keeper }) => keeper?.release() ?? true);
  return {
    written,
    states: tree.fileSystems.map((fileSystem) => takeSnapshot(fileSystem, nodes.get(fileSystem))),
    places: table.mounts.slice(1).map(({ parent, point }) => table.placeOf(parent!, point!)),
    roots: table.mounts.slice(1).map(({ root }) => root.held),
  };
}

/** What is kept on disk is written: the thread may end at any moment. */
export function flushFiles(tree: ContainerTree): void {
  for (const { keeper } of tree.fileSystems) keeper?.flush();
}

/**
 * The end of a tree: what is kept on disk is written and let go of.
 * @returns what its root file system holds, when somebody wants it and it isn't on disk
 */
export function lastState(tree: ContainerTree, isWanted: boolean): FileSystemState | undefined {
  const state = isWanted && tree.root.keeper?.lasts !== true ? takeSnapshot(tree.root) : undefined;
  for (const { keeper } of tree.fileSystems) keeper?.close();
  return state;
}

/**
 * @param moved what the same description gave in another thread, and what became of it there
 * @param volumes of all containers of this thread; undefined: its volumes are its own, and part of `fileSystems`
 * @throws WpodError MOUNT_INVALID
 */
export function assembleTree(
  spec: FilesSpec,
  services: TreeServices,
  stdio: readonly [OpenFile, OpenFile, OpenFile] | undefined,
  moved?: MovedFiles,
  volumes?: VolumeUse,
): ContainerTree {
  const { nowNs } = services;
  const budget = spec.memoryAccount && new FilesMemory(new MemoryAccount(spec.memoryAccount));
  const fileSystems: FileSystem[] = [];
  const nodes = new Map<string, MemoryNode>();
  const add = (fileSystem: FileSystem, plan?: KeepPlan, snapshot?: FileSystemState): FileSystem => {
    const index = fileSystems.push(fileSystem) - 1;
    const state = moved?.states[index] ?? snapshot;
    const restored = state && restoreSnapshot(fileSystem, state).nodes;
    if (plan !== undefined) {
      const isWritten = moved?.written[index] ?? false;
      services.keep(fileSystem, plan, restored && { nodes: restored, isWritten });
    }
    // What the runtime itself puts there is not the guest's.
    const isOwn = fileSystem.device === DEVICE.dev || fileSystem.device === DEVICE.etc;
    if (budget !== undefined && !isOwn) charge(fileSystem, budget);
    if (moved === undefined) return fileSystem;
    for (const node of restored ?? []) nodes.set(`${fileSystem.device} ${node.ino}`, node);
    return fileSystem;
  };
  const root = new FileSystem({
    layers: spec.layers.map((layer) => services.openLayer(layer)),
    nowNs,
    device: DEVICE.root,
    bytesMax: spec.diskBytesMax,
    inodesMax: spec.inodesMax,
  });
  add(root, spec.keep, spec.snapshot);
  if (spec.ioPage !== undefined) root.space.reportTo(new IoPage(spec.ioPage));
  const table = new MountTable(root, { readOnly: spec.readOnly });
  volumes?.atEnd(() => table.unmountAll());
  const opened: FileSystem[] = [];
  const mount = (target: string, source: MountSource) =>
    table.mount(target, source, moved?.places[table.mounts.length - 1]);
  if (moved === undefined) for (const { path, mode } of spec.folders) table.makeDirectory(path, mode);

  const dev = deviceTree({
    nowNs,
    device: DEVICE.dev,
    random: services.random,
    openers: streamOpeners(stdio),
  });
  add(dev);
  mount("/dev", { tree: dev });

  const etc = new FileSystem({ nowNs, device: DEVICE.etc });
  for (const [index, { content }] of spec.etcFiles.entries()) {
    etc.makeFile(`${index}`, 0o644, new TextEncoder().encode(content));
  }
  add(etc);
  for (const [index, { path }] of spec.etcFiles.entries()) mount(path, { tree: etc, path: `${index}` });

  if (spec.usage !== undefined) {
    const { proc, sys } = limitFiles(spec.usage);
    mount("/proc", { tree: textTree({ nowNs, device: DEVICE.proc }, proc), readOnly: true });
    mount("/sys", { tree: textTree({ nowNs, device: DEVICE.sys }, sys), readOnly: true });
  }

  for (const [index, plan] of inOrder(spec.mounts).entries()) {
    const device = DEVICE.firstMount + BigInt(index);
    if (plan.kind === "bind") {
      const root = moved?.roots[table.mounts.length - 1];
      const tree = services.openHost(plan.source, plan.readOnly, device, root);
      mount(plan.target, { tree, readOnly: plan.readOnly });
      continue;
    }
    const { sizeBytesMax: bytesMax, mode: rootMode } = plan;
    const { inodesMax } = spec;
    const make = (device: bigint) => new FileSystem({ nowNs, device, bytesMax, inodesMax, rootMode });
    const tree =
      volumes !== undefined && plan.keep?.kind === "folder"
        ? openShared(volumes, budget, plan.keep, make, opened)
        : add(make(device), plan.keep);
    const isNew = moved === undefined && plan.kind === "volume" && isEmpty(tree);
    if (isNew && plan.whenEmpty === "look") continue;
    mount(plan.target, { tree, readOnly: plan.readOnly });
    if (isNew && plan.whenEmpty === "copy") fill(tree, table.mounts.at(-1)!, plan);
  }

  // Not of a volume that others have: what they did is worth a file.
  for (const { keeper } of [...fileSystems, ...opened]) keeper?.settle();
  return {
    root,
    table,
    fileSystems,
    memory: budget,
    movedNode: (device, inode) => nodes.get(`${device} ${inode}`),
    openRoot: (who) => table.openRoot(who),
    openCapability(path, who) {
      const directory = table.openPreopen(path, true, who);
      if (typeof directory !== "number") return directory;
      throw new WpodError("MOUNT_INVALID", `preopen "${path}" is not a directory of the container`);
    },
  };
}

/** What tells a program its own limits. Nothing of it is made before somebody looks. */
function limitFiles(
  usage: UsagePageSpec,
): Record<"proc" | "sys", () => Iterable<readonly [string, TextSource]>> {
  return {
    proc: () => Object.entries(PROC_FILES),
    sys: () => {
      const page = new UsagePage(usage);
      return Object.entries(CGROUP_FILES).map(
        ([name, render]) => [`fs/cgroup/${name}`, () => render(page.read())] as const,
      );
    },
  };
}

/** The one file system of the volume, whoever opened it. */
function openShared(
  volumes: VolumeUse,
  memory: FilesMemory | undefined,
  plan: Extract<KeepPlan, { kind: "folder" }>,
  make: (device: bigint) => FileSystem,
  opened: FileSystem[],
): FileSystem {
  const begin = (device: bigint, services: TreeServices) => {
    const fileSystem = make(device);
    services.keep(fileSystem, plan, undefined);
    opened.push(fileSystem);
    return fileSystem;
  };
  return volumes.open(plan.path, begin, memory);
}

/** What of it is in memory now, and what will be. */
function charge({ space }: FileSystem, budget: FilesMemory): void {
  if (space.pages !== undefined) {
    space.pages.chargeTo(budget);
    return;
  }
  space.budget = budget;
  budget.note(space.bytes);
}

/** An empty volume gets what it covers. @throws WpodError MOUNT_INVALID */
function fill(volume: FileSystem, mount: Mount, plan: MountPlan): void {
  const covered = mount.point;
  if (!(covered instanceof MemoryLink) || covered.type !== FileType.directory) return;
  // No image has what is there.
  if (covered.tree.device === DEVICE.proc || covered.tree.device === DEVICE.sys) return;
  // At once, and whole: another image would fill it with something else.
  const failure = populate(volume, covered) || (volume.keeper?.sync() ?? 0);
  if (failure === 0) return;
  const why = failure === -Errno.ENOSPC ? "it doesn't fit" : "it can't be read";
  throw new WpodError(
    "MOUNT_INVALID",
    `what the image has at ${plan.target} can't be copied into volume "${plan.source}": ${why}`,
  );
}

/** What `/dev/stdin` and the others lead to. Without a terminal `/dev/tty` is there, and can't be opened. */
function streamOpeners(stdio: readonly OpenFile[] | undefined): Record<string, DeviceOpener> {
  const terminal = stdio && terminalAmong(stdio);
  const openers: Record<string, DeviceOpener> = { tty: () => terminal ?? -Errno.ENXIO };
  for (const [index, name] of STREAMS.entries()) openers[name] = () => stdio?.[index] ?? -Errno.ENXIO;
  return openers;
}

/** Outer mounts first: what is mounted inside another has to find it. */
function inOrder(mounts: readonly MountPlan[]): MountPlan[] {
  const depth = (plan: MountPlan) => plan.target.split("/").filter((name) => name !== "").length;
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}
