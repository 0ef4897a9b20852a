/**
 * What a file system holds beyond its layers, as bytes: they go to another thread, or to disk as a journal's first record.
 * Large contents are handed over, not copied. Open files don't go with it.
 *
 * Directories that are as their layers have them are left out, and one that isn't is told as what differs: the size of
 * a snapshot is that of the changes.
 *
 * Layout, little-endian: next inode f64; count u32 of nodes, each as `node-record.ts` has it, the root first; count u32
 * of directories, each behind the one that it is in: node u32, changed u8, next cookie f64 (0: nobody has looked into it), count
 * u32 of places in layers, 0xffffffff for none (layer u32, path text); count u32 of names that the layers have and the
 * directory hasn't (text); count u32 of names with what they stand for, where that isn't just what the layers say (text, node
 * u32, cookie f64).
 */
import { FileType } from "../../../shim/abi/filetype.ts";
import type { FileSystem } from "./file-system.ts";
import { ByteReader, damaged } from "./journal/byte-reader.ts";
import { ByteWriter } from "./journal/byte-writer.ts";
import {
  type BufferList,
  NODE_RECORD_BYTES,
  type PieceCheck,
  readNode,
  writeNode,
} from "./journal/node-record.ts";
import type { LayerPlace } from "./layer-merge.ts";
import type { MemoryLink } from "./memory-link.ts";
import type { MemoryNode } from "./memory-node.ts";

const NO_PLACES = 0xffffffff;
const DIRECTORY_RECORD_BYTES = 25;
/** A handful of changes fit into the first buffer. */
const CAPACITY_BYTES = 16 * 1024;

export interface FileSystemState {
  bytes: Uint8Array<ArrayBuffer>;
  /** Large contents, each a buffer of its own. */
  buffers: Uint8Array<ArrayBuffer>[];
}

/**
 * The file system must not be used after the buffers of its state were posted.
 * @param open nodes that go along even when they are as their layers have them, or without a name
 */
export function takeSnapshot(fileSystem: FileSystem, open: Iterable<MemoryNode> = []): FileSystemState {
  const buffers: Uint8Array<ArrayBuffer>[] = [];
  const writer = new ByteWriter(CAPACITY_BYTES);
  writeState(writer, fileSystem, buffers, open);
  return { bytes: writer.written(), buffers };
}

/** What goes with a state when it is posted. */
export function buffersOf(state: FileSystemState): ArrayBuffer[] {
  return [state.bytes.buffer, ...state.buffers.map((bytes) => bytes.buffer)];
}

/** @param buffers gets large contents; undefined: all content is on disk, and told by where */
export function writeState(
  writer: ByteWriter,
  fileSystem: FileSystem,
  buffers: BufferList,
  open: Iterable<MemoryNode> = [],
): void {
  new Snapshot(writer, fileSystem, buffers).write(open);
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
  readonly #writer: ByteWriter;
  readonly #fileSystem: FileSystem;
  readonly #buffers: BufferList;
  readonly #indexes = new Map<MemoryNode, number>();
  readonly #directories = new ByteWriter();

  constructor(writer: ByteWriter, fileSystem: FileSystem, buffers: BufferList) {
    this.#writer = writer;
    this.#fileSystem = fileSystem;
    this.#buffers = buffers;
  }

  write(open: Iterable<MemoryNode>): void {
    this.#writer.f64(this.#fileSystem.nextInode);
    const countAt = this.#writer.sizeBytes;
    this.#writer.u32(0);
    const directories = loadedDirectories(this.#fileSystem.root);
    const changed = changedDirectories(directories);
    for (const link of directories) if (changed.has(link)) this.#addDirectory(link, changed);
    // A name that nobody has looked at yet may lead to one of these.
    for (const node of this.#fileSystem.knownNodes()) {
      if (node.changed !== 0 && node.linkCount > 0) this.#indexOf(node);
    }
    for (const node of open) this.#indexOf(node);
    this.#writer.patchU32(countAt, this.#indexes.size);
    this.#writer.u32(changed.size);
    this.#writer.bytes(this.#directories.written());
  }

  #addDirectory(link: MemoryLink, changed: ReadonlySet<MemoryLink>): void {
    const writer = this.#directories;
    writer.u32(this.#indexOf(link.node));
    writer.u8(link.children.changed ? 1 : 0);
    writer.f64(link.children.nextSequence);
    this.#addPlaces(link.places);
    if (link.children.pending !== undefined) {
      writer.u32(0);
      writer.u32(0);
      return;
    }
    const staying = new Set<string>();
    const entries: MemoryLink[] = [];
    for (const child of link.children.values()) {
      const stays = staysInPlace(child!);
      if (stays) staying.add(child!.name);
      if (!stays || child!.node.changed !== 0 || changed.has(child!)) entries.push(child!);
    }
    const gone: string[] = [];
    if (link.places !== undefined && link.children.changed) {
      for (const name of this.#fileSystem.merge(link.places).keys()) if (!staying.has(name)) gone.push(name);
    }
    writer.u32(gone.length);
    for (const name of gone) writer.text(name);
    writer.u32(entries.length);
    for (const child of entries) {
      writer.text(child.name);
      writer.u32(this.#indexOf(child.node));
      writer.f64(link.children.sequenceOf(child));
    }
  }

  #addPlaces(places: readonly LayerPlace[] | undefined): void {
    this.#directories.u32(places === undefined ? NO_PLACES : places.length);
    for (const { layer, path } of places ?? []) {
      this.#directories.u32(layer);
      this.#directories.text(path);
    }
  }

  #indexOf(node: MemoryNode): number {
    const known = this.#indexes.get(node);
    if (known !== undefined) return known;
    const index = this.#indexes.size;
    this.#indexes.set(node, index);
    writeNode(this.#writer, node, this.#buffers, false);
    return index;
  }
}

/** Into a new file system with the same layers and limits. */
export function restoreSnapshot(fileSystem: FileSystem, state: FileSystemState): RestoredState {
  return readState(new ByteReader(state.bytes), fileSystem, state.buffers, () => true);
}

/** What a journal goes on from. */
export interface RestoredState {
  nodes: MemoryNode[];
  directories: MemoryLink[];
}

/**
 * The counterpart of `writeState`. What it says of names is checked; the file system is of no use after an error.
 * @throws WpodError STORE_UNUSABLE
 */
export function readState(
  reader: ByteReader,
  fileSystem: FileSystem,
  buffers: BufferList,
  isStored: PieceCheck,
): RestoredState {
  fileSystem.nextInode = reader.f64();
  const nodes = new Array<MemoryNode>(reader.count(NODE_RECORD_BYTES));
  const { root } = fileSystem;
  let inodes = 0;
  for (let index = 0; index < nodes.length; index++) {
    const node = readNode(reader, fileSystem, buffers, isStored, (inode) =>
      index === 0 ? root.node : fileSystem.deviceNode(inode),
    );
    inodes += (node.isCharged ? 1 : 0) + node.extraNames;
    fileSystem.remember(node);
    nodes[index] = node;
  }
  if (nodes.length > 0 && nodes[0]!.ino !== root.node.ino) throw damaged("it doesn't begin with the root");
  fileSystem.space.inodes = inodes;
  return { nodes, directories: readDirectories(reader, fileSystem, nodes) };
}

function readDirectories(
  reader: ByteReader,
  fileSystem: FileSystem,
  nodes: readonly MemoryNode[],
): MemoryLink[] {
  const links = new Array<MemoryLink | undefined>(nodes.length);
  links[0] = fileSystem.root;
  const directories: MemoryLink[] = [];
  for (let left = reader.count(DIRECTORY_RECORD_BYTES); left > 0; left--) {
    const link = links[reader.u32()];
    if (link === undefined) throw damaged("a directory is nowhere");
    directories.push(link);
    const changed = reader.u8() !== 0;
    const nextSequence = reader.f64();
    const sequences = new Map<MemoryLink, number>();
    const places = readPlaces(reader, fileSystem);
    // The root has its places already.
    if (places !== undefined && link !== fileSystem.root) fileSystem.stackLayers(link, places);
    for (let gone = reader.count(4); gone > 0; gone--) link.forget(reader.text());
    for (let entries = reader.count(16); entries > 0; entries--) {
      const name = checkName(reader.text());
      const index = reader.u32();
      const node = nodes[index];
      if (node === undefined) throw damaged("a name stands for nothing");
      const child = link.show(name, node);
      sequences.set(child, reader.f64());
      if (node.type !== FileType.directory) continue;
      if (links[index] !== undefined) throw damaged("a directory is at two places");
      links[index] = child;
    }
    if (sequences.size > 0 || nextSequence > 0) link.children.restoreSequences(sequences, nextSequence);
    link.children.changed = changed;
  }
  return directories;
}

function readPlaces(reader: ByteReader, fileSystem: FileSystem): LayerPlace[] | undefined {
  const count = reader.u32();
  if (count === NO_PLACES) return undefined;
  const places: LayerPlace[] = [];
  for (let index = 0; index < count; index++) {
    const layer = reader.u32();
    if (fileSystem.layers[layer] === undefined)
      throw damaged("a directory comes from a layer that isn't there");
    places.push({ layer, path: reader.text() });
  }
  return places;
}

/** Names that leave their directory, or that no guest could ever say, are nobody's doing but a journal's. */
export function checkName(name: string): string {
  const isComponent =
    name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
  if (!isComponent) throw damaged("a name is none");
  return name;
}
