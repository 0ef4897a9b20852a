/**
 * A name in a directory of the host. It keeps no descriptor but while it is open: it is found again through the
 * directory that has it, and what is found must be the same file.
 */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
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
import type { Dentry, DirectoryReader, HeldFile, MountFlags } from "../../core/vfs/dentry.ts";
import { changeMode } from "../host/descriptor-calls.ts";
import { type HostPlace, identityOf, O_PATH, stale } from "./host-descriptors.ts";
import { attempt, hostErrno } from "./host-errno.ts";
import { HostFile } from "./host-file.ts";
import { HostListing } from "./host-listing.ts";
import { type HostTree, hostType } from "./host-tree.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW } = constants;
/** Not there on Windows, where no open waits and nothing is a terminal. */
const CAREFULLY = (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

export class HostDentry implements Dentry, HostPlace {
  readonly tree: HostTree;
  readonly type: FileType;
  readonly path: string;
  up: HostDentry | undefined;
  name: string;
  heldFd = -1;
  #identity: string;
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
    this.#identity = identityOf(stat);
    this.#stat = stat;
  }

  get parent(): HostDentry | undefined {
    return this.up;
  }
  get identity(): string {
    return this.#identity;
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
    // Held, so that the host can't give its number to another file, over which the mount would then stand.
    if (count > 0 && this.#mountCount === 0) this.tree.pin(this);
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

  get held(): HeldFile | undefined {
    return this.heldFd >= 0 ? { fd: this.heldFd, identity: this.identity } : undefined;
  }

  /** Held by this descriptor, which is its own from now on. */
  holdAs(fd: number): void {
    if (this.#holdCount === 0) {
      this.heldFd = fd;
      this.tree.known.set(this.identity, this);
    } else closeSync(fd);
    this.#holdCount++;
  }

  release(): void {
    this.#holdCount--;
    if (this.#holdCount > 0) return;
    if (this.heldFd >= 0) closeSync(this.heldFd);
    this.heldFd = -1;
    if (this.#mountCount === 0 && this.tree.known.get(this.identity) === this) {
      this.tree.known.delete(this.identity);
    }
  }

  /** Where the host has it. A link is never followed there; only what is held is reached through a link of `/proc`. */
  #ownPath(): string {
    if (this.heldFd >= 0 || this.up === undefined) return this.tree.descriptors.pathOfPlace(this);
    return this.tree.descriptors.pathOf(this.up, this.name);
  }

  /** Now; ESTALE when something else is there. */
  #statNow(): BigIntStats {
    if (this.#isHeldPlace) this.#stat = statSync(this.#ownPath(), { bigint: true });
    else if (this.up === undefined) this.#accept(lstatSync(this.#ownPath(), { bigint: true }));
    else this.#accept(this.tree.descriptors.look(this.up, this.name));
    return this.#stat;
  }

  /**
   * What stands under the name now. A file that somebody has replaced by another one since it was looked up is taken for
   * it, as if the look-up had come later: that is how most programs write files.
   * @throws NodeJS.ErrnoException ESTALE
   */
  #accept(stat: BigIntStats): void {
    const identity = identityOf(stat);
    if (hostType(stat) !== this.type) throw stale();
    if (identity !== this.#identity) {
      if (this.type === FileType.directory || this.#mountCount > 0 || this.#holdCount > 0) throw stale();
      // What was asked about it, and granted, must hold for the other one.
      const { mode, uid, gid } = this.#stat;
      if (stat.mode !== mode || stat.uid !== uid || stat.gid !== gid) throw stale();
      this.#identity = identity;
    }
    this.#stat = stat;
  }

  get #isHeldPlace(): boolean {
    return this.heldFd >= 0;
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
      const target = readlinkSync(this.#ownPath());
      if (this.tree.descriptors.isExact) return target;
      this.#statNow();
      return readlinkSync(this.#ownPath()) === target ? target : -Errno.ESTALE;
    } catch (error) {
      // It is no link any more.
      const errno = hostErrno(error);
      return errno === Errno.EINVAL ? -Errno.ESTALE : -errno;
    }
  }

  openFile(options: OpenOptions, mount: MountFlags, credentials: Credentials): OpenFile | Failure {
    if (this.type !== FileType.regularFile) return -Errno.EACCES;
    let fd = this.#madeFd;
    this.#madeFd = -1;
    try {
      const isMade = fd >= 0;
      if (!isMade) fd = this.#openRegular(options);
      return new HostFile(fd, !isMade && options.append, this.tree, options, mount, credentials);
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      return -hostErrno(error);
    }
  }

  /** Opens without following and without waiting, and looks at what it gets before anything is done with it. */
  #openRegular(options: OpenOptions): number {
    const flags = accessOf(options) | (options.append ? O_APPEND : 0) | CAREFULLY;
    const { descriptors } = this.tree;
    if (!descriptors.isExact) return this.#openByPath(flags);
    if (this.#isHeldPlace) return openSync(this.#ownPath(), flags);
    // A FIFO or a device does something when it is opened: a mere place is looked at first.
    const place = openSync(this.#ownPath(), O_PATH | O_NOFOLLOW);
    try {
      this.#accept(fstatSync(place, { bigint: true }));
      return openSync(`/proc/self/fd/${place}`, flags);
    } finally {
      closeSync(place);
    }
  }

  #openByPath(flags: number): number {
    const fd = openSync(this.#ownPath(), flags | (O_NOFOLLOW ?? 0));
    try {
      this.#accept(fstatSync(fd, { bigint: true }));
      const opened = this.#identity;
      this.#statNow();
      if (this.#identity !== opened) throw stale();
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  lookUp(name: string): HostDentry | Failure {
    try {
      const stat = this.tree.descriptors.look(this, name);
      const known = this.tree.known.get(identityOf(stat));
      if (known !== undefined && known.type === FileType.directory && stat.isDirectory()) {
        // It may have been moved by somebody on the host.
        if (known.up !== undefined && known.up !== this) {
          if (this.#isBelow(known)) return -Errno.ESTALE;
          known.up = this;
          known.name = name;
        }
        return known;
      }
      if (known !== undefined && known.#mountCount > 0 && known.#isNamed(this, name)) return known;
      return new HostDentry(this.tree, this, name, stat, "");
    } catch (error) {
      return -hostErrno(error);
    }
  }

  /** A file that is mounted on: is this its name, or one that it was moved to? Its other names are not covered. */
  #isNamed(directory: HostDentry, name: string): boolean {
    if (this.up?.identity === directory.identity && this.name === name) return true;
    try {
      if (identityOf(this.tree.descriptors.look(this.up!, this.name)) === this.identity) return false;
    } catch {
      // It isn't there any more.
    }
    this.up = directory;
    this.name = name;
    return true;
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
      // A guest's root is this process's user: it must not leave programs that lend its rights to others.
      const bits = mode & 0o1777;
      const fd = openSync(this.tree.descriptors.pathOf(this, name), flags, bits);
      try {
        changeMode(fd, bits);
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
      if (typeof made === "number") return made;
      if (made.type !== FileType.directory) return -Errno.ESTALE;
      made.#setMode(mode);
      return made;
    } catch (error) {
      return -hostErrno(error);
    }
  }

  /** Of a directory that was just made: the umask of this process is not the guest's. */
  #setMode(mode: number): void {
    const { descriptors } = this.tree;
    if (descriptors.isExact) {
      chmodSync(descriptors.pathOfPlace(this), mode);
      return;
    }
    if (O_DIRECTORY === undefined) return; // Windows, which has no modes
    const fd = openSync(descriptors.pathOfPlace(this), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      this.#accept(fstatSync(fd, { bigint: true }));
      changeMode(fd, mode);
    } finally {
      closeSync(fd);
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
        // Elsewhere the call follows a link, and makes a name of what it leads to.
        if (!descriptors.isExact && source.type === FileType.symbolicLink) return -Errno.ENOTSUP;
        const path = descriptors.pathOf(this, name);
        linkSync(descriptors.pathOf(source.up!, source.name), path);
        if (descriptors.isExact || identityOf(descriptors.look(this, name)) === source.identity) return 0;
        unlinkSync(path);
        return -Errno.ESTALE;
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

function accessOf(options: OpenOptions): number {
  if (!options.write && !options.truncate) return O_RDONLY;
  return options.read ? O_RDWR : O_WRONLY;
}
