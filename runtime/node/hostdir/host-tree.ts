/**
 * A directory or file of the host as a tree that can be mounted. Only directories, regular files and links are shown
 * as what they are; a FIFO, device or socket can't be opened: one that nobody writes would block the guest's thread
 * where nothing can end it.
 *
 * Files of the user that runs wpod appear as the guest's own; the host's own permissions hold in any case.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { DirEntrySink, Failure, Stat, TimeChange } from "../../../shim/abi/system.ts";
import { type Content, DirectoryInode, Inode, type Listing, type Making } from "../../core/tree/inode.ts";
import type { Mount } from "../../core/tree/mount-table.ts";
import { realtimeNs } from "../clocks.ts";
import { HostDescriptors, type HostPlace, identityOf } from "./host-descriptors.ts";
import { attempt, hostErrno } from "./host-errno.ts";
import { hostSeconds } from "./host-time.ts";
import { HostTimes } from "./host-times.ts";

export interface HostTreeOptions {
  readonly readOnly: boolean;
  readonly device: bigint;
  /** Whom files of this process's user seem to belong to. */
  readonly uid: number;
  readonly gid: number;
}

export interface HostTree {
  readonly root: Inode;
  close(): void;
}

/** Owner of what belongs to others on the host. */
const NOBODY = 65_534;
const COOKIE_SELF = 1;
const COOKIE_PARENT = 2;

/** @param source absolute path; links in it are followed now, once */
export function openHostTree(source: string, options: HostTreeOptions): HostTree {
  const path = realpathSync(source);
  const stat = statSync(path, { bigint: true });
  if (stat.isDirectory()) {
    const tree = new HostMount(options);
    return {
      root: new HostDirectory(
        tree,
        { parent: undefined, name: "", identity: identityOf(stat), path },
        undefined,
      ),
      close: () => tree.close(),
    };
  }
  // A single file: seen through its directory, of which nothing else is shown.
  const tree = new HostMount(options);
  const folder = dirname(path);
  const place: HostPlace = {
    parent: undefined,
    name: "",
    identity: identityOf(statSync(folder, { bigint: true })),
    path: folder,
  };
  const directory = new HostDirectory(tree, place, undefined);
  const root = directory.lookup(basename(path));
  if (typeof root !== "object") throw new Error(`${source} is not there any more`);
  return { root, close: () => tree.close() };
}

/** What the inodes of one mount share. */
class HostMount {
  readonly descriptors = new HostDescriptors();
  readonly times = new HostTimes();
  readonly options: HostTreeOptions;
  /** Directories and files with something mounted on them: these objects are remembered. */
  readonly covered = new Map<string, HostNode>();

  constructor(options: HostTreeOptions) {
    this.options = options;
  }

  close(): void {
    this.descriptors.close();
  }

  /** @param set what changes the times on the host, in seconds; @param look what the host shows */
  setTimes(
    access: TimeChange,
    modify: TimeChange,
    look: () => BigIntStats,
    set: (atime: string, mtime: string) => void,
  ): number {
    return attempt(() => {
      const before = look();
      const identity = identityOf(before);
      const nowNs = realtimeNs();
      const timeNs = (change: TimeChange, unchanged: bigint): bigint =>
        change.kind === "set" ? change.ns : change.kind === "now" ? nowNs : unchanged;
      const atimeNs = timeNs(access, this.times.atimeNs(identity, before));
      const mtimeNs = timeNs(modify, this.times.mtimeNs(identity, before));
      set(hostSeconds(atimeNs), hostSeconds(mtimeNs));
      this.times.remember(identity, atimeNs, mtimeNs, look());
      return 0;
    });
  }

  fillStat(into: Stat, stat: BigIntStats): number {
    const identity = identityOf(stat);
    const owner = ownerOf(stat, this.options);
    into.device = this.options.device;
    into.inode = stat.ino;
    into.type = typeOf(stat);
    into.mode = Number(stat.mode) & 0o7777;
    into.uid = owner.uid;
    into.gid = owner.gid;
    into.linkCount = Number(stat.nlink);
    into.sizeBytes = Number(stat.size);
    into.atimeNs = this.times.atimeNs(identity, stat);
    into.mtimeNs = this.times.mtimeNs(identity, stat);
    into.ctimeNs = stat.ctimeNs;
    return 0;
  }
}

type HostNode = HostDirectory | HostLeaf;

class HostLeaf extends Inode {
  readonly type: FileType;
  readonly tree: HostMount;
  readonly #directory: HostDirectory;
  readonly #name: string;
  readonly identity: string;
  #stat: BigIntStats;
  #covered: Mount | undefined;
  /** Of a file that was just made: its mode may not let it be opened again. */
  #made: number | undefined;

  constructor(tree: HostMount, directory: HostDirectory, name: string, stat: BigIntStats, made?: number) {
    super();
    this.type = typeOf(stat);
    this.tree = tree;
    this.#directory = directory;
    this.#name = name;
    this.#stat = stat;
    this.identity = identityOf(stat);
    this.#made = made;
  }

  override get covered(): Mount | undefined {
    return this.#covered;
  }
  override set covered(mount: Mount | undefined) {
    this.#covered = mount;
    if (mount !== undefined) this.tree.covered.set(this.identity, this);
  }

  get mode(): number {
    return Number(this.#stat.mode) & 0o7777;
  }
  get uid(): number {
    return ownerOf(this.#stat, this.tree.options).uid;
  }
  get gid(): number {
    return ownerOf(this.#stat, this.tree.options).gid;
  }

  override is(other: Inode): boolean {
    return other instanceof HostLeaf && other.identity === this.identity;
  }

  override stat(into: Stat): number {
    return attempt(() => {
      this.#stat = lstatSync(this.path(), { bigint: true });
      return this.tree.fillStat(into, this.#stat);
    });
  }

  override setTimes(access: TimeChange, modify: TimeChange): number {
    return this.tree.setTimes(
      access,
      modify,
      () => lstatSync(this.path(), { bigint: true }),
      (atime, mtime) => lutimesSync(this.path(), atime, mtime),
    );
  }

  override readLink(): string | Failure {
    if (this.type !== FileType.symbolicLink) return -Errno.EINVAL;
    try {
      return readlinkSync(this.path());
    } catch (error) {
      return -hostErrno(error);
    }
  }

  override openContent(write: boolean): Content | Failure {
    const made = this.#made;
    this.#made = undefined;
    if (made !== undefined) return new HostContent(made, this.tree);
    try {
      const access = write ? constants.O_RDWR : constants.O_RDONLY;
      return openRegular(this.path(), access, this);
    } catch (error) {
      // Who may write and not read, may write.
      if (!write || (error as NodeJS.ErrnoException).code !== "EACCES") return -hostErrno(error);
    }
    try {
      return openRegular(this.path(), constants.O_WRONLY, this);
    } catch (error) {
      return -hostErrno(error);
    }
  }

  override openDevice(): Failure {
    return -Errno.EACCES;
  }

  path(): string {
    return this.tree.descriptors.pathOf(this.#directory.place, this.#name);
  }
}

/** Opens without following and without waiting, and looks at what it got before anybody reads. */
function openRegular(path: string, access: number, leaf: HostLeaf): Content | Failure {
  const fd = openSync(path, access | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  const stat = fstatSync(fd, { bigint: true });
  if (stat.isFile() && identityOf(stat) === leaf.identity) return new HostContent(fd, leaf.tree);
  closeSync(fd);
  return -(stat.isFile() ? Errno.ESTALE : Errno.EACCES);
}

class HostContent implements Content {
  readonly #fd: number;
  readonly #tree: HostMount;

  constructor(fd: number, tree: HostMount) {
    this.#fd = fd;
    this.#tree = tree;
  }

  stat(into: Stat): number {
    return attempt(() => this.#tree.fillStat(into, fstatSync(this.#fd, { bigint: true })));
  }

  readAt(target: Uint8Array, offset: number): number {
    return attempt(() => (target.length === 0 ? 0 : readSync(this.#fd, target, 0, target.length, offset)));
  }

  writeAt(source: Uint8Array, offset: number): number {
    return attempt(() => writeSync(this.#fd, source, 0, source.length, offset));
  }

  sizeBytes(): number {
    return fstatSync(this.#fd).size;
  }

  truncate(sizeBytes: number): number {
    return attempt(() => {
      ftruncateSync(this.#fd, sizeBytes);
      return 0;
    });
  }

  allocate(offset: number, length: number): number {
    return this.sizeBytes() >= offset + length ? 0 : this.truncate(offset + length);
  }

  sync(dataOnly: boolean): number {
    return attempt(() => {
      if (dataOnly) fdatasyncSync(this.#fd);
      else fsyncSync(this.#fd);
      return 0;
    });
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
    return this.#tree.setTimes(
      access,
      modify,
      () => fstatSync(this.#fd, { bigint: true }),
      (atime, mtime) => futimesSync(this.#fd, atime, mtime),
    );
  }

  release(): void {
    closeSync(this.#fd);
  }
}

class HostDirectory extends DirectoryInode {
  readonly type: FileType = FileType.directory;
  readonly place: HostPlace;
  readonly tree: HostMount;
  readonly #parent: HostDirectory | undefined;
  #covered: Mount | undefined;

  constructor(tree: HostMount, place: HostPlace, parent: HostDirectory | undefined) {
    super();
    this.tree = tree;
    this.place = place;
    this.#parent = parent;
  }

  override get covered(): Mount | undefined {
    return this.#covered;
  }
  override set covered(mount: Mount | undefined) {
    this.#covered = mount;
    if (mount !== undefined) this.tree.covered.set(this.place.identity, this);
  }

  get mode(): number {
    return this.#own((stat) => Number(stat.mode) & 0o7777, 0);
  }
  get uid(): number {
    return this.#own((stat) => ownerOf(stat, this.tree.options).uid, NOBODY);
  }
  get gid(): number {
    return this.#own((stat) => ownerOf(stat, this.tree.options).gid, NOBODY);
  }

  #own(take: (stat: BigIntStats) => number, missing: number): number {
    try {
      return take(this.#lstat());
    } catch {
      return missing;
    }
  }

  override get parent(): DirectoryInode {
    return this.#parent ?? this;
  }

  override get removed(): boolean {
    try {
      return this.#lstat().nlink === 0n;
    } catch {
      return true;
    }
  }

  override is(other: Inode): boolean {
    return other instanceof HostDirectory && other.place.identity === this.place.identity;
  }

  override stat(into: Stat): number {
    return attempt(() => this.tree.fillStat(into, this.#lstat()));
  }

  override setTimes(access: TimeChange, modify: TimeChange): number {
    return this.tree.setTimes(
      access,
      modify,
      () => this.#lstat(),
      (atime, mtime) => lutimesSync(this.#pathOf("."), atime, mtime),
    );
  }

  override lookup(name: string): HostNode | Failure | undefined {
    let stat: BigIntStats;
    try {
      stat = lstatSync(this.#pathOf(name), { bigint: true });
    } catch (error) {
      const errno = hostErrno(error);
      return errno === Errno.ENOENT ? undefined : -errno;
    }
    return this.tree.covered.get(identityOf(stat)) ?? this.#node(name, stat);
  }

  #node(name: string, stat: BigIntStats): HostNode {
    if (!stat.isDirectory()) return new HostLeaf(this.tree, this, name, stat);
    const place: HostPlace = { parent: this.place, name, identity: identityOf(stat), path: "" };
    return new HostDirectory(this.tree, place, this);
  }

  override createFile(name: string, making: Making): Inode | Failure {
    try {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const fd = openSync(this.#pathOf(name), flags, making.mode);
      return new HostLeaf(this.tree, this, name, fstatSync(fd, { bigint: true }), fd);
    } catch (error) {
      return -hostErrno(error);
    }
  }

  override makeDirectory(name: string, making: Making): number {
    return attempt(() => {
      mkdirSync(this.#pathOf(name), making.mode & 0o777);
      return 0;
    });
  }

  override makeSymlink(name: string, target: string): number {
    return attempt(() => {
      symlinkSync(target, this.#pathOf(name));
      return 0;
    });
  }

  override link(name: string, inode: Inode): number {
    return attempt(() => {
      // Two descriptors at once: the source's path is made last, and both are among the most recent ones.
      const target = this.#pathOf(name);
      linkSync((inode as HostLeaf).path(), target);
      return 0;
    });
  }

  override unlink(name: string): number {
    return attempt(() => {
      unlinkSync(this.#pathOf(name));
      return 0;
    });
  }

  override removeDirectory(name: string): number {
    return attempt(() => {
      rmdirSync(this.#pathOf(name));
      return 0;
    });
  }

  override rename(name: string, _inode: Inode, to: DirectoryInode, toName: string): number {
    return attempt(() => {
      const target = (to as HostDirectory).#pathOf(toName);
      renameSync(this.#pathOf(name), target);
      return 0;
    });
  }

  override isEmpty(): boolean {
    return readdirSync(this.tree.descriptors.directoryPath(this.place)).length === 0;
  }

  override list(): Listing {
    return new HostListing(this);
  }

  names(): string[] {
    return readdirSync(this.tree.descriptors.directoryPath(this.place));
  }

  override sameFileSystem(other: Inode): boolean {
    return (other instanceof HostDirectory || other instanceof HostLeaf) && other.tree === this.tree;
  }

  #pathOf(name: string): string {
    return this.tree.descriptors.pathOf(this.place, name);
  }

  #lstat(): BigIntStats {
    return statSync(this.tree.descriptors.pathOf(this.place, "."), { bigint: true });
  }
}

/** The names as they were at the start of a listing: the host doesn't keep places for us. */
class HostListing implements Listing {
  readonly #directory: HostDirectory;
  #names: string[] | undefined;

  constructor(directory: HostDirectory) {
    this.#directory = directory;
  }

  read(cookie: number, sink: DirEntrySink): number {
    return attempt(() => {
      if (cookie === 0 || this.#names === undefined) this.#names = this.#directory.names();
      const names = this.#names;
      for (let place = cookie; place < names.length + COOKIE_PARENT; place++) {
        if (!this.#give(place, names, sink)) break;
      }
      return 0;
    });
  }

  #give(place: number, names: string[], sink: DirEntrySink): boolean {
    if (place < COOKIE_PARENT) {
      const directory = place < COOKIE_SELF ? this.#directory : this.#directory.parent;
      return sink(place + 1, inodeNumber(directory), FileType.directory, place < COOKIE_SELF ? "." : "..");
    }
    const name = names[place - COOKIE_PARENT]!;
    const inode = this.#directory.lookup(name);
    // It went away since the listing began.
    if (typeof inode !== "object") return true;
    return sink(place + 1, inodeNumber(inode), inode.type, name);
  }

  close(): void {
    this.#names = undefined;
  }
}

function inodeNumber(inode: Inode): bigint {
  const stat = {} as Stat;
  return inode.stat(stat) === 0 ? stat.inode : 0n;
}

function typeOf(stat: BigIntStats): FileType {
  if (stat.isFile()) return FileType.regularFile;
  if (stat.isDirectory()) return FileType.directory;
  if (stat.isSymbolicLink()) return FileType.symbolicLink;
  if (stat.isCharacterDevice()) return FileType.characterDevice;
  if (stat.isBlockDevice()) return FileType.blockDevice;
  return stat.isSocket() ? FileType.socketStream : FileType.unknown;
}

function ownerOf(stat: BigIntStats, options: HostTreeOptions): { uid: number; gid: number } {
  const own = process.getuid === undefined || stat.uid === BigInt(process.getuid());
  return own ? { uid: options.uid, gid: options.gid } : { uid: NOBODY, gid: NOBODY };
}
