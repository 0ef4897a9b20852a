/**
 * A file system in memory: the writable layer of a container over the layers of its image, or a tmpfs.
 *
 * It is what memfs calls a superblock; memfs's own one is put above it only where an embedder asks for it (`volume.ts`),
 * since its module alone costs several milliseconds of start.
 */
import { FileType } from "../../../shim/abi/filetype.ts";
import type { BlobReader } from "../../../shim/abi/system.ts";
import { assert } from "../error.ts";
import type { LayerEntry, LayerIndex } from "../image/layer-index.ts";
import type { ChangeObserver } from "./change-observer.ts";
import type { Tree } from "./dentry.ts";
import type { Keeper } from "./keeper.ts";
import { type LayerPlace, type MergedEntry, mergeDirectory, rootPlaces } from "./layer-merge.ts";
import { LockTable } from "./lock-table.ts";
import { LowerContent } from "./lower-content.ts";
import { MemoryLink } from "./memory-link.ts";
import { type DeviceOpener, MemoryNode, type NodeOwner, targetBytes } from "./memory-node.ts";
import { Mode } from "./mode.ts";
import { Space } from "./space.ts";

export interface Layer {
  readonly index: LayerIndex;
  readonly blob: BlobReader;
}

export interface FileSystemOptions {
  /** The lowest first. None: a tmpfs. */
  layers?: readonly Layer[];
  /** Wall-clock time in nanoseconds since 1970. */
  nowNs: () => bigint;
  /** `st_dev`: another for each tree of a container. */
  device: bigint;
  /** What may be written. The image's own bytes and names don't count. Default: no bound. */
  bytesMax?: number;
  inodesMax?: number;
  /** Attributes of the root where no layer states them. Default 0755, owned by 0:0. */
  rootMode?: number;
  rootUid?: number;
  rootGid?: number;
}

/** Each layer has its own range of inode numbers, so that they are the same in every thread that reads it. */
const LAYER_INODES = 2 ** 40;
const ROOT_INODE = 1;

const TYPE_BITS: Record<LayerEntry["type"], number> = {
  file: Mode.regular,
  directory: Mode.directory,
  symlink: Mode.symlink,
  "character-device": Mode.characterDevice,
  "block-device": Mode.blockDevice,
  fifo: Mode.fifo,
};

export class FileSystem implements Tree, NodeOwner {
  readonly device: bigint;
  readonly readOnly = false;
  readonly space: Space;
  readonly nowNs: () => bigint;
  readonly layers: readonly Layer[];
  readonly locks = new LockTable();
  readonly root: MemoryLink;
  readonly #indexes: readonly LayerIndex[];
  /**
   * Nodes of layers, by inode number, that names may lead to which nobody has looked at yet: files with more than one
   * name, and what was restored.
   */
  readonly #known = new Map<number, MemoryNode>();
  /** Every node of a layer goes there: while a journal is read, whose records say numbers. */
  #remembersAll = false;
  readonly #devices = new Map<number, MemoryNode>();
  /** Counts up; a number is never used again. */
  nextInode = ROOT_INODE + 1;
  observer: ChangeObserver | undefined = undefined;
  /** Told after the other: who tells programs in other threads. */
  watcher: ChangeObserver | undefined = undefined;
  /** Undefined: it is gone with the process. */
  keeper: Keeper | undefined = undefined;

  constructor(options: FileSystemOptions) {
    this.device = options.device;
    this.nowNs = options.nowNs;
    this.space = new Space(
      options.bytesMax ?? Number.MAX_SAFE_INTEGER,
      options.inodesMax ?? Number.MAX_SAFE_INTEGER,
    );
    this.layers = options.layers ?? [];
    this.#indexes = this.layers.map((layer) => layer.index);
    this.root = this.#makeRoot(options);
  }

  #makeRoot(options: FileSystemOptions): MemoryLink {
    let stated: LayerEntry | undefined;
    for (const index of this.#indexes) {
      const entry = index.root();
      if (entry !== undefined && entry.implied !== true) stated = entry;
    }
    const mode = Mode.directory | (stated?.mode ?? options.rootMode ?? 0o755);
    const uid = stated?.uid ?? options.rootUid ?? 0;
    const gid = stated?.gid ?? options.rootGid ?? 0;
    const timeNs = stated?.mtimeNs ?? this.nowNs();
    const node = new MemoryNode(this, ROOT_INODE, mode, uid, gid, timeNs, false, undefined);
    node.linkCount = 1;
    const root = new MemoryLink(this, undefined, "", node);
    if (this.layers.length > 0) this.stackLayers(root, rootPlaces(this.layers.length));
    return root;
  }

  /** What was written: bytes, and inodes as `Space` counts them. */
  usage(): { bytes: number; inodes: number } {
    return { bytes: this.space.bytes, inodes: this.space.inodes };
  }

  /**
   * A node without a name. Undefined when there are as many as there may be, or no room for its target.
   * @param target of a symbolic link
   */
  makeNode(mode: number, uid: number, gid: number, target = ""): MemoryNode | undefined {
    const { space } = this;
    const sizeBytes = targetBytes(target);
    if (sizeBytes > 0 && sizeBytes > space.freeBytes) {
      space.refuseBytes();
      return undefined;
    }
    if (!space.takeInode()) return undefined;
    const node = new MemoryNode(this, this.nextInode++, mode, uid, gid, this.nowNs(), true, undefined);
    if (target !== "") node.pointTo(target);
    return node;
  }

  /** A file in the root directory: of the runtime's own. */
  makeFile(name: string, mode: number, bytes: Uint8Array): void {
    const link = this.root.createFile(name, mode, 0, 0);
    assert(typeof link !== "number", `${name} fits`);
    assert(link.node.content!.write(bytes, 0) === bytes.length, `the content of ${name} fits`);
  }

  /** A device in the root directory or below: `path` has one component for each directory, which are there. */
  makeDevice(path: string, mode: number, opener: DeviceOpener): MemoryNode {
    const names = path.split("/").filter((name) => name !== "");
    const name = names.pop();
    assert(name !== undefined, "a device has a name");
    let directory: MemoryLink = this.root;
    for (const step of names) {
      const next = directory.lookUp(step);
      assert(typeof next !== "number", `${step} of ${path} is there`);
      directory = next;
    }
    const node = this.makeNode(Mode.characterDevice | mode, 0, 0);
    assert(node !== undefined, "a device fits");
    node.opener = opener;
    this.#devices.set(node.ino, node);
    directory.attach(name, node);
    return node;
  }

  /** Lets a directory show what layers have there, from the first look on. */
  stackLayers(directory: MemoryLink, places: readonly LayerPlace[]): void {
    directory.places = places;
    directory.children.pending = () => {
      for (const [name, merged] of this.merge(places)) this.#addLower(directory, name, merged);
    };
  }

  merge(places: readonly LayerPlace[]): Map<string, MergedEntry> {
    return mergeDirectory(this.#indexes, places);
  }

  #addLower(directory: MemoryLink, name: string, merged: MergedEntry): void {
    // Names of an index can't leave their directory, whoever wrote it.
    if (name === "" || name === "." || name === ".." || name.includes("/")) return;
    const node = this.lowerNode(merged);
    const link = new MemoryLink(this, directory, name, node);
    link.origin = { parent: directory, name };
    if (node.type === FileType.directory) this.stackLayers(link, merged.places);
    directory.children.insert(name, link);
  }

  /** The node of what a layer has; the same one for each name of it. */
  lowerNode(merged: MergedEntry): MemoryNode {
    const entry = merged.entry;
    const inode = (merged.layer + 1) * LAYER_INODES + entry.inode;
    const known = this.#known.size > 0 ? this.#known.get(inode) : undefined;
    if (known !== undefined) return known;
    const mode = TYPE_BITS[entry.type] | entry.mode;
    const content =
      entry.type === "file"
        ? new LowerContent(
            this.layers[merged.layer]!.blob,
            merged.layer,
            entry.offsetBytes,
            entry.sizeBytes,
            entry.pieces,
          )
        : undefined;
    const node = new MemoryNode(this, inode, mode, entry.uid, entry.gid, entry.mtimeNs, false, content);
    node.linkCount = entry.type === "directory" ? 1 : entry.linkCount;
    if (entry.type === "symlink") node.symlink = entry.target;
    if (this.#remembersAll || (entry.linkCount > 1 && entry.type !== "directory"))
      this.#known.set(inode, node);
    return node;
  }

  /** Nodes that may have names which nobody has looked at yet. */
  knownNodes(): Iterable<MemoryNode> {
    return this.#known.values();
  }

  /** A device of `makeDevice`: what opens it can't be written down. */
  deviceNode(inode: number): MemoryNode | undefined {
    return this.#devices.get(inode);
  }

  knownNode(inode: number): MemoryNode | undefined {
    return this.#known.get(inode);
  }

  /** A node of a layer that was restored: names that are found later lead to it. */
  remember(node: MemoryNode): void {
    if (node.ino >= LAYER_INODES) this.#known.set(node.ino, node);
  }

  /** While `read` runs, `knownNode` finds every node of a layer that was looked at. */
  rememberAll(read: () => void): void {
    this.#remembersAll = true;
    try {
      read();
    } finally {
      this.#remembersAll = false;
      for (const [inode, node] of this.#known) {
        if (node.changed === 0 && node.linkCount <= 1) this.#known.delete(inode);
      }
    }
  }
}
