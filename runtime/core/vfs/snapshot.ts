/**
 * What a file system holds beyond its layers, as data that goes to another thread: large buffers are handed over, not
 * copied. Open files don't go with it.
 *
 * Directories that are as their layers have them are left out, and one that isn't is told as what differs: the size of
 * a snapshot is that of the changes.
 */
import { FileType } from "../../../shim/abi/filetype.ts";
import { assert } from "../error.ts";
import type { SparsePiece } from "../image/layer-index.ts";
import type { ChunkParts } from "./file-content.ts";
import type { FileSystem } from "./file-system.ts";
import type { LayerPlace } from "./layer-merge.ts";
import { LowerContent } from "./lower-content.ts";
import type { MemoryLink } from "./memory-link.ts";
import { MemoryNode } from "./memory-node.ts";

/** Contents below this are copied into one buffer: thousands of small transfers take longer than a copy. */
const PACKED_BYTES_MAX = 64 * 1024;

export interface FileSystemState {
  nextInode: number;
  /** The root comes first. */
  nodes: NodeState[];
  /** Small contents, one behind the other. */
  packed: Uint8Array<ArrayBuffer>;
}

interface NodeState {
  inode: number;
  mode: number;
  uid: number;
  gid: number;
  accessNs: bigint;
  modifyNs: bigint;
  changeNs: bigint;
  birthNs: bigint;
  linkCount: number;
  extraNames: number;
  changed: number;
  isCharged: boolean;
  target: string | undefined;
  content: ContentState | undefined;
  directory: DirectoryState | undefined;
}

interface ContentState {
  sizeBytes: number;
  lowerEnd: number;
  lower: LowerState | undefined;
  chunks: ChunkState[];
}

/** Where a layer has the content of a file. */
interface LowerState {
  layer: number;
  offsetBytes: number;
  sizeBytes: number;
  pieces: readonly SparsePiece[] | undefined;
}

interface ChunkState {
  index: number;
  extent: number;
  charged: number;
  costMin: number;
  /** Its own buffer, or its place in `packed`. */
  bytes: Uint8Array<ArrayBuffer> | number;
}

interface DirectoryState {
  places: readonly LayerPlace[] | undefined;
  /** Names came or went. */
  changed: boolean;
  /** Names that the layers have here and the directory has not, or has for something else. */
  gone: string[];
  /** Names with what they stand for, by index of node, where that isn't just what the layers say. */
  entries: [name: string, node: number][];
}

/** The file system must not be used after the buffers of its state were posted. */
export function takeSnapshot(fileSystem: FileSystem): FileSystemState {
  return new Snapshot(fileSystem).take();
}

/** What goes with a state when it is posted. */
export function buffersOf(state: FileSystemState): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [state.packed.buffer];
  for (const { content } of state.nodes) {
    for (const { bytes } of content?.chunks ?? []) if (typeof bytes !== "number") buffers.push(bytes.buffer);
  }
  return buffers;
}

/** Loaded directories, each before those in it. Without recursion: a guest may nest as deep as it has inodes. */
function loadedDirectories(root: MemoryLink): MemoryLink[] {
  const directories = [root];
  for (const link of directories) {
    if (link.children.pending !== undefined) continue;
    for (const child of link.children.values()) {
      if (child?.node.type === FileType.directory) directories.push(child);
    }
  }
  return directories;
}

/** It is where the layers put it. */
function staysInPlace(link: MemoryLink): boolean {
  return link.origin !== undefined && link.origin.parent === link.parent && link.origin.name === link.name;
}

/** Of `directories`, as `loadedDirectories` gives them: those that differ from their layers, or something under them does. */
function changedDirectories(directories: readonly MemoryLink[]): Set<MemoryLink> {
  const changed = new Set<MemoryLink>();
  for (let index = directories.length - 1; index >= 0; index--) {
    const link = directories[index]!;
    if (link.children.changed || link.node.changed !== 0 || !staysInPlace(link)) changed.add(link);
    else if (link.children.pending === undefined) {
      for (const child of link.children.values()) {
        if (changed.has(child!) || child!.node.changed !== 0) changed.add(link);
      }
    }
  }
  changed.add(directories[0]!);
  return changed;
}

class Snapshot {
  readonly #fileSystem: FileSystem;
  readonly #nodes: NodeState[] = [];
  readonly #indexes = new Map<MemoryNode, number>();
  readonly #pieces: Uint8Array[] = [];
  #packedBytes = 0;

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  take(): FileSystemState {
    const directories = loadedDirectories(this.#fileSystem.root);
    const changed = changedDirectories(directories);
    for (const link of directories) if (changed.has(link)) this.#addDirectory(link, changed);
    // A name that nobody has looked at yet may lead to one of these.
    for (const node of this.#fileSystem.hardLinkedNodes()) if (node.changed !== 0) this.#indexOf(node);
    const packed = new Uint8Array(this.#packedBytes);
    let at = 0;
    for (const piece of this.#pieces) {
      packed.set(piece, at);
      at += piece.length;
    }
    return { nextInode: this.#fileSystem.nextInode, nodes: this.#nodes, packed };
  }

  #addDirectory(link: MemoryLink, changed: ReadonlySet<MemoryLink>): void {
    const state: DirectoryState = {
      places: link.places,
      changed: link.children.changed,
      gone: [],
      entries: [],
    };
    this.#nodes[this.#indexOf(link.node)]!.directory = state;
    if (link.children.pending !== undefined) return;
    const staying = new Set<string>();
    for (const child of link.children.values()) {
      const stays = staysInPlace(child!);
      if (stays) staying.add(child!.name);
      if (!stays || child!.node.changed !== 0 || changed.has(child!)) {
        state.entries.push([child!.name, this.#indexOf(child!.node)]);
      }
    }
    if (link.places === undefined || !link.children.changed) return;
    for (const name of this.#fileSystem.merge(link.places).keys())
      if (!staying.has(name)) state.gone.push(name);
  }

  #indexOf(node: MemoryNode): number {
    const known = this.#indexes.get(node);
    if (known !== undefined) return known;
    const index = this.#nodes.push(this.#stateOf(node)) - 1;
    this.#indexes.set(node, index);
    return index;
  }

  #stateOf(node: MemoryNode): NodeState {
    return {
      inode: node.ino,
      mode: node.mode,
      uid: node.userId,
      gid: node.groupId,
      accessNs: node.accessNs,
      modifyNs: node.modifyNs,
      changeNs: node.changeNs,
      birthNs: node.birthNs,
      linkCount: node.linkCount,
      extraNames: node.extraNames,
      changed: node.changed,
      isCharged: node.isCharged,
      target: node.type === FileType.symbolicLink ? node.symlink : undefined,
      content: this.#contentOf(node),
      directory: undefined,
    };
  }

  #contentOf(node: MemoryNode): ContentState | undefined {
    const content = node.content;
    if (content === undefined) return undefined;
    const lower = content.lower;
    const chunks: ChunkState[] = [];
    for (const { bytes, extent, ...parts } of content.written()) {
      chunks.push({ ...parts, extent, bytes: this.#hand(bytes, extent) });
    }
    return {
      sizeBytes: content.sizeBytes,
      lowerEnd: content.lowerEnd,
      lower: lower && {
        layer: lower.layer,
        offsetBytes: lower.offsetBytes,
        sizeBytes: lower.sizeBytes,
        pieces: lower.pieces,
      },
      chunks,
    };
  }

  #hand(bytes: Uint8Array<ArrayBuffer>, extent: number): Uint8Array<ArrayBuffer> | number {
    if (extent >= PACKED_BYTES_MAX) return bytes;
    const at = this.#packedBytes;
    this.#pieces.push(bytes.subarray(0, extent));
    this.#packedBytes += extent;
    return at;
  }
}

/** Into a new file system with the same layers and limits. */
export function restoreSnapshot(fileSystem: FileSystem, state: FileSystemState): void {
  let inodes = 0;
  const made = state.nodes.map((node, index) => {
    inodes += (node.isCharged ? 1 : 0) + node.extraNames;
    return index === 0 ? fileSystem.root.node : makeNode(fileSystem, node);
  });
  for (const [index, node] of state.nodes.entries()) fillNode(made[index]!, node, state.packed);
  for (const node of made) fileSystem.remember(node);
  fillDirectories(fileSystem, state, made);
  fileSystem.nextInode = state.nextInode;
  fileSystem.space.inodes = inodes;
}

function makeNode(fileSystem: FileSystem, state: NodeState): MemoryNode {
  const place = state.content?.lower;
  const lower =
    place &&
    new LowerContent(
      fileSystem.layers[place.layer]!.blob,
      place.layer,
      place.offsetBytes,
      place.sizeBytes,
      place.pieces,
    );
  const { inode, mode, uid, gid, birthNs, isCharged } = state;
  return new MemoryNode(fileSystem, inode, mode, uid, gid, birthNs, isCharged, lower);
}

function fillNode(node: MemoryNode, state: NodeState, packed: Uint8Array<ArrayBuffer>): void {
  node.mode = state.mode;
  node.userId = state.uid;
  node.groupId = state.gid;
  node.accessNs = state.accessNs;
  node.modifyNs = state.modifyNs;
  node.changeNs = state.changeNs;
  node.linkCount = state.linkCount;
  node.extraNames = state.extraNames;
  node.changed = state.changed;
  if (state.target !== undefined) node.symlink = state.target;
  if (state.content === undefined) return;
  assert(node.content !== undefined, "content belongs to a regular file");
  const chunks: ChunkParts[] = state.content.chunks.map((chunk) => ({
    ...chunk,
    bytes:
      typeof chunk.bytes === "number" ? packed.slice(chunk.bytes, chunk.bytes + chunk.extent) : chunk.bytes,
  }));
  node.content.adopt(state.content.sizeBytes, state.content.lowerEnd, chunks);
}

function fillDirectories(fileSystem: FileSystem, state: FileSystemState, made: readonly MemoryNode[]): void {
  const pending: { link: MemoryLink; directory: DirectoryState | undefined }[] = [
    { link: fileSystem.root, directory: state.nodes[0]!.directory },
  ];
  for (const { link, directory } of pending) {
    assert(directory !== undefined, "a directory has a list of names");
    // The root has its places already.
    if (directory.places !== undefined && link !== fileSystem.root)
      fileSystem.stackLayers(link, directory.places);
    for (const name of directory.gone) link.forget(name);
    for (const [name, index] of directory.entries) {
      const child = link.show(name, made[index]!);
      if (child.node.type === FileType.directory)
        pending.push({ link: child, directory: state.nodes[index]!.directory });
    }
    link.children.changed = directory.changed;
  }
}
