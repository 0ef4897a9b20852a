/**
 * An inode in memory: memfs's Node with chunked content, times in nanoseconds and an owner of its own.
 *
 * It is a Node by its members, all of which it has itself, and becomes one by prototype when `volume-core.ts` is loaded.
 * The base's constructor is not run: four Dates, an event bus and two looks at the host's uid for each inode made creating
 * a file in a cold thread 2 times slower, and memfs's modules cost 4.5 ms of every start. Its content is one contiguous
 * buffer, and its times are milliseconds. A guest's path uses the plain fields; the members of memfs serve `Volume`.
 */
import type { Node } from "@jsonjoy.com/fs-core/lib/Node.js";
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, OpenOptions, Stat, TimeChange } from "../../../shim/abi/system.ts";
import type { ChangeObserver } from "./change-observer.ts";
import { type Credentials, isPermitted } from "./credentials.ts";
import { FileContent } from "./file-content.ts";
import type { Keeper } from "./keeper.ts";
import type { LockTable } from "./lock-table.ts";
import type { LowerContent } from "./lower-content.ts";
import { fileTypeOf, Mode } from "./mode.ts";
import type { Space } from "./space.ts";
import { utf8Length } from "./utf8.ts";

/** What the node needs of its file system. */
export interface NodeOwner {
  readonly space: Space;
  readonly device: bigint;
  readonly nowNs: () => bigint;
  readonly observer: ChangeObserver | undefined;
  readonly watcher: ChangeObserver | undefined;
  readonly keeper: Keeper | undefined;
  readonly locks: LockTable;
}

/** Makes the description of a device that is opened. */
export type DeviceOpener = (options: OpenOptions, credentials: Credentials) => OpenFile | Failure;

/** Bits of what differs from the layer that a node came from. */
const Change = { none: 0, attributes: 1, content: 2 } as const;

type MemfsBuffer = Node["buf"];
const NS_PER_MS = 1_000_000n;
const DIRECTORY_BYTES = 4096;

/** What memfs's code may use of a node. */
type NodeMembers = Omit<Pick<Node, keyof Node>, "changes" | "buf">;

/** A target that is no longer is a part of its inode, as ext4 has it. */
const TARGET_BYTES_FREE = 60;

/** What the target of a symbolic link takes of the space. */
export function targetBytes(target: string): number {
  // A unit of UTF-16 is 3 bytes of UTF-8 at most.
  if (target.length * 3 <= TARGET_BYTES_FREE) return 0;
  const sizeBytes = utf8Length(target);
  return sizeBytes > TARGET_BYTES_FREE ? sizeBytes : 0;
}

export class MemoryNode implements NodeMembers {
  ino: number;
  mode: number;
  rdev = 0;
  /** Where a symbolic link points. */
  symlink = "";
  readonly owner: NodeOwner;
  readonly inode: bigint;
  type: FileType;
  userId: number;
  groupId: number;
  accessNs: bigint;
  modifyNs: bigint;
  changeNs: bigint;
  birthNs: bigint;
  /** Names of a file. Of a directory: 1 while it has one; `st_nlink` is counted from its children. */
  linkCount = 0;
  openCount = 0;
  /** Undefined for what is no regular file. */
  content: FileContent | undefined;
  opener: DeviceOpener | undefined = undefined;
  /** Takes an inode of the space. False: it came from an image layer. */
  readonly isCharged: boolean;
  /** Names beyond those that the layer gave it, each charged as an inode. */
  extraNames = 0;
  changed: number = Change.none;
  /** Clients that take something of it for granted: a bit each. Kept by the kernel. */
  watchers = 0;
  /** Who may write to it without being asked each time. Kept by the kernel. */
  holder: object | undefined = undefined;

  constructor(
    owner: NodeOwner,
    inode: number,
    mode: number,
    uid: number,
    gid: number,
    timeNs: bigint,
    isCharged: boolean,
    lower: LowerContent | undefined,
  ) {
    this.ino = inode;
    this.mode = mode;
    this.owner = owner;
    this.inode = BigInt(inode);
    this.type = fileTypeOf(mode);
    this.userId = uid;
    this.groupId = gid;
    this.accessNs = timeNs;
    this.modifyNs = timeNs;
    this.changeNs = timeNs;
    this.birthNs = timeNs;
    this.isCharged = isCharged;
    this.content = this.type === FileType.regularFile ? new FileContent(owner.space, lower) : undefined;
  }

  fillStat(into: Stat, linkCount: number): number {
    into.device = this.owner.device;
    into.inode = this.inode;
    into.type = this.type;
    into.mode = this.mode & Mode.permissions;
    into.uid = this.userId;
    into.gid = this.groupId;
    into.linkCount = linkCount;
    into.sizeBytes = this.getSize();
    into.atimeNs = this.accessNs;
    into.mtimeNs = this.modifyNs;
    into.ctimeNs = this.changeNs;
    return 0;
  }

  /** As a mount with `relatime` does: only when it would be older than the last change. */
  touchAccess(): void {
    if (this.accessNs <= this.modifyNs || this.accessNs <= this.changeNs) this.accessNs = this.owner.nowNs();
  }

  touchModify(): void {
    const now = this.owner.nowNs();
    this.modifyNs = now;
    this.changeNs = now;
    this.changed |= Change.content;
    this.owner.observer?.changed(this);
    if (this.watchers !== 0) this.owner.watcher?.changed(this);
  }

  /** As `touchChange`, where the observer is told of more. */
  stampChange(): void {
    this.changeNs = this.owner.nowNs();
    this.changed |= Change.attributes;
  }

  touchChange(): void {
    this.stampChange();
    this.owner.observer?.changed(this);
    if (this.watchers !== 0) this.owner.watcher?.changed(this);
  }

  changeTimes(access: TimeChange, modify: TimeChange): number {
    if (access.kind === "keep" && modify.kind === "keep") return 0;
    const now = this.owner.nowNs();
    if (access.kind !== "keep") this.accessNs = access.kind === "set" ? access.ns : now;
    if (modify.kind !== "keep") this.modifyNs = modify.kind === "set" ? modify.ns : now;
    this.changeNs = now;
    this.changed |= Change.attributes;
    this.owner.observer?.changed(this);
    if (this.watchers !== 0) this.owner.watcher?.changed(this);
    return 0;
  }

  hold(): void {
    this.openCount++;
  }

  /** The end of an open description. */
  drop(): void {
    this.openCount--;
    this.freeIfUnused();
  }

  /** One name less; call `freeIfUnused` when that has been told. */
  loseName(): void {
    this.linkCount--;
    if (this.extraNames > 0) {
      this.extraNames--;
      this.owner.space.inodes--;
    }
    if (this.linkCount > 0) this.stampChange();
  }

  /** Nobody can come to it any more: its space is free. */
  freeIfUnused(): void {
    if (this.openCount > 0 || this.linkCount > 0) return;
    this.content?.release();
    if (this.symlink !== "") this.pointTo("");
    if (this.isCharged) this.owner.space.inodes--;
  }

  /** Of a symbolic link. What is long takes of the space, whether there is any or not. */
  pointTo(target: string): void {
    const more = this.isCharged ? targetBytes(target) - targetBytes(this.symlink) : 0;
    if (more !== 0) this.owner.space.bytes += more;
    this.symlink = target;
  }

  /** Non-owners who write take the setuid and setgid bits away; call `touchModify` after it. @see chmod(2) */
  dropPrivilegeBits(credentials: Credentials): void {
    if ((this.mode & 0o6000) === 0 || credentials.uid === 0) return;
    this.mode &= (this.mode & 0o010) !== 0 ? ~0o6000 : ~0o4000;
    this.changed |= Change.attributes;
  }

  // From here on: memfs's own interface.

  get ctime(): Date {
    return toDate(this.changeNs);
  }
  set ctime(date: Date) {
    this.changeNs = toNs(date);
  }
  get btime(): Date {
    return toDate(this.birthNs);
  }
  set btime(date: Date) {
    this.birthNs = toNs(date);
  }
  get atime(): Date {
    return toDate(this.accessNs);
  }
  set atime(date: Date) {
    this.accessNs = toNs(date);
    this.changed |= Change.attributes;
    this.owner.observer?.changed(this);
    if (this.watchers !== 0) this.owner.watcher?.changed(this);
  }
  get mtime(): Date {
    return toDate(this.modifyNs);
  }
  set mtime(date: Date) {
    this.modifyNs = toNs(date);
    this.touchChange();
  }
  get uid(): number {
    return this.userId;
  }
  set uid(uid: number) {
    this.userId = uid;
    this.touchChange();
  }
  get gid(): number {
    return this.groupId;
  }
  set gid(gid: number) {
    this.groupId = gid;
    this.touchChange();
  }
  get perm(): number {
    return this.mode & Mode.permissions;
  }
  set perm(perm: number) {
    this.chmod(perm);
  }
  get nlink(): number {
    return this.linkCount;
  }
  set nlink(count: number) {
    this.linkCount = count;
  }
  getString(encoding?: string): string {
    return (this.getBuffer() as unknown as { toString(encoding?: string): string }).toString(
      encoding ?? "utf8",
    );
  }
  setString(text: string): void {
    this.setBuffer(new TextEncoder().encode(text) as unknown as MemfsBuffer);
  }
  getBuffer(): MemfsBuffer {
    const bytes = new Uint8Array(this.getSize());
    if ((this.content?.read(bytes, 0) ?? 0) < 0) throw nodeError("EIO", "read");
    return asBuffer(bytes);
  }
  setBuffer(buffer: MemfsBuffer): void {
    this.truncate(0);
    this.write(buffer);
  }
  getSize(): number {
    if (this.content !== undefined) return this.content.sizeBytes;
    if (this.type === FileType.symbolicLink) return utf8Length(this.symlink);
    return this.type === FileType.directory ? DIRECTORY_BYTES : 0;
  }
  setModeProperty(mode: number): void {
    this.mode = mode;
  }
  isFile(): boolean {
    return this.type === FileType.regularFile;
  }
  isDirectory(): boolean {
    return this.type === FileType.directory;
  }
  isSymlink(): boolean {
    return this.type === FileType.symbolicLink;
  }
  isCharacterDevice(): boolean {
    return this.type === FileType.characterDevice;
  }
  makeSymlink(target: string): void {
    this.mode = Mode.symlink | 0o777;
    this.type = FileType.symbolicLink;
    this.pointTo(target);
    this.content?.release();
    this.content = undefined;
  }
  write(buffer: MemfsBuffer, from = 0, count = buffer.length, at = 0): number {
    if (this.content === undefined) return 0;
    const source = buffer as unknown as Uint8Array;
    const written = this.content.write(source.subarray(from, Math.min(from + count, source.length)), at);
    if (written < 0) throw nodeError(written === -Errno.ENOSPC ? "ENOSPC" : "EIO", "write");
    this.touchModify();
    return written;
  }
  read(
    buffer: MemfsBuffer | ArrayBufferView | DataView,
    from = 0,
    count = buffer.byteLength,
    at = 0,
  ): number {
    if (this.content === undefined) return 0;
    const view = buffer as ArrayBufferView;
    const room = Math.min(count, view.byteLength - from);
    const done = this.content.read(new Uint8Array(view.buffer, view.byteOffset + from, room), at);
    if (done < 0) throw nodeError("EIO", "read");
    this.touchAccess();
    return done;
  }
  truncate(sizeBytes = 0): void {
    if (this.content === undefined) return;
    const failure = this.content.truncate(Math.max(0, sizeBytes));
    if (failure < 0) throw nodeError("EFBIG", "ftruncate");
    this.touchModify();
  }
  chmod(perm: number): void {
    this.mode = (this.mode & Mode.typeMask) | (perm & Mode.permissions);
    this.touchChange();
  }
  chown(uid: number, gid: number): void {
    this.userId = uid;
    this.groupId = gid;
    this.touchChange();
  }
  touch(): void {
    this.touchModify();
  }
  canRead(uid = 0, gid = 0): boolean {
    return this.#allows(uid, gid, 4);
  }
  canWrite(uid = 0, gid = 0): boolean {
    return this.#allows(uid, gid, 2);
  }
  canExecute(uid = 0, gid = 0): boolean {
    return this.#allows(uid, gid, 1);
  }
  /** An embedder is no guest: the default is uid 0, and never the host's. */
  #allows(uid: number, gid: number, wanted: number): boolean {
    return isPermitted(this, { uid, gid, groups: [], umask: 0 }, wanted);
  }
  del(): void {}
  toJSON(): ReturnType<Node["toJSON"]> {
    return {
      ino: this.ino,
      uid: this.userId,
      gid: this.groupId,
      atime: this.atime.getTime(),
      mtime: this.mtime.getTime(),
      ctime: this.ctime.getTime(),
      btime: this.btime.getTime(),
      perm: this.perm,
      mode: this.mode,
      nlink: this.linkCount,
      symlink: this.symlink,
      data: this.getString(),
    };
  }
}

/** An error as `node:fs` throws it: only for embedders, who called memfs's interface. */
export function nodeError(code: string, call: string): Error {
  return Object.assign(new Error(`${code}: ${call}`), { code, syscall: call });
}

function toDate(ns: bigint): Date {
  return new Date(Number(ns / NS_PER_MS));
}

function toNs(date: Date): bigint {
  return BigInt(Math.trunc(date.getTime() * 1000)) * 1000n;
}

/** memfs hands out Node's Buffer where there is one. */
function asBuffer(bytes: Uint8Array): MemfsBuffer {
  const host = (globalThis as { Buffer?: { from(buffer: ArrayBufferLike): unknown } }).Buffer;
  return (host === undefined ? bytes : host.from(bytes.buffer)) as MemfsBuffer;
}
