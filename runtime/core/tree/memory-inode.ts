/** Inodes in memory: what a writable layer, a tmpfs and the lazily loaded layers of an image are made of. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, Stat, TimeChange } from "../../../shim/abi/system.ts";
import { FileContent, type LowerContent } from "./content.ts";
import { type Content, Inode, type Making } from "./inode.ts";
import type { MemoryFileSystem } from "./memory-file-system.ts";
import type { Mount } from "./mount-table.ts";

/** Owner, mode, times and links: what every inode in memory has. */
export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

export function attributesOf(making: Making, nowNs: bigint): Attributes {
  return {
    mode: making.mode & 0o7777,
    uid: making.uid,
    gid: making.gid,
    atimeNs: nowNs,
    mtimeNs: nowNs,
    ctimeNs: nowNs,
  };
}

/** Everything but a directory. */
export class MemoryInode extends Inode {
  covered: Mount | undefined = undefined;
  readonly type: FileType;
  readonly fileSystem: MemoryFileSystem;
  readonly ino: number;
  readonly #attributes: Attributes;
  /** Names that it has. */
  linkCount: number;

  constructor(
    type: FileType,
    fileSystem: MemoryFileSystem,
    ino: number,
    attributes: Attributes,
    linkCount = 1,
  ) {
    super();
    this.type = type;
    this.fileSystem = fileSystem;
    this.ino = ino;
    this.#attributes = attributes;
    this.linkCount = linkCount;
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

  override stat(into: Stat): number {
    fillStat(
      into,
      this.fileSystem.device,
      this.ino,
      this.type,
      this.#attributes,
      this.linkCount,
      this.sizeBytes(),
    );
    return 0;
  }

  sizeBytes(): number {
    return 0;
  }

  override setTimes(access: TimeChange, modify: TimeChange): number {
    changeTimes(this.#attributes, access, modify, this.fileSystem.nowNs());
    this.touched();
    return 0;
  }

  /** Its bytes changed. A write takes the set-id bits away, so that nobody writes another's program. */
  modified(): void {
    const nowNs = this.fileSystem.nowNs();
    this.#attributes.mtimeNs = nowNs;
    this.#attributes.ctimeNs = nowNs;
    if ((this.#attributes.mode & 0o6000) !== 0) this.#attributes.mode &= ~0o6000;
    this.touched();
  }

  /** Its number of names or its owner changed. */
  changed(): void {
    this.#attributes.ctimeNs = this.fileSystem.nowNs();
    this.touched();
  }

  /** As relatime: reading is noted when it would tell something new, not each time. */
  accessed(): void {
    const attributes = this.#attributes;
    if (attributes.atimeNs > attributes.mtimeNs && attributes.atimeNs > attributes.ctimeNs) return;
    attributes.atimeNs = this.fileSystem.nowNs();
  }

  chmod(mode: number): void {
    this.#attributes.mode = mode & 0o7777;
    this.changed();
  }

  chown(uid: number, gid: number): void {
    this.#attributes.uid = uid;
    this.#attributes.gid = gid;
    this.changed();
  }

  /** It differs from what the image has. */
  dirty = false;
  touched(): void {
    this.dirty = true;
  }

  /** One name less; at none, and open nowhere, its bytes are free. */
  unlinked(): void {
    this.linkCount--;
    this.changed();
    this.freeIfUnused();
  }

  protected freeIfUnused(): void {
    if (this.linkCount === 0) this.fileSystem.budget.giveInodeBack();
  }
}

export class MemoryFile extends MemoryInode {
  readonly content: FileContent;
  #openCount = 0;
  #freed = false;

  constructor(
    fileSystem: MemoryFileSystem,
    ino: number,
    attributes: Attributes,
    linkCount?: number,
    lower?: LowerContent,
  ) {
    super(FileType.regularFile, fileSystem, ino, attributes, linkCount);
    this.content = new FileContent(fileSystem.budget, lower);
  }

  override sizeBytes(): number {
    return this.content.sizeBytes;
  }

  override openContent(): Content {
    this.#openCount++;
    return new OpenMemoryFile(this);
  }

  closed(): void {
    this.#openCount--;
    this.freeIfUnused();
  }

  protected override freeIfUnused(): void {
    if (this.linkCount > 0 || this.#openCount > 0 || this.#freed) return;
    this.#freed = true;
    this.content.drop();
    this.fileSystem.budget.giveInodeBack();
  }
}

class OpenMemoryFile implements Content {
  readonly #file: MemoryFile;

  constructor(file: MemoryFile) {
    this.#file = file;
  }

  readAt(target: Uint8Array, offset: number): number {
    this.#file.accessed();
    return this.#file.content.readAt(target, offset);
  }

  writeAt(source: Uint8Array, offset: number): number {
    const count = this.#file.content.writeAt(source, offset);
    if (count > 0) this.#file.modified();
    return count;
  }

  sizeBytes(): number {
    return this.#file.content.sizeBytes;
  }

  truncate(sizeBytes: number): number {
    const answer = this.#file.content.truncate(sizeBytes);
    if (answer === 0) this.#file.modified();
    return answer;
  }

  /** There are no blocks to reserve: the size grows, as far as the limit lets it. */
  allocate(offset: number, length: number): number {
    const end = offset + length;
    if (end <= this.#file.content.sizeBytes) return 0;
    const budget = this.#file.fileSystem.budget;
    if (end - this.#file.content.sizeBytes > budget.bytesMax - budget.usedBytes) return -Errno.ENOSPC;
    return this.truncate(end);
  }

  sync(): number {
    return 0;
  }

  release(): void {
    this.#file.closed();
  }
}

export class MemorySymlink extends MemoryInode {
  readonly target: string;
  readonly #sizeBytes: number;

  constructor(
    fileSystem: MemoryFileSystem,
    ino: number,
    attributes: Attributes,
    target: string,
    linkCount?: number,
  ) {
    super(FileType.symbolicLink, fileSystem, ino, attributes, linkCount);
    this.target = target;
    this.#sizeBytes = new TextEncoder().encode(target).length;
  }

  override sizeBytes(): number {
    return this.#sizeBytes;
  }

  override readLink(): string {
    return this.target;
  }
}

/** A device node. Those of an image are inert: a layer can't give a container a device. */
export class MemoryDevice extends MemoryInode {
  readonly #open: (() => OpenFile | Failure) | undefined;

  constructor(
    type: FileType,
    fileSystem: MemoryFileSystem,
    ino: number,
    attributes: Attributes,
    open?: () => OpenFile | Failure,
    linkCount?: number,
  ) {
    super(type, fileSystem, ino, attributes, linkCount);
    this.#open = open;
  }

  override openDevice(): OpenFile | Failure {
    return this.#open?.() ?? -Errno.ENXIO;
  }
}

export function changeTimes(
  attributes: Attributes,
  access: TimeChange,
  modify: TimeChange,
  nowNs: bigint,
): void {
  if (access.kind !== "keep") attributes.atimeNs = access.kind === "now" ? nowNs : access.ns;
  if (modify.kind !== "keep") attributes.mtimeNs = modify.kind === "now" ? nowNs : modify.ns;
  attributes.ctimeNs = nowNs;
}

export function fillStat(
  into: Stat,
  device: bigint,
  ino: number,
  type: FileType,
  attributes: Attributes,
  linkCount: number,
  sizeBytes: number,
): void {
  into.device = device;
  into.inode = BigInt(ino);
  into.type = type;
  into.mode = attributes.mode;
  into.uid = attributes.uid;
  into.gid = attributes.gid;
  into.linkCount = linkCount;
  into.sizeBytes = sizeBytes;
  into.atimeNs = attributes.atimeNs;
  into.mtimeNs = attributes.mtimeNs;
  into.ctimeNs = attributes.ctimeNs;
}
