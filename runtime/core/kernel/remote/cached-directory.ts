/**
 * An open directory of a program with one thread. What it looked up it keeps, as long as nobody changes it; a directory in
 * which it makes or removes many files is leased to it, and it doesn't wait for each.
 */
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, OpenOptions, Stat, TimeChange } from "../../../../shim/abi/system.ts";
import { utf8Length } from "../../vfs/utf8.ts";
import { CallFlag, Operation, Place, POST_WANTED, packOpenFlags, Real, takeStat } from "../protocol.ts";
import { CachedFile } from "./cached-file.ts";
import { appends } from "./connection.ts";
import type { KeptFile } from "./local-view.ts";
import { RemoteDirectory, takeEntries } from "./remote-directory.ts";

/** How a name in a leased directory came there. */
const Name = {
  /** Made by a post: nothing else is known of it. */
  own: 0,
  /** It was there, and may be taken away by a post. */
  plain: 1,
  /** It takes a call. */
  other: 2,
} as const;
type Name = (typeof Name)[keyof typeof Name];

/** A directory that only this program changes. */
interface Leased {
  /** As the program spells it. */
  path: string;
  handle: number;
  names: Map<string, Name>;
}

/** Answers that are kept of one directory; when there are more, all are forgotten. */
const KEPT_ANSWERS_MAX = 4096;
/** Names made or removed in a directory before it is leased. Doubles each time that a lease is lost early. */
const CHANGES_FIRST = 2;
const CHANGES_MAX = 256;
const NAME_BYTES_MAX = 255;

export class CachedDirectory extends RemoteDirectory {
  /** By path, and whether a link at its end is followed. */
  readonly #stats = new Map<string, Stat | Errno>();
  readonly #files = new Map<string, KeptFile>();
  /** By path of the directory. */
  readonly #leases = new Map<string, Leased>();
  /** Changes by path of the directory since its last lease. */
  readonly #changes = new Map<string, number>();
  #changesToLease = CHANGES_FIRST;
  #stamp = 0;
  #lookUpsStamp = 0;
  #attributesStamp = 0;

  /** Forgets what doesn't hold any more. */
  #look(): void {
    const { view } = this.connection;
    view.look();
    if (this.#attributesStamp !== view.attributesStamp) {
      this.#attributesStamp = view.attributesStamp;
      if (this.#stats.size > 0) this.#stats.clear();
    }
    if (this.#lookUpsStamp !== view.lookUpsStamp) {
      this.#lookUpsStamp = view.lookUpsStamp;
      if (this.#files.size > 0) this.#files.clear();
    }
    if (this.#stamp === view.stamp) return;
    this.#stamp = view.stamp;
    if (this.#leases.size === 0) return;
    // The kernel closes nothing of its own accord.
    for (const { handle } of this.#leases.values()) this.#closeLeased(handle);
    this.#leases.clear();
    this.#changesToLease = Math.min(this.#changesToLease * 2, CHANGES_MAX);
  }

  #closeLeased(handle: number): void {
    const { connection } = this;
    connection.view.postClose(handle);
    connection.giveHandle(handle);
  }

  protected override opened(handle: number, nonblock: boolean): OpenFile {
    const { connection } = this;
    const { mailbox } = connection;
    const type = mailbox.numbers[Place.type]!;
    if (type === FileType.directory) return new CachedDirectory(connection, handle);
    if (type !== FileType.regularFile) return super.opened(handle, nonblock);
    const posts = connection.view.accepts(mailbox) && mailbox.numbers[Place.layer]! < 0;
    if (posts) connection.view.takeCredit(mailbox);
    const file = CachedFile.opened(connection, handle, appends(mailbox), posts);
    file.nonblock = nonblock;
    return file;
  }

  protected override openFlags(options: OpenOptions): number {
    return options.write ? POST_WANTED : 0;
  }

  override openAt(path: string, options: OpenOptions): OpenFile | Failure {
    this.#look();
    if (!options.write && !options.create && !options.truncate) {
      return options.read && !options.directory
        ? this.#openToRead(path, options)
        : super.openAt(path, options);
    }
    if (options.create) {
      const made = this.#create(path, options);
      if (made !== undefined) return made;
      this.connection.view.forgetLookUps();
    } else if (options.truncate) this.connection.view.forgetLookUps();
    return super.openAt(path, options);
  }

  #openToRead(path: string, options: OpenOptions): OpenFile | Failure {
    const key = options.followLast ? path : `\0${path}`;
    const kept = this.#files.get(key);
    if (kept !== undefined) return this.#reader(kept, options);
    if (this.#stats.get(key) === Errno.ENOENT) return -Errno.ENOENT;
    const file = super.openAt(path, options);
    return this.#keepFile(key, file, options);
  }

  #reader(kept: KeptFile, options: OpenOptions): CachedFile {
    const file = CachedFile.ofLayer(this.connection, kept);
    file.nonblock = options.nonblock;
    return file;
  }

  /** The answer to `openAt` is still in the mailbox. */
  #keepFile(key: string, file: OpenFile | Failure, options: OpenOptions): OpenFile | Failure {
    if (!(file instanceof CachedFile)) return file;
    const { mailbox, view } = this.connection;
    const layer = mailbox.numbers[Place.layer]!;
    if (layer < 0 || !view.accepts(mailbox)) return file;
    const blob = view.blob(layer);
    if (blob === undefined) return file;
    this.#look();
    const stat = {} as Stat;
    takeStat(mailbox, stat);
    const kept: KeptFile = {
      handle: file.handle,
      blob,
      offsetBytes: mailbox.reals[Real.layerOffset]!,
      sizeBytes: stat.sizeBytes,
      userCount: 0,
      isDropped: false,
    };
    if (this.#files.size >= KEPT_ANSWERS_MAX) this.#files.clear();
    this.#files.set(key, kept);
    const reader = this.#reader(kept, options);
    view.keep(kept);
    return reader;
  }

  override statAt(path: string, followLast: boolean, into: Stat): number {
    this.#look();
    const key = followLast ? path : `\0${path}`;
    const kept = this.#stats.get(key);
    if (kept !== undefined) {
      if (typeof kept === "number") return -kept;
      copyStat(kept, into);
      return 0;
    }
    const answer = super.statAt(path, followLast, into);
    if (answer !== 0 && answer !== -Errno.ENOENT) return answer;
    const { view, mailbox } = this.connection;
    if (!view.accepts(mailbox)) return answer;
    this.#look();
    if (this.#stats.size >= KEPT_ANSWERS_MAX) this.#stats.clear();
    this.#stats.set(key, answer === 0 ? { ...into } : Errno.ENOENT);
    return answer;
  }

  /** Undefined: it has to be asked for. */
  #create(path: string, options: OpenOptions): OpenFile | undefined {
    if (!options.write || options.append || options.directory) return undefined;
    const leased = this.#leasedFor(path);
    if (leased === undefined) return undefined;
    const name = nameOf(path);
    if (leased.names.has(name)) return undefined;
    const { connection } = this;
    const handle = connection.takeHandle();
    const flags = packOpenFlags(options);
    const post = () => connection.view.postCreate(leased.handle, name, handle, flags, options.mode);
    if (!post() && !(this.#refill(leased) && post())) {
      connection.giveHandle(handle);
      return undefined;
    }
    leased.names.set(name, Name.own);
    const file = CachedFile.opened(connection, handle, false, true);
    file.nonblock = options.nonblock;
    return file;
  }

  override unlinkAt(path: string): number {
    this.#look();
    const leased = this.#leasedFor(path);
    const name = nameOf(path);
    const kind = leased?.names.get(name) ?? Name.other;
    if (kind !== Name.other && this.connection.view.postUnlink(leased!.handle, name)) {
      leased!.names.delete(name);
      if (kind === Name.plain) this.connection.view.forgetLookUps();
      return 0;
    }
    return this.#changed(super.unlinkAt(path));
  }

  /** The leased directory that a path's last name lies in; leases it when it has become worth it. */
  #leasedFor(path: string): Leased | undefined {
    const end = path.lastIndexOf("/");
    const directory = end < 0 ? "." : path.slice(0, end);
    const name = end < 0 ? path : path.slice(end + 1);
    if (name === "" || name === "." || name === ".." || directory === "") return undefined;
    if (name.length > NAME_BYTES_MAX / 3 && utf8Length(name) > NAME_BYTES_MAX) return undefined;
    const leased = this.#leases.get(directory);
    if (leased !== undefined) return leased;
    const changes = (this.#changes.get(directory) ?? 0) + 1;
    if (this.#changes.size > KEPT_ANSWERS_MAX) this.#changes.clear();
    this.#changes.set(directory, changes);
    if (changes < this.#changesToLease) return undefined;
    this.#changes.clear();
    return this.#lease(directory);
  }

  #lease(directory: string): Leased | undefined {
    const { connection } = this;
    const { mailbox, view } = connection;
    const handle = connection.takeHandle();
    mailbox.numbers[Place.otherHandle] = handle;
    const sizeBytes = connection.callAt(Operation.lease, this.handle, 0, directory);
    if (sizeBytes < 0) {
      connection.giveHandle(handle);
      this.#changesToLease = Math.min(this.#changesToLease * 2, CHANGES_MAX);
      return undefined;
    }
    if (!view.accepts(mailbox)) {
      this.#closeLeased(handle);
      return undefined;
    }
    view.takeCredit(mailbox);
    const names = new Map<string, Name>();
    for (const { name, inode } of takeEntries(mailbox.data, sizeBytes)) {
      names.set(name, inode === 1n ? Name.plain : Name.other);
    }
    this.#look();
    const leased = { path: directory, handle, names };
    this.#leases.set(directory, leased);
    return leased;
  }

  /** More is set aside for posts. The call has the kernel do what was posted, too. */
  #refill(leased: Leased): boolean {
    const { view, mailbox } = this.connection;
    if (this.connection.callAt(Operation.lease, leased.handle, CallFlag.refill, ".") < 0) return false;
    if (!view.accepts(mailbox)) return false;
    view.takeCredit(mailbox);
    return this.#leases.has(leased.path);
  }

  /** What this program changed itself it forgets itself. */
  #changed(answer: number): number {
    if (answer >= 0) this.connection.view.forgetLookUps();
    return answer;
  }

  override setTimes(access: TimeChange, modify: TimeChange): number {
    return this.#changed(super.setTimes(access, modify));
  }
  override setTimesAt(path: string, followLast: boolean, access: TimeChange, modify: TimeChange): number {
    return this.#changed(super.setTimesAt(path, followLast, access, modify));
  }
  override makeDirectoryAt(path: string, mode: number): number {
    return this.#changed(super.makeDirectoryAt(path, mode));
  }
  override removeDirectoryAt(path: string): number {
    return this.#changed(super.removeDirectoryAt(path));
  }
  override makeSymlinkAt(target: string, path: string): number {
    return this.#changed(super.makeSymlinkAt(target, path));
  }
  override linkAt(path: string, followLast: boolean, to: OpenFile, toPath: string): number {
    return this.#changed(super.linkAt(path, followLast, to, toPath));
  }
  override renameAt(path: string, to: OpenFile, toPath: string): number {
    return this.#changed(super.renameAt(path, to, toPath));
  }
  override close(): void {
    for (const { handle } of this.#leases.values()) this.#closeLeased(handle);
    this.#leases.clear();
    super.close();
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function copyStat(from: Stat, into: Stat): void {
  into.device = from.device;
  into.inode = from.inode;
  into.type = from.type;
  into.mode = from.mode;
  into.uid = from.uid;
  into.gid = from.gid;
  into.linkCount = from.linkCount;
  into.sizeBytes = from.sizeBytes;
  into.atimeNs = from.atimeNs;
  into.mtimeNs = from.mtimeNs;
  into.ctimeNs = from.ctimeNs;
}
