/**
 * A name in a directory of the host. It keeps no descriptor but while it is open: it is found again through the
 * directory that has it, and what is found must be the same file.
 */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from "node:fs";
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, OpenOptions, Stat, TimeChange } from "../../../shim/abi/system.ts";
import type { Credentials } from "../../core/vfs/credentials.ts";
import type { Dentry, DirectoryReader, MountFlags } from "../../core/vfs/dentry.ts";
import { type HostPlace, identityOf } from "./host-descriptors.ts";
import { attempt, hostErrno } from "./host-errno.ts";
import { HostFile } from "./host-file.ts";
import { HostListing } from "./host-listing.ts";
import { type HostTree, hostType } from "./host-tree.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
/** Not there on Windows, where no open waits and nothing is a terminal. */
const CAREFULLY = (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
const HELD_BY_DESCRIPTOR = process.platform === "linux";

export class HostDentry implements Dentry, HostPlace {
  readonly tree: HostTree;
  readonly type: FileType;
  readonly identity: string;
  readonly path: string;
  up: HostDentry | undefined;
  name: string;
  heldFd = -1;
  #holdCount = 0;
  #mountCount = 0;
  #stat: BigIntStats;
  /** Of a file that was just made: its mode may not let it be opened again. */
  #madeFd = -1;

  constructor(tree: HostTree, up: HostDentry | undefined, name: string, stat: BigIntStats, path: string) {
    this.tree = tree;
    this.up = up;
    this.name = name;
    this.path = path;
    this.type = hostType(stat);
    this.identity = identityOf(stat);
    this.#stat = stat;
  }

  get parent(): HostDentry | undefined {
    return this.up;
  }
  get inode(): bigint {
    return this.#stat.ino;
  }
  get mode(): number {
    return Number(this.#look().mode) & 0o7777;
  }
  get uid(): number {
    return this.tree.uidOf(this.#look());
  }
  get gid(): number {
    return this.tree.gidOf(this.#look());
  }

  get mountCount(): number {
    return this.#mountCount;
  }
  set mountCount(count: number) {
    this.#mountCount = count;
    if (count > 0) this.tree.known.set(this.identity, this);
  }

  /** A directory may be held for long, and change meanwhile; a file was looked up just now. */
  #look(): BigIntStats {
    if (this.type !== FileType.directory) return this.#stat;
    try {
      this.#stat = statSync(this.tree.descriptors.pathOfPlace(this), { bigint: true });
    } catch (error) {
      hostErrno(error);
    }
    return this.#stat;
  }

  isSameFile(other: Dentry): boolean {
    return other instanceof HostDentry && other.tree === this.tree && other.identity === this.identity;
  }

  hold(): number {
    return attempt(() => {
      this.holdOrThrow();
      return 0;
    });
  }

  holdOrThrow(): void {
    if (this.#holdCount === 0) {
      this.heldFd = this.tree.descriptors.open(this);
      this.tree.known.set(this.identity, this);
    }
    this.#holdCount++;
  }

  release(): void {
    this.#holdCount--;
    if (this.#holdCount > 0) return;
    if (this.heldFd >= 0) closeSync(this.heldFd);
    this.heldFd = -1;
    if (this.#mountCount === 0) this.tree.known.delete(this.identity);
  }

  /** Where the host has it. A link is never followed there; only what is held is reached through a link of `/proc`. */
  #ownPath(): string {
    if (this.heldFd >= 0 || this.up === undefined) return this.tree.descriptors.pathOfPlace(this);
    return this.tree.descriptors.pathOf(this.up, this.name);
  }

  /** Now; ESTALE when something else is there. */
  #statNow(): BigIntStats {
    const stat = this.#isHeldPlace
      ? statSync(this.#ownPath(), { bigint: true })
      : lstatSync(this.#ownPath(), { bigint: true });
    if (identityOf(stat) !== this.identity)
      throw Object.assign(new Error("something else is there"), { code: "ESTALE" });
    this.#stat = stat;
    return stat;
  }

  get #isHeldPlace(): boolean {
    return HELD_BY_DESCRIPTOR && this.heldFd >= 0;
  }

  stat(into: Stat): number {
    return attempt(() => this.tree.fillStat(into, this.#statNow()));
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
    return this.tree.setTimes(
      access,
      modify,
      () => this.#statNow(),
      (atime, mtime) => (this.#isHeldPlace ? utimesSync : lutimesSync)(this.#ownPath(), atime, mtime),
    );
  }

  readTarget(): string | Failure {
    try {
      return readlinkSync(this.#ownPath());
    } catch (error) {
      return -hostErrno(error);
    }
  }

  openFile(options: OpenOptions, mount: MountFlags, credentials: Credentials): OpenFile | Failure {
    if (this.type !== FileType.regularFile) return -Errno.EACCES;
    let fd = this.#madeFd;
    this.#madeFd = -1;
    try {
      if (fd < 0) fd = this.#openRegular(options);
      return new HostFile(fd, this.tree, options, mount, credentials);
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      return -hostErrno(error);
    }
  }

  /** Opens without following and without waiting, and looks at what it got before anything is done with it. */
  #openRegular(options: OpenOptions): number {
    const writes = options.write || options.truncate;
    const access = writes ? (options.read ? O_RDWR : O_WRONLY) : O_RDONLY;
    const fd = openSync(this.#ownPath(), access | CAREFULLY | (this.#isHeldPlace ? 0 : (O_NOFOLLOW ?? 0)));
    const stat = fstatSync(fd, { bigint: true });
    if (stat.isFile() && identityOf(stat) === this.identity) return fd;
    closeSync(fd);
    throw Object.assign(new Error("something else is there"), { code: "ESTALE" });
  }

  lookUp(name: string): HostDentry | Failure {
    try {
      const stat = lstatSync(this.tree.descriptors.pathOf(this, name), { bigint: true });
      const known = this.tree.known.get(identityOf(stat));
      if (known !== undefined && known.type === FileType.directory) {
        // It may have been moved by somebody on the host.
        if (known.up !== undefined && known.up !== this) {
          if (this.#isBelow(known)) return -Errno.ESTALE;
          known.up = this;
          known.name = name;
        }
        return known;
      }
      if (known !== undefined && known.#mountCount > 0) return known;
      return new HostDentry(this.tree, this, name, stat, "");
    } catch (error) {
      return -hostErrno(error);
    }
  }

  /** Two that somebody on the host has turned round, one over the other, must not become each other's parent. */
  #isBelow(other: HostDentry): boolean {
    let above: HostDentry | undefined = this;
    while (above !== undefined && above !== other) above = above.up;
    return above !== undefined;
  }

  openDirectory(): DirectoryReader {
    return new HostListing(this);
  }

  createFile(name: string, mode: number): HostDentry | Failure {
    try {
      const flags = O_RDWR | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0);
      const fd = openSync(this.tree.descriptors.pathOf(this, name), flags, mode);
      try {
        fchmodSync(fd, mode);
        const dentry = new HostDentry(this.tree, this, name, fstatSync(fd, { bigint: true }), "");
        dentry.#madeFd = fd;
        return dentry;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    } catch (error) {
      return -hostErrno(error);
    }
  }

  makeDirectory(name: string, mode: number): HostDentry | Failure {
    try {
      mkdirSync(this.tree.descriptors.pathOf(this, name), mode);
      const made = this.lookUp(name);
      // The umask of this process is not the guest's.
      if (typeof made !== "number") chmodSync(this.tree.descriptors.pathOfPlace(made), mode);
      return made;
    } catch (error) {
      return -hostErrno(error);
    }
  }

  makeSymlink(name: string, target: string): HostDentry | Failure {
    try {
      symlinkSync(target, this.tree.descriptors.pathOf(this, name));
      return this.lookUp(name);
    } catch (error) {
      return -hostErrno(error);
    }
  }

  addLink(name: string, file: Dentry): number {
    return attempt(() => {
      const source = file as HostDentry;
      return whileHeld(source.up ?? source, this, () => {
        const { descriptors } = this.tree;
        linkSync(descriptors.pathOf(source.up!, source.name), descriptors.pathOf(this, name));
        return 0;
      });
    });
  }

  unlink(name: string): number {
    return attempt(() => {
      unlinkSync(this.tree.descriptors.pathOf(this, name));
      return 0;
    });
  }

  removeDirectory(name: string): number {
    return attempt(() => {
      rmdirSync(this.tree.descriptors.pathOf(this, name));
      return 0;
    });
  }

  rename(name: string, child: Dentry, to: Dentry, toName: string): number {
    return attempt(() => {
      const target = to as HostDentry;
      return whileHeld(this, target, () => {
        const { descriptors } = this.tree;
        renameSync(descriptors.pathOf(this, name), descriptors.pathOf(target, toName));
        const moved = child as HostDentry;
        moved.up = target;
        moved.name = toName;
        return 0;
      });
    });
  }
}

/** Two paths at once: the descriptor of one must not be given back, and its number used again, for the other. */
function whileHeld(one: HostDentry, other: HostDentry, run: () => number): number {
  one.holdOrThrow();
  try {
    other.holdOrThrow();
    try {
      return run();
    } finally {
      other.release();
    }
  } finally {
    one.release();
  }
}
