/**
 * A file system in memory over the layers of an image: an overlay whose upper layer is memory.
 *
 * Directories of the layers are merged when they are first looked at: what an upper layer has hides what lower ones
 * have under the same name, a whiteout hides it without putting anything there, an opaque directory hides all of it.
 * Once merged, a directory is like any other: renaming one costs nothing, inode numbers stay, listing is a walk.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { BlobReader, Failure, OpenFile } from "../../../shim/abi/system.ts";
import type { LayerEntry, LayerIndex } from "../image/layer-index.ts";
import { Budget } from "./budget.ts";
import { MemoryDirectory, type MemoryNode } from "./memory-directory.ts";
import {
  type Attributes,
  MemoryDevice,
  MemoryFile,
  type MemoryInode,
  MemorySymlink,
} from "./memory-inode.ts";

export interface LayerSource {
  readonly index: LayerIndex;
  readonly blob: BlobReader;
}

export interface FileSystemOptions {
  /** Lowest first. */
  layers?: readonly LayerSource[];
  nowNs: () => bigint;
  /** Number that tells this file system from the others of the container. */
  device: bigint;
  bytesMax: number;
  inodesMax: number;
  rootMode?: number;
  rootUid?: number;
  rootGid?: number;
}

const ROOT_MODE = 0o755;

export class MemoryFileSystem {
  readonly device: bigint;
  readonly nowNs: () => bigint;
  readonly budget: Budget;
  readonly root: MemoryDirectory;
  readonly layers: readonly LayerSource[];
  /** Numbers are never used again, not even when their file is gone. */
  #lastIno = 0;
  /** Files of a layer with several names: one inode, whichever name was seen first. */
  readonly #hardLinks: Map<number, MemoryInode>[];

  constructor(options: FileSystemOptions) {
    this.device = options.device;
    this.nowNs = options.nowNs;
    this.budget = new Budget(options.bytesMax, options.inodesMax);
    this.layers = options.layers ?? [];
    this.#hardLinks = this.layers.map(() => new Map());
    const nowNs = this.nowNs();
    let attributes: Attributes = {
      mode: options.rootMode ?? ROOT_MODE,
      uid: options.rootUid ?? 0,
      gid: options.rootGid ?? 0,
      atimeNs: nowNs,
      mtimeNs: nowNs,
      ctimeNs: nowNs,
    };
    for (const { index } of this.layers) {
      const root = index.root();
      if (root !== undefined) attributes = attributesOfEntry(root);
    }
    this.root = new MemoryDirectory(
      this,
      ++this.#lastIno,
      attributes,
      undefined,
      this.layers.length > 0 ? "" : undefined,
    );
  }

  /** A number for an inode that a guest makes, or ENOSPC. */
  newInode(): number {
    if (!this.budget.takeInode()) return -Errno.ENOSPC;
    return ++this.#lastIno;
  }

  /** A number for what doesn't count: it belongs to the image or to the runtime. */
  newFreeInode(): number {
    return ++this.#lastIno;
  }

  get lastIno(): number {
    return this.#lastIno;
  }

  /** Goes on where another thread's numbers and counts ended. */
  resume(lastIno: number, usedInodes: number): void {
    this.#lastIno = lastIno;
    this.budget.usedInodes = usedInodes;
  }

  /** Adds a device, for the runtime's own `/dev`. */
  addDevice(directory: MemoryDirectory, name: string, mode: number, open: () => OpenFile | Failure): void {
    const nowNs = this.nowNs();
    const attributes: Attributes = { mode, uid: 0, gid: 0, atimeNs: nowNs, mtimeNs: nowNs, ctimeNs: nowNs };
    directory.insert(
      name,
      new MemoryDevice(FileType.characterDevice, this, this.newFreeInode(), attributes, open),
    );
  }

  /** Fills a directory with what the layers have under its path. */
  loadLower(directory: MemoryDirectory, path: string): void {
    const merged = new Map<string, { layer: number; entry: LayerEntry }>();
    for (const [layer, { index }] of this.layers.entries()) {
      // A layer that has something else than a directory here ended what the ones below it had.
      if (path !== "" && this.#hides(layer, path)) merged.clear();
      if (index.isOpaque(path)) merged.clear();
      for (const name of index.whiteouts(path)) merged.delete(name);
      for (const entry of index.children(path)) merged.set(entry.name, { layer, entry });
    }
    for (const [name, { layer, entry }] of merged) {
      directory.insert(
        name,
        this.#fromLayer(directory, layer, entry, path === "" ? name : `${path}/${name}`),
      );
    }
  }

  /** A directory that this layer hid and another one made again doesn't show what was below it. */
  #hides(layer: number, path: string): boolean {
    const { index } = this.layers[layer]!;
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? "" : path.slice(0, slash);
    const name = path.slice(slash + 1);
    if (parent !== "" && this.#hides(layer, parent)) return true;
    if (index.isOpaque(parent) || index.whiteouts(parent).includes(name)) return true;
    const own = index.children(parent).find((entry) => entry.name === name);
    return own !== undefined && own.type !== "directory";
  }

  #fromLayer(parent: MemoryDirectory, layer: number, entry: LayerEntry, path: string): MemoryNode {
    const attributes = attributesOfEntry(entry);
    if (entry.type === "directory") {
      return new MemoryDirectory(this, ++this.#lastIno, attributes, parent, path);
    }
    const links = this.#hardLinks[layer]!;
    const known = entry.linkCount > 1 ? links.get(entry.inode) : undefined;
    if (known !== undefined) return known;
    const inode = this.#leaf(layer, entry, attributes);
    if (entry.linkCount > 1) links.set(entry.inode, inode);
    return inode;
  }

  #leaf(layer: number, entry: LayerEntry, attributes: Attributes): MemoryInode {
    const ino = ++this.#lastIno;
    switch (entry.type) {
      case "file":
        return new MemoryFile(this, ino, attributes, entry.linkCount, {
          layer,
          blob: this.layers[layer]!.blob,
          offsetBytes: entry.offsetBytes,
          sizeBytes: entry.sizeBytes,
          pieces: entry.pieces,
        });
      case "symlink":
        return new MemorySymlink(this, ino, attributes, entry.target, entry.linkCount);
      case "block-device":
        return new MemoryDevice(FileType.blockDevice, this, ino, attributes, undefined, entry.linkCount);
      default:
        return new MemoryDevice(
          entry.type === "fifo" ? FileType.unknown : FileType.characterDevice,
          this,
          ino,
          attributes,
          undefined,
          entry.linkCount,
        );
    }
  }
}

function attributesOfEntry(entry: LayerEntry): Attributes {
  return {
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    atimeNs: entry.mtimeNs,
    mtimeNs: entry.mtimeNs,
    ctimeNs: entry.mtimeNs,
  };
}
