/**
 * Calls that a client makes to a kernel: those of `OpenFile`, with handles in place of objects.
 *
 * A handle is a number that the client chooses; it names an open file of this client. Numbers and reals of a call stand at
 * the places that `Number` and `Real` give; paths stand at the start of the data, one behind the other, and content behind
 * them. Answers are counts or 0, or negative errno values.
 */
import type { FileType } from "../../../shim/abi/filetype.ts";
import type { OpenOptions, Stat, TimeChange } from "../../../shim/abi/system.ts";
import type { Mailbox } from "../ipc/mailbox.ts";

export const Operation = {
  /** Is this client there? Waits until it is. */
  join: 0,
  close: 1,
  read: 2,
  write: 3,
  seek: 4,
  stat: 5,
  truncate: 6,
  allocate: 7,
  setTimes: 8,
  sync: 9,
  readDirectory: 10,
  readiness: 11,
  readableBytes: 12,
  setStatus: 13,
  openAt: 14,
  statAt: 15,
  setTimesAt: 16,
  makeDirectoryAt: 17,
  removeDirectoryAt: 18,
  unlinkAt: 19,
  readLinkAt: 20,
  makeSymlinkAt: 21,
  linkAt: 22,
  renameAt: 23,
  /** Its kind stands where a mode would. */
  lock: 32,
  /** The reading end gets the first handle, the writing end the other one. */
  pipe: 33,
  /** A regular file that is open, once more, as a description of its own. */
  reopen: 34,
  /** A directory is leased to this client: it gets a handle for it, and its names. */
  lease: 24,
  /** Where chunks of an open file are in shared memory: from the one at an offset on. */
  map: 25,
} as const;

/** Handles that a client keeps for itself, beside what its program has open: files that may be opened again, and leases. */
export const KEPT_HANDLES_MAX = 256;

/** Places among the numbers of a mailbox. */
export const Place = {
  handle: 0,
  /** Of a second directory; or the one that an opened file gets. */
  otherHandle: 1,
  flags: 2,
  pathBytes: 3,
  otherPathBytes: 4,
  dataBytes: 5,
  mode: 6,
  /** Answers: what was opened. */
  type: 7,
  /** Answers: which standard stream of the client's own was opened; else -1. */
  alias: 8,
  /** Answers: the view under which this may be kept; -1 when it may not. */
  view: 9,
  /** Answers: where an image layer has the content, which is as it was; -1 when none has. */
  layer: 10,
} as const;

/** Whether an answer says that a file may be written by posts. */
export const NO_VIEW = -1;

/** Places among the reals. */
export const Real = {
  offset: 0,
  length: 1,
  stat: 2,
  /** What is set aside for posted calls. */
  creditBytes: 10,
  creditInodes: 11,
  /** Where a layer has a file's content. */
  layerOffset: 12,
} as const;

/** What a posted write of so many bytes uses up of the credit, at most: a chunk that stands alone costs a page. */
export function creditOf(sizeBytes: number): number {
  return sizeBytes + 2 * 4096;
}

/** The position of the open file itself: for streams, which have none. */
export const NO_OFFSET = -1;

export const CallFlag = {
  followLast: 1,
  dataOnly: 2,
  append: 4,
  nonblock: 8,
  /** Tell this client's bell when that may have changed. */
  wait: 16,
  end: 32,
  current: 64,
  /** Of `lease`: it is held already, and wants more set aside. */
  refill: 128,
} as const;

const OpenBit = {
  read: 1,
  write: 2,
  append: 4,
  create: 8,
  exclusive: 16,
  truncate: 32,
  directory: 64,
  nonblock: 128,
  followLast: 256,
  post: 512,
} as const;

/** Among the flags of `openAt` and `write`: the client would write by posts. */
export const POST_WANTED = OpenBit.post;

export function packOpenFlags(options: OpenOptions): number {
  return (
    (options.read ? OpenBit.read : 0) |
    (options.write ? OpenBit.write : 0) |
    (options.append ? OpenBit.append : 0) |
    (options.create ? OpenBit.create : 0) |
    (options.exclusive ? OpenBit.exclusive : 0) |
    (options.truncate ? OpenBit.truncate : 0) |
    (options.directory ? OpenBit.directory : 0) |
    (options.nonblock ? OpenBit.nonblock : 0) |
    (options.followLast ? OpenBit.followLast : 0)
  );
}

export function unpackOpenFlags(flags: number, mode: number): OpenOptions {
  return {
    read: (flags & OpenBit.read) !== 0,
    write: (flags & OpenBit.write) !== 0,
    append: (flags & OpenBit.append) !== 0,
    create: (flags & OpenBit.create) !== 0,
    exclusive: (flags & OpenBit.exclusive) !== 0,
    truncate: (flags & OpenBit.truncate) !== 0,
    directory: (flags & OpenBit.directory) !== 0,
    nonblock: (flags & OpenBit.nonblock) !== 0,
    followLast: (flags & OpenBit.followLast) !== 0,
    mode,
  };
}

/** Attributes, as an answer holds them. */
export function putStat(mailbox: Mailbox, stat: Stat): void {
  const { reals, longs } = mailbox;
  reals[Real.stat] = Number(stat.device);
  reals[Real.stat + 1] = stat.type;
  reals[Real.stat + 2] = stat.mode;
  reals[Real.stat + 3] = stat.uid;
  reals[Real.stat + 4] = stat.gid;
  reals[Real.stat + 5] = stat.linkCount;
  reals[Real.stat + 6] = stat.sizeBytes;
  longs[0] = stat.atimeNs;
  longs[1] = stat.mtimeNs;
  longs[2] = stat.ctimeNs;
  longs[3] = stat.inode;
}

export function takeStat(mailbox: Mailbox, into: Stat): void {
  const { reals, longs } = mailbox;
  into.device = BigInt(reals[Real.stat]!);
  into.inode = longs[3]!;
  into.type = reals[Real.stat + 1]! as FileType;
  into.mode = reals[Real.stat + 2]!;
  into.uid = reals[Real.stat + 3]!;
  into.gid = reals[Real.stat + 4]!;
  into.linkCount = reals[Real.stat + 5]!;
  into.sizeBytes = reals[Real.stat + 6]!;
  into.atimeNs = longs[0]!;
  into.mtimeNs = longs[1]!;
  into.ctimeNs = longs[2]!;
}

const TIME_KINDS = ["keep", "now", "set"] as const;
const ACCESS_LONG = 0;
const MODIFY_LONG = 1;
const KIND_BITS = 8;
const KIND_MASK = 3;
/** Where the two kinds stand among the flags. */
const KIND_SHIFT = 16;

/** Answers the bits that go among the flags. */
export function putTimeChanges(mailbox: Mailbox, access: TimeChange, modify: TimeChange): number {
  mailbox.longs[ACCESS_LONG] = access.kind === "set" ? access.ns : 0n;
  mailbox.longs[MODIFY_LONG] = modify.kind === "set" ? modify.ns : 0n;
  const kinds = TIME_KINDS.indexOf(access.kind) | (TIME_KINDS.indexOf(modify.kind) << KIND_BITS);
  return kinds << KIND_SHIFT;
}

export function takeTimeChanges(mailbox: Mailbox, flags: number): [access: TimeChange, modify: TimeChange] {
  const kinds = flags >>> KIND_SHIFT;
  return [
    timeChange(kinds & KIND_MASK, mailbox.longs[ACCESS_LONG]!),
    timeChange((kinds >>> KIND_BITS) & KIND_MASK, mailbox.longs[MODIFY_LONG]!),
  ];
}

function timeChange(kind: number, ns: bigint): TimeChange {
  return kind === 2 ? { kind: "set", ns } : { kind: kind === 1 ? "now" : "keep" };
}

/** One chunk of an answer to `map`, as `Int32`s: which arena, and where in it. */
export const MAPPED_NUMBERS = 2;
/** Chunks that one answer tells of. */
export const MAPPED_CHUNKS_MAX = 64;

/** One directory entry: cookie and inode (f64, i64), type and length of the name (u8, u16), the name. */
export const ENTRY_HEADER_BYTES = 24;
