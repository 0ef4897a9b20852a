/** A directory in memory. What the image's layers have in it is loaded when it is first looked at. */
import { FileType } from "../../../shim/abi/filetype.ts";
import type { DirEntrySink, Failure, Stat, TimeChange } from "../../../shim/abi/system.ts";
import { DirectoryInode, type Inode, type Listing, type Making } from "./inode.ts";
import type { MemoryFileSystem } from "./memory-file-system.ts";
import {
  type Attributes,
  attributesOf,
  changeTimes,
  fillStat,
  MemoryFile,
  MemoryInode,
  MemorySymlink,
} from "./memory-inode.ts";
import type { Mount } from "./mount-table.ts";

export type MemoryNode = MemoryInode | MemoryDirectory;

/** Cookies of the two entries that every directory has. */
const COOKIE_SELF = 1;
const COOKIE_PARENT = 2;
const COOKIE_FIRST = 3;

interface Entry {
  readonly inode: MemoryNode;
  /** Grows with every entry that is made, so that order of insertion and order of cookies are the same. */
  readonly cookie: number;
}

export class MemoryDirectory extends DirectoryInode {
  covered: Mount | undefined = undefined;
  readonly type: FileType = FileType.directory;
  readonly fileSystem: MemoryFileSystem;
  readonly ino: number;
  #attributes: Attributes;
  /** Undefined until somebody looks. */
  #entries: Map<string, Entry> | undefined;
  #nextCookie = COOKIE_FIRST;
  #subdirectoryCount = 0;
  #parent: MemoryDirectory;
  #removed = false;
  /** Path in the layers, while they have something for it. */
  lowerPath: string | undefined;
  /** It, or its list of names, differs from what the image has. */
  dirty = false;

  constructor(
    fileSystem: MemoryFileSystem,
    ino: number,
    attributes: Attributes,
    parent: MemoryDirectory | undefined,
    lowerPath?: string,
  ) {
    super();
    this.fileSystem = fileSystem;
    this.ino = ino;
    this.#attributes = attributes;
    this.#parent = parent ?? this;
    this.lowerPath = lowerPath;
  }

  get mode(): number {
    return this.#attributes.mode;
  }
  get uid(): number {
    return this.#attributes.uid;
  }
  get gid(): number {
    return this.#attributes.gid;
  }
  get attributes(): Attributes {
    return this.#attributes;
  }
  override get parent(): MemoryDirectory {
    return this.#parent;
  }
  override get removed(): boolean {
    return this.#removed;
  }

  entries(): Map<string, Entry> {
    if (this.#entries === undefined) {
      this.#entries = new Map();
      if (this.lowerPath !== undefined) this.fileSystem.loadLower(this, this.lowerPath);
    }
    return this.#entries;
  }

  /** Nobody has looked: its names are the layers'. */
  get loaded(): boolean {
    return this.#entries !== undefined;
  }

  /** Takes over what another thread's directory was. Children are made, and know no parent yet. */
  restore(
    attributes: Attributes,
    lowerPath: string | undefined,
    entries: [string, MemoryNode][] | undefined,
  ): void {
    this.#attributes = attributes;
    this.lowerPath = lowerPath;
    if (entries === undefined) return;
    this.#entries = new Map();
    for (const [name, inode] of entries) this.insert(name, inode);
  }

  override stat(into: Stat): number {
    this.entries();
    const linkCount = this.#removed ? 0 : 2 + this.#subdirectoryCount;
    fillStat(into, this.fileSystem.device, this.ino, FileType.directory, this.#attributes, linkCount, 4096);
    return 0;
  }

  override setTimes(access: TimeChange, modify: TimeChange): number {
    changeTimes(this.#attributes, access, modify, this.fileSystem.nowNs());
    this.dirty = true;
    return 0;
  }

  chmod(mode: number): void {
    this.#attributes.mode = mode & 0o7777;
    this.#attributes.ctimeNs = this.fileSystem.nowNs();
    this.dirty = true;
  }

  chown(uid: number, gid: number): void {
    this.#attributes.uid = uid;
    this.#attributes.gid = gid;
    this.#attributes.ctimeNs = this.fileSystem.nowNs();
    this.dirty = true;
  }

  override lookup(name: string): MemoryNode | undefined {
    return (this.#entries ?? this.entries()).get(name)?.inode;
  }

  /** Puts a name in without touching times: for loading and restoring. */
  insert(name: string, inode: MemoryNode): void {
    if (inode instanceof MemoryDirectory) {
      inode.#parent = this;
      this.#subdirectoryCount++;
    }
    this.entries().set(name, { inode, cookie: this.#nextCookie++ });
  }

  #remove(name: string, inode: MemoryNode): void {
    if (inode instanceof MemoryDirectory) this.#subdirectoryCount--;
    this.entries().delete(name);
  }

  #changed(): void {
    const nowNs = this.fileSystem.nowNs();
    this.#attributes.mtimeNs = nowNs;
    this.#attributes.ctimeNs = nowNs;
    this.dirty = true;
  }

  override createFile(name: string, making: Making): Inode | Failure {
    const ino = this.fileSystem.newInode();
    if (ino < 0) return ino;
    const file = new MemoryFile(this.fileSystem, ino, attributesOf(making, this.fileSystem.nowNs()));
    file.dirty = true;
    this.insert(name, file);
    this.#changed();
    return file;
  }

  override makeDirectory(name: string, making: Making): number {
    const ino = this.fileSystem.newInode();
    if (ino < 0) return ino;
    const directory = new MemoryDirectory(
      this.fileSystem,
      ino,
      attributesOf(making, this.fileSystem.nowNs()),
      this,
    );
    directory.dirty = true;
    this.insert(name, directory);
    this.#changed();
    return 0;
  }

  override makeSymlink(name: string, target: string, making: Making): number {
    const ino = this.fileSystem.newInode();
    if (ino < 0) return ino;
    const link = new MemorySymlink(
      this.fileSystem,
      ino,
      attributesOf({ ...making, mode: 0o777 }, this.fileSystem.nowNs()),
      target,
    );
    link.dirty = true;
    this.insert(name, link);
    this.#changed();
    return 0;
  }

  override link(name: string, inode: Inode): number {
    const file = inode as MemoryInode;
    file.linkCount++;
    file.changed();
    this.insert(name, file);
    this.#changed();
    return 0;
  }

  override unlink(name: string, inode: Inode): number {
    this.#remove(name, inode as MemoryInode);
    this.#changed();
    (inode as MemoryInode).unlinked();
    return 0;
  }

  override removeDirectory(name: string, inode: DirectoryInode): number {
    const directory = inode as MemoryDirectory;
    this.#remove(name, directory);
    this.#changed();
    directory.#removed = true;
    this.fileSystem.budget.giveInodeBack();
    return 0;
  }

  override rename(
    name: string,
    inode: Inode,
    to: DirectoryInode,
    toName: string,
    replaced: Inode | undefined,
  ): number {
    const target = to as MemoryDirectory;
    const node = inode as MemoryNode;
    if (replaced instanceof MemoryDirectory) target.removeDirectory(toName, replaced);
    else if (replaced !== undefined) target.unlink(toName, replaced);
    this.#remove(name, node);
    target.insert(toName, node);
    this.#changed();
    target.#changed();
    if (node instanceof MemoryInode) node.changed();
    else node.dirty = true;
    return 0;
  }

  override isEmpty(): boolean {
    return this.entries().size === 0;
  }

  override sameFileSystem(other: Inode): boolean {
    return (
      (other instanceof MemoryDirectory || other instanceof MemoryInode) &&
      other.fileSystem === this.fileSystem
    );
  }

  override list(): Listing {
    return new MemoryListing(this);
  }

  accessed(): void {
    const attributes = this.#attributes;
    if (attributes.atimeNs > attributes.mtimeNs && attributes.atimeNs > attributes.ctimeNs) return;
    attributes.atimeNs = this.fileSystem.nowNs();
  }
}

/**
 * A `Map` iterates in the order of insertion, sees what is added behind it and skips what is removed: so one iterator
 * lists a directory once, however many calls it takes. Another cookie than the one that is due starts anew.
 */
class MemoryListing implements Listing {
  readonly #directory: MemoryDirectory;
  #iterator: MapIterator<[string, Entry]> | undefined;
  /** Taken from the iterator, and refused by the sink. */
  #pending: [string, Entry] | undefined;
  #due = 0;

  constructor(directory: MemoryDirectory) {
    this.#directory = directory;
  }

  read(cookie: number, sink: DirEntrySink): number {
    const directory = this.#directory;
    directory.accessed();
    if (directory.removed) return 0;
    if (cookie < COOKIE_SELF && !sink(COOKIE_SELF, BigInt(directory.ino), FileType.directory, ".")) return 0;
    const parent = directory.parent;
    if (cookie < COOKIE_PARENT && !sink(COOKIE_PARENT, BigInt(parent.ino), FileType.directory, ".."))
      return 0;
    if (this.#iterator === undefined || cookie !== this.#due) {
      this.#iterator = directory.entries().entries();
      this.#pending = undefined;
    }
    for (;;) {
      const entry = this.#pending ?? this.#iterator.next().value;
      this.#pending = undefined;
      if (entry === undefined) {
        // The end; a later call with this cookie sees what was added since.
        this.#iterator = undefined;
        return 0;
      }
      const [name, { inode, cookie: own }] = entry;
      if (own <= cookie || directory.entries().get(name) !== entry[1]) continue;
      if (!sink(own, BigInt(inode.ino), inode.type, name)) {
        this.#pending = entry;
        return 0;
      }
      this.#due = own;
    }
  }

  close(): void {
    this.#iterator = undefined;
  }
}
