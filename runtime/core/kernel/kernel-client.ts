/**
 * One client as its kernel sees it: the files that it has open, and what its calls mean.
 *
 * Nothing that comes out of shared memory is trusted: handles are looked up, lengths bounded, numbers checked. No call
 * blocks: what would have to wait answers EAGAIN, and the client's bell is rung when it is worth asking again.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import {
  isFailure,
  type OpenFile,
  type OpenOptions,
  Readiness,
  type Stat,
  type Whence,
} from "../../../shim/abi/system.ts";
import { type Mailbox, TRANSFER_BYTES_MAX } from "../ipc/mailbox.ts";
import type { Posted } from "../ipc/post-ring.ts";
import { putText, takeText } from "../ipc/text.ts";
import { CHUNK_BYTES } from "../vfs/chunk.ts";
import { Access, isPermitted } from "../vfs/credentials.ts";
import type { Dentry } from "../vfs/dentry.ts";
import { DirectoryFile } from "../vfs/directory-file.ts";
import { MemoryFile } from "../vfs/memory-file.ts";
import { MemoryLink } from "../vfs/memory-link.ts";
import { PLAIN } from "../vfs/open-options.ts";
import { PATH_BYTES_MAX, type PathWalk } from "../vfs/path-walk.ts";
import type { ArenaMemory, ArenaPlace } from "./arena-memory.ts";
import { ClientView } from "./client-view.ts";
import { LOCK_KINDS, lockFor, reopenFor } from "./lock-call.ts";
import type { OpenHandles } from "./open-handles.ts";
import { openPipeFor } from "./pipe-call.ts";
import {
  CallFlag,
  creditOf,
  ENTRY_HEADER_BYTES,
  MAPPED_CHUNKS_MAX,
  MAPPED_NUMBERS,
  NO_OFFSET,
  NO_VIEW,
  Operation,
  Place,
  POST_WANTED,
  putStat,
  Real,
  takeTimeChanges,
  unpackOpenFlags,
} from "./protocol.ts";
import { StdioAlias } from "./stdio-alias.ts";
import type { Poster, Views } from "./views.ts";
import { isWaitable } from "./wait-queue.ts";

const MODE_MASK = 0o7777;
/** Of a client that keeps the rules none fails, unless a disk does. */
const FAILED_POSTS_MAX = 4096;
/** What may be asked for: an answer is never taken for an errno. */
const ANY_READINESS = Readiness.read | Readiness.write | Readiness.hangup;
const STICKY = 0o1000;
/** What an answer is about that says ENOENT. */
const NOTHING = Symbol("nothing");
/** A directory that is leased, and its handle. */
const LEASED: OpenOptions = { ...PLAIN, read: true, directory: true };

/** Calls that change names: nobody else's lease on such a directory outlasts them. */
const CHANGES_NAMES = new Set<number>([
  Operation.makeDirectoryAt,
  Operation.removeDirectoryAt,
  Operation.unlinkAt,
  Operation.makeSymlinkAt,
  Operation.linkAt,
  Operation.renameAt,
]);
/** Names that a lease tells of. */
const LEASED_NAMES_MAX = 4096;

/** Gives a client shared memory, under a number. */
export type ArenaSender = (client: number, id: number, memory: WebAssembly.Memory) => void;

/** What a client needs of its kernel. */
export interface ClientSurroundings {
  readonly views: Views;
  readonly memory: ArenaMemory;
  readonly sendArena: ArenaSender;
  /** No other client has its files. */
  readonly isAlone: boolean;
}

export class KernelClient implements Poster {
  readonly mailbox: Mailbox;
  /** What it may take for granted. The threads of one program ask each time. */
  readonly view: ClientView;
  readonly #client: number;
  readonly #views: Views;
  readonly #memory: ArenaMemory;
  readonly #sendArena: ArenaSender;
  readonly #sentArenas = new Set<number>();
  readonly #isAlone: boolean;
  readonly #trace: Dentry[] = [];
  /** Posted calls that could not be done: none, of a client that keeps the rules. */
  failedPosts = 0;
  /** What it has open; those of one program's threads have the same. */
  readonly handles: OpenHandles;
  readonly #stat = {} as Stat;

  constructor(client: number, mailbox: Mailbox, handles: OpenHandles, around: ClientSurroundings) {
    this.mailbox = mailbox;
    this.handles = handles;
    this.view = new ClientView(client, mailbox.posts);
    this.#client = client;
    this.#views = around.views;
    this.#memory = around.memory;
    this.#sendArena = around.sendArena;
    this.#isAlone = around.isAlone;
    handles.join();
  }

  /** Opens under a handle that it knows from elsewhere: a preopen, or what it had open before a hand-over. */
  adopt(handle: number, file: OpenFile): void {
    this.handles.set(handle, file);
  }

  /** The client has gone, at whatever point. */
  close(): void {
    this.#views.remove(this);
    this.handles.leave();
  }

  /** Answers the call that waits, if one does. */
  serve(): void {
    // In this order: what anybody had posted before this call was made is done before it.
    const operation = this.mailbox.asked();
    if (this.view.ring.isBehind) this.#views.add(this);
    else this.view.ring.wake();
    this.#views.drain();
    if (operation === undefined) return;
    if (this.#views.hasLeasesBeside(this.view)) this.#revokeTouched(operation);
    let answer = this.#views.as(this.view, () => this.#perform(operation));
    // What was set aside for posts is everybody's when it is the last.
    if (answer === -Errno.ENOSPC && this.#views.hasCredit) {
      this.#views.revokeAll();
      answer = this.#views.as(this.view, () => this.#perform(operation));
    }
    this.mailbox.answer(answer);
  }

  /** Who has a lease where this call may change a name loses it, after what he posted is done. */
  #revokeTouched(operation: number): void {
    const { numbers } = this.mailbox;
    const flags = numbers[Place.flags]!;
    const options = operation === Operation.openAt ? unpackOpenFlags(flags, 0) : undefined;
    if (options === undefined ? !CHANGES_NAMES.has(operation) : !options.create) return;
    const pathBytes = numbers[Place.pathBytes]!;
    const follows = operation === Operation.linkAt && (flags & CallFlag.followLast) !== 0;
    this.#revokeAt(numbers[Place.handle]!, this.#path(0, pathBytes), options, follows);
    if (operation !== Operation.linkAt && operation !== Operation.renameAt) return;
    const other = this.#path(pathBytes, numbers[Place.otherPathBytes]!);
    this.#revokeAt(numbers[Place.otherHandle]!, other, undefined, false);
  }

  #revokeAt(
    handle: number,
    path: string | undefined,
    options: OpenOptions | undefined,
    followLast: boolean,
  ): void {
    const directory = this.handles.get(handle);
    if (path === undefined || !(directory instanceof DirectoryFile)) return;
    for (const dentry of directory.placesOf(path, options, followLast)) {
      if (!(dentry instanceof MemoryLink)) continue;
      const { holder } = dentry;
      if (holder instanceof ClientView && holder !== this.view) this.#views.revoke(holder);
    }
  }

  /** A call that the client doesn't wait for. It could not fail when it was posted. */
  performPosted(call: Posted): void {
    const before = this.#views.beginPosted();
    if (this.#performPosted(call) < 0) this.failedPosts++;
    this.#views.endPosted(before);
  }

  #performPosted(call: Posted): number {
    // Who posts what can't be done keeps no rules: it costs the others no more time.
    if (this.failedPosts > FAILED_POSTS_MAX) return -Errno.EPERM;
    const handle = call.number(1);
    const file = this.handles.get(handle);
    if (file === undefined) return -Errno.EBADF;
    switch (call.number(0)) {
      case Operation.close:
        this.#close(handle, file);
        return 0;
      case Operation.write: {
        this.view.spend(creditOf(call.sizeBytes), 0);
        const { real } = call;
        this.#beforeChange(file);
        return Number.isSafeInteger(real) ? file.writeAt(call.bytes(), real) : -Errno.EINVAL;
      }
      case Operation.openAt:
        this.view.spend(creditOf(0), 1);
        return this.#createPosted(file, call);
      case Operation.unlinkAt:
        return file.unlinkAt(call.text());
      default:
        return -Errno.ENOSYS;
    }
  }

  #close(handle: number, file: OpenFile): void {
    if (file instanceof MemoryFile) this.view.forget(file.node);
    this.handles.close(handle);
  }

  #createPosted(directory: OpenFile, call: Posted): number {
    const handle = call.number(2);
    const name = call.text();
    if (name.includes("\0") || this.handles.has(handle)) return -Errno.EINVAL;
    if (this.handles.isFull) return -Errno.EMFILE;
    const file = directory.openAt(name, unpackOpenFlags(call.number(3), call.number(4) & MODE_MASK));
    if (isFailure(file)) return file;
    this.handles.set(handle, file);
    if (file instanceof MemoryFile) this.view.leaseFile(file.node);
    return 0;
  }

  #perform(operation: number): number {
    if (operation === Operation.join) return 0;
    const { numbers } = this.mailbox;
    if (operation === Operation.pipe) {
      return openPipeFor(this.handles, numbers[Place.handle]!, numbers[Place.otherHandle]!);
    }
    const file = this.handles.get(numbers[Place.handle]!);
    if (file === undefined) return -Errno.EBADF;
    const flags = numbers[Place.flags]!;
    switch (operation) {
      case Operation.close:
        this.#close(numbers[Place.handle]!, file);
        return 0;
      case Operation.read:
        return this.#read(file, flags);
      case Operation.write:
        return this.#write(file, flags);
      case Operation.map:
        return this.#map(file);
      case Operation.seek:
        return this.#seek(file, flags);
      case Operation.stat:
        return this.#answerStat(file.stat(this.#stat));
      case Operation.truncate: {
        const sizeBytes = this.#real(Real.length);
        this.#beforeChange(file);
        return sizeBytes < 0 ? -Errno.EINVAL : file.truncate(sizeBytes);
      }
      case Operation.allocate: {
        const offset = this.#real(Real.offset);
        const length = this.#real(Real.length);
        return offset < 0 || length <= 0 ? -Errno.EINVAL : file.allocate(offset, length);
      }
      case Operation.setTimes:
        return file.setTimes(...takeTimeChanges(this.mailbox, flags));
      case Operation.sync:
        return file.sync((flags & CallFlag.dataOnly) !== 0);
      case Operation.reopen:
        return reopenFor(this.handles, file, numbers[Place.otherHandle]!);
      case Operation.lock:
        return lockFor(this.handles, file, LOCK_KINDS[numbers[Place.mode]!], (flags & CallFlag.wait) !== 0);
      case Operation.readDirectory:
        return this.#readDirectory(file);
      case Operation.readiness:
        return this.#readiness(file, flags);
      case Operation.readableBytes:
        this.mailbox.reals[Real.length] = file.readableBytes();
        return 0;
      case Operation.setStatus:
        return file.setStatus((flags & CallFlag.append) !== 0, (flags & CallFlag.nonblock) !== 0);
      default:
        return this.#performAt(operation, file, flags);
    }
  }

  #performAt(operation: number, directory: OpenFile, flags: number): number {
    const { numbers } = this.mailbox;
    const path = this.#path(0, numbers[Place.pathBytes]!);
    if (path === undefined) return -Errno.EINVAL;
    const followLast = (flags & CallFlag.followLast) !== 0;
    switch (operation) {
      case Operation.openAt:
        return this.#openAt(directory, path, flags);
      case Operation.statAt:
        return this.#statAt(directory, path, followLast);
      case Operation.lease:
        return (flags & CallFlag.refill) !== 0 ? this.#refill(directory) : this.#lease(directory, path);
      case Operation.setTimesAt:
        return directory.setTimesAt(path, followLast, ...takeTimeChanges(this.mailbox, flags));
      case Operation.makeDirectoryAt:
        return directory.makeDirectoryAt(path, numbers[Place.mode]! & MODE_MASK);
      case Operation.removeDirectoryAt:
        return directory.removeDirectoryAt(path);
      case Operation.unlinkAt:
        return directory.unlinkAt(path);
      case Operation.readLinkAt:
        return this.#readLinkAt(directory, path);
      case Operation.makeSymlinkAt:
      case Operation.linkAt:
      case Operation.renameAt:
        return this.#performWithTwo(operation, directory, path, followLast);
      default:
        return -Errno.ENOSYS;
    }
  }

  #performWithTwo(operation: number, directory: OpenFile, path: string, followLast: boolean): number {
    const { numbers } = this.mailbox;
    const other = this.#path(numbers[Place.pathBytes]!, numbers[Place.otherPathBytes]!);
    if (other === undefined) return -Errno.EINVAL;
    if (operation === Operation.makeSymlinkAt) return directory.makeSymlinkAt(other, path);
    const to = this.handles.get(numbers[Place.otherHandle]!);
    if (to === undefined) return -Errno.EBADF;
    return operation === Operation.linkAt
      ? directory.linkAt(path, followLast, to, other)
      : directory.renameAt(path, to, other);
  }

  /** Undefined when no well-behaved client would send it. */
  #path(at: number, sizeBytes: number): string | undefined {
    if (at < 0 || sizeBytes < 0 || at > PATH_BYTES_MAX || sizeBytes > PATH_BYTES_MAX) return undefined;
    const path = takeText(this.mailbox.data, at, sizeBytes);
    return path.includes("\0") ? undefined : path;
  }

  /** A size or position; negative when it is none. */
  #real(place: number): number {
    const value = this.mailbox.reals[place]!;
    return Number.isSafeInteger(value) ? value : -1;
  }

  /** Content of the call: never more than there is. */
  #content(): Uint8Array {
    const sizeBytes = this.mailbox.numbers[Place.dataBytes]!;
    return this.mailbox.data.subarray(0, Math.max(0, Math.min(sizeBytes, TRANSFER_BYTES_MAX)));
  }

  #read(file: OpenFile, flags: number): number {
    const target = this.#content();
    const offset = this.mailbox.reals[Real.offset]!;
    if (offset === NO_OFFSET) return this.#awaited(file, file.read(target), -Errno.EAGAIN, flags);
    return Number.isSafeInteger(offset) ? file.readAt(target, offset) : -Errno.EINVAL;
  }

  #write(file: OpenFile, flags: number): number {
    const source = this.#content();
    const offset = this.mailbox.reals[Real.offset]!;
    if (offset === NO_OFFSET) return this.#awaited(file, file.write(source), -Errno.EAGAIN, flags);
    if (!Number.isSafeInteger(offset)) return -Errno.EINVAL;
    this.#beforeChange(file);
    const count = file.writeAt(source, offset);
    if ((flags & POST_WANTED) !== 0) this.#offerPosts(file);
    // Where it ended up is what the client's position becomes.
    if (count > 0 && file.append) this.mailbox.reals[Real.offset] = file.seek(0, "end");
    else if (count > 0) this.mailbox.reals[Real.offset] = offset + count;
    return count;
  }

  /** Who reads this content in shared memory has to ask again: before it changes. */
  #beforeChange(file: OpenFile): void {
    if (file instanceof MemoryFile && file.node.watchers !== 0) this.#views.expire(file.node, this.view.bit);
  }

  /** Answers how many chunks it tells of, from the one at the offset on. */
  #map(file: OpenFile): number {
    const offset = this.#real(Real.offset);
    if (!this.#isAlone || offset < 0 || !(file instanceof MemoryFile) || !file.readable)
      return -Errno.ENOTSUP;
    const { node } = file;
    if (node.holder !== undefined && node.holder !== this.view) return -Errno.ENOTSUP;
    const { data, numbers, reals } = this.mailbox;
    const places = new Int32Array(data.buffer, data.byteOffset, MAPPED_CHUNKS_MAX * MAPPED_NUMBERS);
    const first = Math.floor(offset / CHUNK_BYTES);
    let count = 0;
    for (; count < MAPPED_CHUNKS_MAX; count++) {
      const bytes = node.content!.resident(first + count, count === 0);
      const place = bytes && this.#memory.show(bytes, this.view.bit);
      if (place === undefined) break;
      this.#tellArena(place);
      places[count * MAPPED_NUMBERS] = place.id;
      places[count * MAPPED_NUMBERS + 1] = place.offsetBytes;
    }
    if (count === 0) return -Errno.ENOTSUP;
    node.watchers |= this.view.bit;
    this.#views.add(this);
    node.touchAccess();
    reals[Real.length] = node.content!.sizeBytes;
    numbers[Place.view] = this.view.number;
    return count;
  }

  #tellArena({ id, memory }: ArenaPlace): void {
    if (this.#sentArenas.has(id)) return;
    this.#sentArenas.add(id);
    this.#sendArena(this.#client, id, memory);
  }

  #seek(file: OpenFile, flags: number): number {
    const offset = this.mailbox.reals[Real.offset]!;
    if (!Number.isSafeInteger(offset)) return -Errno.EINVAL;
    const whence: Whence =
      (flags & CallFlag.end) !== 0 ? "end" : (flags & CallFlag.current) !== 0 ? "current" : "set";
    const position = file.seek(offset, whence);
    if (position < 0) return position;
    this.mailbox.reals[Real.offset] = position;
    return 0;
  }

  #readiness(file: OpenFile, flags: number): number {
    return this.#awaited(file, file.readiness(this.mailbox.numbers[Place.mode]! & ANY_READINESS), 0, flags);
  }

  /** Who is to wait, by this answer, is told by the bell. */
  #awaited(file: OpenFile, answer: number, waits: number, flags: number): number {
    if (answer === waits && (flags & CallFlag.wait) !== 0 && isWaitable(file)) {
      file.waiting.add(this.handles.bell);
    }
    return answer;
  }

  #answerStat(answer: number): number {
    if (answer === 0) putStat(this.mailbox, this.#stat);
    return answer;
  }

  #statAt(directory: OpenFile, path: string, followLast: boolean): number {
    const walk = this.#traced(directory);
    const answer = this.#answerStat(directory.statAt(path, followLast, this.#stat));
    this.#endTrace(walk);
    // That nothing is there can be kept, too: until a name comes to one of these directories.
    const known = answer === 0 ? walk?.found : answer === -Errno.ENOENT ? NOTHING : undefined;
    this.#offerView(known);
    return answer;
  }

  /** Has the walk of a call note by which directories it goes. Undefined: what it finds can't be kept. */
  #traced(directory: OpenFile): PathWalk | undefined {
    if (!this.#isAlone || !(directory instanceof DirectoryFile)) return undefined;
    const { walk } = directory.table;
    this.#trace.length = 0;
    walk.trace = this.#trace;
    return walk;
  }

  #endTrace(walk: PathWalk | undefined): void {
    if (walk !== undefined) walk.trace = undefined;
  }

  /** Says in the answer whether it may be kept: `found` is what it is about. */
  #offerView(found: Dentry | typeof NOTHING | undefined): void {
    const { numbers } = this.mailbox;
    numbers[Place.view] = NO_VIEW;
    if (found === undefined || this.#trace.length === 0) return;
    if (!this.view.keep(this.#trace, found === NOTHING ? undefined : found)) return;
    this.#views.add(this);
    numbers[Place.view] = this.view.number;
  }

  #openAt(directory: OpenFile, path: string, flags: number): number {
    const { numbers } = this.mailbox;
    const handle = numbers[Place.otherHandle]!;
    if (this.handles.has(handle)) return -Errno.EBADF;
    if (this.handles.isFull) return -Errno.EMFILE;
    numbers[Place.layer] = -1;
    const walk = this.#traced(directory);
    const file = directory.openAt(path, unpackOpenFlags(flags, numbers[Place.mode]! & MODE_MASK));
    this.#endTrace(walk);
    if (isFailure(file)) return file;
    numbers[Place.alias] = -1;
    numbers[Place.view] = NO_VIEW;
    if (file instanceof StdioAlias) {
      numbers[Place.alias] = file.index;
      return 0;
    }
    numbers[Place.type] = file.type;
    numbers[Place.flags] = file.append ? CallFlag.append : 0;
    this.handles.set(handle, file);
    if (file instanceof MemoryFile && this.#isAlone) this.#offerFile(file, walk, (flags & POST_WANTED) !== 0);
    return 0;
  }

  /** What the client may do without asking: read what a layer has, or write by posts. */
  #offerFile(file: MemoryFile, walk: PathWalk | undefined, wantsPosts: boolean): void {
    const { numbers, reals } = this.mailbox;
    const { content } = file.node;
    if (wantsPosts) {
      this.#offerPosts(file);
      return;
    }
    const lower = content?.lower;
    if (walk?.found === undefined || file.writable || lower === undefined || !content!.isLower) return;
    if (lower.pieces !== undefined) return;
    this.#offerView(walk.found);
    numbers[Place.layer] = lower.layer;
    reals[Real.layerOffset] = lower.offsetBytes;
    this.#answerStat(file.stat(this.#stat));
  }

  /** Lets the client post its writes to this file, if nobody else counts on what it holds. */
  #offerPosts(file: OpenFile): void {
    const { numbers, reals } = this.mailbox;
    numbers[Place.view] = NO_VIEW;
    if (!this.#isAlone || !(file instanceof MemoryFile) || file.append || !this.view.leaseFile(file.node))
      return;
    this.#views.add(this);
    this.#views.expire(file.node, this.view.bit);
    this.#tellCredit(reals);
    numbers[Place.view] = this.view.number;
  }

  #tellCredit(reals: Float64Array): void {
    reals[Real.creditBytes] = this.view.creditBytes;
    reals[Real.creditInodes] = this.view.creditInodes;
  }

  /** Answers how many bytes the names take, which stand as `readDirectory` gives them; inode 0 marks what must not be posted. */
  #lease(directory: OpenFile, path: string): number {
    const { numbers, reals } = this.mailbox;
    const handle = numbers[Place.otherHandle]!;
    if (this.handles.has(handle)) return -Errno.EBADF;
    if (this.handles.isFull) return -Errno.EMFILE;
    if (!this.#isAlone || !(directory instanceof DirectoryFile)) return -Errno.ENOTSUP;
    const walk = this.#traced(directory);
    const opened = directory.openAt(path, LEASED);
    this.#endTrace(walk);
    if (isFailure(opened)) return opened;
    const size = this.#leaseOpened(opened);
    if (size < 0) {
      opened.close();
      return size;
    }
    this.handles.set(handle, opened);
    this.#tellCredit(reals);
    numbers[Place.view] = this.view.number;
    return size;
  }

  #refill(directory: OpenFile): number {
    if (!(directory instanceof DirectoryFile) || !(directory.dentry instanceof MemoryLink))
      return -Errno.ENOTSUP;
    if (!this.view.isLeased(directory.dentry) || !this.view.lease(directory.dentry)) return -Errno.ENOTSUP;
    this.#tellCredit(this.mailbox.reals);
    this.mailbox.numbers[Place.view] = this.view.number;
    return 0;
  }

  #leaseOpened(opened: OpenFile): number {
    if (!(opened instanceof DirectoryFile) || !(opened.dentry instanceof MemoryLink)) return -Errno.ENOTSUP;
    const { dentry, mount, credentials } = opened;
    const may = isPermitted(dentry, credentials, Access.write | Access.execute) && !mount.readOnly;
    if (!may || dentry.children.size > LEASED_NAMES_MAX) return -Errno.ENOTSUP;
    // The way to it may be kept, or the lease would outlast its name.
    if (!this.view.keep(this.#trace, undefined)) return -Errno.ENOTSUP;
    const isSticky = (dentry.mode & STICKY) !== 0 && credentials.uid !== 0;
    const size = this.#putEntries(opened, (link) => isPlain(link, this.view.bit) && !isSticky);
    if (size < 0 || !this.view.lease(dentry)) return -Errno.ENOTSUP;
    this.#views.add(this);
    this.#views.expire(dentry, this.view.bit);
    this.#views.expire(dentry.node, this.view.bit);
    return size;
  }

  #putEntries(opened: DirectoryFile, mayUnlink: (link: MemoryLink) => boolean): number {
    const { data } = this.mailbox;
    const view = new DataView(data.buffer, data.byteOffset, TRANSFER_BYTES_MAX);
    let at = 0;
    for (const link of (opened.dentry as MemoryLink).children.values()) {
      if (at + ENTRY_HEADER_BYTES + link!.name.length * 3 > TRANSFER_BYTES_MAX) return -Errno.ENOTSUP;
      at += putEntry(data, view, at, 0, mayUnlink(link!) ? 1n : 0n, link!.type, link!.name);
    }
    return at;
  }

  #readLinkAt(directory: OpenFile, path: string): number {
    const target = directory.readLinkAt(path);
    return isFailure(target) ? target : putText(this.mailbox.data, 0, target);
  }

  /** As many entries as fit. Answers how many bytes they take; 0 at the end. */
  #readDirectory(directory: OpenFile): number {
    const cookie = this.#real(Real.offset);
    if (cookie < 0) return -Errno.EINVAL;
    if (directory.type !== FileType.directory) return -Errno.ENOTDIR;
    const { data } = this.mailbox;
    const view = new DataView(data.buffer, data.byteOffset, TRANSFER_BYTES_MAX);
    let at = 0;
    let isWhole = true;
    const failure = directory.readDirectory(cookie, (next, inode, type, name) => {
      // A unit of UTF-16 takes three bytes at most.
      if (at + ENTRY_HEADER_BYTES + name.length * 3 > TRANSFER_BYTES_MAX) {
        isWhole = false;
        return false;
      }
      at += putEntry(data, view, at, next, inode, type, name);
      return true;
    });
    this.mailbox.numbers[Place.flags] = isWhole ? CallFlag.end : 0;
    return failure < 0 ? failure : at;
  }
}

function putEntry(
  data: Uint8Array,
  view: DataView,
  at: number,
  next: number,
  inode: bigint,
  type: FileType,
  name: string,
): number {
  const nameBytes = putText(data, at + ENTRY_HEADER_BYTES, name);
  view.setFloat64(at, next, true);
  view.setBigInt64(at + 8, inode, true);
  view.setUint8(at + 16, type);
  view.setUint16(at + 18, nameBytes, true);
  return ENTRY_HEADER_BYTES + nameBytes;
}

/** Its name can be taken away without a question: nobody else can count on the file, and nothing stands on it. */
function isPlain({ node, mountCount, type }: MemoryLink, ownBit: number): boolean {
  if (type !== FileType.regularFile || mountCount > 0 || node.linkCount !== 1) return false;
  return (node.watchers & ~ownBit) === 0;
}
