/**
 * A directory or file of the host as a tree that can be mounted. Only directories, regular files and links are shown
 * as what they are; a FIFO, device or socket can't be opened (EACCES): one that nobody writes would block the guest's
 * thread where nothing can end it.
 *
 * Files of the user that runs wpod appear as the guest's own; the host's own permissions hold in any case.
 */
import { type BigIntStats, constants, fstatSync, lstatSync, realpathSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, Stat, TimeChange } from "../../../shim/abi/system.ts";
import type { MovedHostFile } from "../../core/kernel/moved-files.ts";
import type { Dentry, HeldFile, MountFlags, Tree } from "../../core/vfs/dentry.ts";
import { LockTable } from "../../core/vfs/lock-table.ts";
import { PLAIN } from "../../core/vfs/open-options.ts";
import { realtimeNs } from "../clocks.ts";
import { HostDentry } from "./host-dentry.ts";
import { HostDescriptors, identityOf } from "./host-descriptors.ts";
import { attempt, hostErrno } from "./host-errno.ts";
import { HostFile } from "./host-file.ts";
import { hostSeconds } from "./host-time.ts";
import { HostTimes } from "./host-times.ts";
import { placeOf, reopenHeld } from "./reopen.ts";

export interface HostTreeOptions {
  readonly readOnly: boolean;
  readonly device: bigint;
  /** Whom files of this process's user seem to belong to. */
  readonly uid: number;
  readonly gid: number;
  /** Go by paths, as where there is no `/proc`. */
  readonly portable?: boolean;
  /** Of the root of another tree of the same source, in any thread: that is mounted, not what the path leads to now. */
  readonly root?: HeldFile | undefined;
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND } = constants;

/** Owner of what belongs to others on the host. */
const NOBODY = 65_534;

/**
 * @param source absolute path; links in it are followed now, once
 * @throws NodeJS.ErrnoException when it isn't there
 */
export function openHostTree(source: string, options: HostTreeOptions): HostTree {
  return new HostTree(options.root === undefined ? realpathSync(source) : "", options);
}

export class HostTree implements Tree {
  readonly device: bigint;
  readonly readOnly: boolean;
  readonly locks = new LockTable();
  readonly root: HostDentry;
  readonly descriptors: HostDescriptors;
  readonly #times = new HostTimes();
  readonly #options: HostTreeOptions;
  /** Dentries that are open or mounted on, by identity: looking them up gives the same object again. */
  readonly known = new Map<string, HostDentry>();
  readonly #pinned: HostDentry[] = [];

  constructor(path: string, options: HostTreeOptions) {
    this.device = options.device;
    this.readOnly = options.readOnly;
    this.#options = options;
    this.descriptors = new HostDescriptors(process.platform === "linux" && options.portable !== true);
    if (options.root !== undefined) {
      const place = placeOf(options.root);
      this.root = new HostDentry(this, undefined, "", fstatSync(place, { bigint: true }), "");
      this.root.holdAs(place);
      this.#pinned.push(this.root);
      return;
    }
    const stat = statSync(path, { bigint: true });
    if (stat.isDirectory()) {
      this.root = new HostDentry(this, undefined, "", stat, path);
    } else {
      // A single file: seen through its directory, of which nothing else is shown.
      const folder = dirname(path);
      const directory = new HostDentry(this, undefined, "", statSync(folder, { bigint: true }), folder);
      this.root = new HostDentry(this, directory, basename(path), lstatSync(path, { bigint: true }), "");
    }
    // What is mounted is this directory or file, whatever its path leads to later.
    this.#pinOrThrow(this.root);
  }

  pin(root: Dentry): number {
    return attempt(() => this.#pinOrThrow(root as HostDentry));
  }

  #pinOrThrow(root: HostDentry): number {
    root.holdOrThrow();
    this.#pinned.push(root);
    return 0;
  }

  adopt(held: HeldFile, names: readonly string[]): HostDentry | Failure {
    try {
      const place = placeOf(held);
      const stat = fstatSync(place, { bigint: true });
      const { identity } = held;
      const dentry = this.known.get(identity) ?? this.#named(identity, names) ?? this.#astray(stat, names);
      dentry.holdAs(place);
      return dentry;
    } catch (error) {
      return -hostErrno(error);
    }
  }

  /** Where it was, if it is still there. */
  #named(identity: string, names: readonly string[]): HostDentry | undefined {
    let at: HostDentry = this.root;
    for (const name of names) {
      const next = at.lookUp(name);
      if (typeof next === "number") return undefined;
      at = next;
    }
    return at.identity === identity ? at : undefined;
  }

  /** It was moved or removed by others: whatever is above it, for the guest it is the mount's root. */
  #astray(stat: BigIntStats, names: readonly string[]): HostDentry {
    return new HostDentry(this, this.root, names.at(-1) ?? "", stat, "");
  }

  /** A file that another thread has open. @throws NodeJS.ErrnoException */
  reopenFile(file: MovedHostFile, mount: MountFlags): HostFile {
    const { held, status, position, credentials } = file;
    const access = !status.write ? O_RDONLY : status.read ? O_RDWR : O_WRONLY;
    const own = reopenHeld(held, access | (status.append ? O_APPEND : 0));
    const options = { ...PLAIN, ...status };
    return new HostFile(
      own,
      status.append && this.descriptors.isExact,
      this,
      options,
      mount,
      credentials,
      position,
    );
  }

  /** Gives all descriptors back but those of open files and directories. */
  close(): void {
    for (const root of this.#pinned.splice(0)) root.release();
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
      const atimeNs = timeNs(access, this.#times.atimeNs(identity, before));
      const mtimeNs = timeNs(modify, this.#times.mtimeNs(identity, before));
      set(hostSeconds(atimeNs), hostSeconds(mtimeNs));
      this.#times.remember(identity, atimeNs, mtimeNs, look());
      return 0;
    });
  }

  fillStat(into: Stat, stat: BigIntStats): number {
    const identity = identityOf(stat);
    into.device = this.device;
    into.inode = stat.ino;
    into.type = hostType(stat);
    into.mode = Number(stat.mode) & 0o7777;
    into.uid = this.uidOf(stat);
    into.gid = this.gidOf(stat);
    into.linkCount = Number(stat.nlink);
    into.sizeBytes = Number(stat.size);
    into.atimeNs = this.#times.atimeNs(identity, stat);
    into.mtimeNs = this.#times.mtimeNs(identity, stat);
    into.ctimeNs = stat.ctimeNs;
    return 0;
  }

  uidOf(stat: BigIntStats): number {
    return isOwn(stat) ? this.#options.uid : NOBODY;
  }

  gidOf(stat: BigIntStats): number {
    return isOwn(stat) ? this.#options.gid : NOBODY;
  }
}

export function hostType(stat: BigIntStats): FileType {
  if (stat.isFile()) return FileType.regularFile;
  if (stat.isDirectory()) return FileType.directory;
  if (stat.isSymbolicLink()) return FileType.symbolicLink;
  if (stat.isCharacterDevice()) return FileType.characterDevice;
  if (stat.isBlockDevice()) return FileType.blockDevice;
  return stat.isSocket() ? FileType.socketStream : FileType.unknown;
}

function isOwn(stat: BigIntStats): boolean {
  return process.getuid === undefined || stat.uid === BigInt(process.getuid());
}
