/**
 * What happened to a file system between two moments, as one record of its journal: all of it holds, or nothing.
 *
 * Layout, little-endian: kind u8; count u32 of data files, each with how far it must reach (number u32, end f64); for a
 * checkpoint, what `snapshot.ts` writes; else the next inode f64, count u32 of nodes as `node-record.ts` has them, with
 * what they became; and the changes of names, in order, to the end of the record.
 */
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { FileSystem } from "../file-system.ts";
import { MemoryLink } from "../memory-link.ts";
import { MemoryNode } from "../memory-node.ts";
import { fileTypeOf } from "../mode.ts";
import { checkName, readState, writeState } from "../snapshot.ts";
import { type ByteReader, damaged } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { NODE_RECORD_BYTES, type PieceCheck, readNode, writeNode } from "./node-record.ts";

const Kind = { checkpoint: 1, changes: 2 } as const;
const END_RECORD_BYTES = 12;

/** A change of names; inodes are f64. */
export const NameChange = {
  /** A directory that records haven't named yet is found: parent, name, inode. */
  walk: 1,
  /** Parent, name, inode, mode u32. */
  link: 2,
  /** Parent, name. */
  unlink: 3,
  /** Parent, name, new parent, new name. */
  rename: 4,
  /** A node that has no name left: inode. */
  gone: 5,
} as const;

export type DataEnds = readonly (readonly [file: number, end: number])[];

function writeEnds(writer: ByteWriter, kind: number, ends: DataEnds): void {
  writer.u8(kind);
  writer.u32(ends.length);
  for (const [file, end] of ends) {
    writer.u32(file);
    writer.f64(end);
  }
}

/** All content is on disk. */
export function writeCheckpoint(writer: ByteWriter, fileSystem: FileSystem, ends: DataEnds): void {
  writeEnds(writer, Kind.checkpoint, ends);
  writeState(writer, fileSystem, undefined);
}

/** @param names changes of names, as `NameChange` says */
export function writeChanges(
  writer: ByteWriter,
  nextInode: number,
  ends: DataEnds,
  nodes: readonly MemoryNode[],
  names: Uint8Array,
): void {
  writeEnds(writer, Kind.changes, ends);
  writer.f64(nextInode);
  writer.u32(nodes.length);
  for (const node of nodes) writeNode(writer, node, undefined, true);
  writer.bytes(names);
}

/** Does again what records say, one behind the other, to a file system as its layers have it. */
export class Replay {
  readonly #fileSystem: FileSystem;
  readonly #isStored: PieceCheck;
  readonly #nodes = new Map<number, MemoryNode>();
  readonly #directories = new Map<number, MemoryLink>();

  constructor(fileSystem: FileSystem, isStored: PieceCheck) {
    this.#fileSystem = fileSystem;
    this.#isStored = isStored;
    this.#nodes.set(fileSystem.root.node.ino, fileSystem.root.node);
    this.#directories.set(fileSystem.root.node.ino, fileSystem.root);
  }

  /** Nodes that records told of and that have a name. */
  nodes(): Iterable<MemoryNode> {
    return this.#nodes.values();
  }

  /**
   * @returns false, and nothing was done: it needs bytes of data files that aren't there
   * @throws WpodError STORE_UNUSABLE: the record says what can't be. The file system is of no use then.
   */
  apply(reader: ByteReader, isFirst: boolean): boolean {
    const kind = reader.u8();
    for (let left = reader.count(END_RECORD_BYTES); left > 0; left--) {
      const file = reader.u32();
      if (!this.#isStored(file, reader.f64())) return false;
    }
    if (kind === Kind.checkpoint) {
      if (!isFirst) throw damaged("a checkpoint stands behind other records");
      const { nodes, directories } = readState(reader, this.#fileSystem, undefined, this.#isStored);
      for (const node of nodes) this.#nodes.set(node.ino, node);
      for (const link of directories) this.#directories.set(link.node.ino, link);
    } else if (kind === Kind.changes) {
      this.#change(reader);
    } else {
      throw damaged("a record is of an unknown kind");
    }
    return true;
  }

  #change(reader: ByteReader): void {
    this.#fileSystem.nextInode = reader.f64();
    for (let left = reader.count(NODE_RECORD_BYTES); left > 0; left--) {
      const node = readNode(reader, this.#fileSystem, undefined, this.#isStored, (inode) =>
        this.#find(inode),
      );
      this.#nodes.set(node.ino, node);
      this.#fileSystem.remember(node);
    }
    while (reader.leftBytes > 0) this.#changeName(reader);
  }

  #find(inode: number): MemoryNode | undefined {
    return this.#nodes.get(inode) ?? this.#fileSystem.knownNode(inode);
  }

  #changeName(reader: ByteReader): void {
    const change = reader.u8();
    if (change === NameChange.walk) this.#walk(reader);
    else if (change === NameChange.link) this.#link(reader);
    else if (change === NameChange.unlink) this.#unlink(reader);
    else if (change === NameChange.rename) this.#rename(reader);
    else if (change === NameChange.gone) this.#forget(reader.f64());
    else throw damaged("a change of a name is of an unknown kind");
  }

  #directory(reader: ByteReader): MemoryLink {
    const link = this.#directories.get(reader.f64());
    if (link === undefined) throw damaged("a directory is nowhere");
    return link;
  }

  #walk(reader: ByteReader): void {
    const link = child(this.#directory(reader), reader.text());
    if (link.node.ino !== reader.f64() || link.node.type !== FileType.directory) {
      throw damaged("a directory is another one");
    }
    this.#directories.set(link.node.ino, link);
    this.#nodes.set(link.node.ino, link.node);
  }

  #link(reader: ByteReader): void {
    const parent = this.#directory(reader);
    const name = checkName(reader.text());
    const inode = reader.f64();
    const mode = reader.u32();
    if (typeof parent.lookUp(name) !== "number") throw damaged("a name is there twice");
    let node = this.#find(inode);
    if (node === undefined) {
      // It was gone again before the record was written: only its names are told.
      node = new MemoryNode(this.#fileSystem, inode, mode, 0, 0, 0n, true, undefined);
      this.#nodes.set(inode, node);
    } else if (node.type !== fileTypeOf(mode)) {
      throw damaged("a file became something else");
    }
    if (node.type === FileType.directory && this.#directories.has(inode)) {
      throw damaged("a directory is at two places");
    }
    const link = parent.show(name, node);
    parent.children.changed = true;
    if (node.type === FileType.directory) this.#directories.set(inode, link);
  }

  #unlink(reader: ByteReader): void {
    const parent = this.#directory(reader);
    const name = reader.text();
    const link = child(parent, name);
    if (link.node.type === FileType.directory && link.children.size > 0) {
      throw damaged("a directory was removed that isn't empty");
    }
    parent.lose(name, link);
  }

  #rename(reader: ByteReader): void {
    const parent = this.#directory(reader);
    const name = reader.text();
    const target = this.#directory(reader);
    const toName = checkName(reader.text());
    const link = child(parent, name);
    if (typeof target.lookUp(toName) !== "number") throw damaged("a name is there twice");
    for (let up: MemoryLink | undefined = target; up !== undefined; up = up.parent) {
      if (up === link) throw damaged("a directory was moved into itself");
    }
    parent.transfer(name, link, target, toName);
  }

  #forget(inode: number): void {
    const node = this.#find(inode);
    if (node === undefined) return;
    node.linkCount = 0;
    node.content?.release();
    node.pointTo("");
    this.#nodes.delete(inode);
    this.#directories.delete(inode);
  }
}

function child(parent: MemoryLink, name: string): MemoryLink {
  const link = parent.lookUp(name);
  if (!(link instanceof MemoryLink)) throw damaged("a name isn't there");
  return link;
}
