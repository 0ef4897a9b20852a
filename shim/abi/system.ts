/**
 * What the shim needs from a runtime, split by family. The shim states it, a runtime provides it: the kernel in
 * the container's own worker, or a client of a kernel elsewhere.
 *
 * Conventions of every function here:
 * - What a guest did wrong is a value: a count or 0 on success, a **negative** `Errno` otherwise. Nothing throws for it.
 * - Offsets and sizes are plain numbers (safe integers, bytes); times are `bigint` nanoseconds since 1970 (may be negative).
 * - Buffers belong to the caller and may lie in shared memory; they are only used during the call.
 * - Paths are strings that were valid UTF-8 without NUL; `name` is one component, `path` may hold many.
 */
import type { Errno } from "./errno.ts";
import type { FileType } from "./filetype.ts";

/** A negative `Errno`. Answered in place of a count, a position or an object. */
export type Failure = number;

/** POSIX `struct stat`, as far as WASI and images can show it. Filled by the callee, reused by the caller. */
export interface Stat {
  device: bigint;
  inode: bigint;
  type: FileType;
  /** Permission bits only, `0o7777`. */
  mode: number;
  uid: number;
  gid: number;
  linkCount: number;
  sizeBytes: number;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

export interface OpenOptions {
  read: boolean;
  write: boolean;
  append: boolean;
  create: boolean;
  exclusive: boolean;
  truncate: boolean;
  /** Fail with ENOTDIR unless it is a directory. */
  directory: boolean;
  nonblock: boolean;
  /** Follow a symbolic link in the last component; else it is ELOOP. */
  followLast: boolean;
  /** Permission bits of a file that is created; the umask is already applied. */
  mode: number;
}

/** What `setTimes` does with one of the two times. */
export type TimeChange = { kind: "keep" } | { kind: "now" } | { kind: "set"; ns: bigint };

/** Receives directory entries. Answers false when it is full: that entry was not taken. */
export type DirEntrySink = (nextCookie: number, inode: bigint, type: FileType, name: string) => boolean;

export type Whence = "set" | "current" | "end";

/** Of an advisory lock: "none" gives it back. */
export type LockKind = "none" | "shared" | "exclusive";

/**
 * An open file description: what several descriptors may share (position and status flags included).
 * The access mode is checked here: EBADF on a read of what was opened for writing only, and so on.
 */
export interface OpenFile {
  readonly type: FileType;
  /** Status flags; `setStatus` changes append and nonblock of a description that is open. */
  readonly append: boolean;
  readonly nonblock: boolean;
  setStatus(append: boolean, nonblock: boolean): number;

  /** Bytes read at the position, which advances; 0 at the end. May block (pipes, stdin) unless `nonblock`. */
  read(target: Uint8Array): number;
  write(source: Uint8Array): number;
  /** At a place, the position untouched. ESPIPE where there are no positions. */
  readAt(target: Uint8Array, offset: number): number;
  writeAt(source: Uint8Array, offset: number): number;
  /** The new position. ESPIPE for streams, EINVAL for a negative position. */
  seek(offset: number, whence: Whence): number;

  stat(into: Stat): number;
  truncate(sizeBytes: number): number;
  /** Makes sure `offset + length` bytes exist, as `posix_fallocate`. */
  allocate(offset: number, length: number): number;
  setTimes(access: TimeChange, modify: TimeChange): number;
  /** Durable when it answers 0. */
  sync(dataOnly: boolean): number;
  /** Entries from `cookie` on (0 is the start), `.` and `..` included. Cookies stay valid while others add and remove. */
  readDirectory(cookie: number, sink: DirEntrySink): number;
  /** Which of `wanted` would not block now. Always-ready files answer `wanted`. */
  readiness(wanted: Readiness): Readiness;
  /** Bytes that can be read without blocking; for a regular file what is left behind the position. */
  readableBytes(): number;
  /** Drops this description. Never fails for the caller's sake; further use is a defect. */
  close(): void;
  /**
   * The advisory lock of this description, as flock(2) has it; gone when it is closed. EAGAIN others have it; where it `wait`s
   * for them, EDEADLK when that would never end; ENOLCK too many. Undefined for what can't be locked.
   */
  lock?(kind: LockKind, wait: boolean): number;
  /** What a terminal can beside that; undefined for everything else. */
  readonly terminal?: Terminal | undefined;

  // Operations relative to an open directory. On anything else: ENOTDIR. A path that leaves the directory through
  // `..`, an absolute path or an absolute link is EPERM where this directory is a capability (see `Preopen`).
  openAt(path: string, options: OpenOptions): OpenFile | Failure;
  statAt(path: string, followLast: boolean, into: Stat): number;
  setTimesAt(path: string, followLast: boolean, access: TimeChange, modify: TimeChange): number;
  makeDirectoryAt(path: string, mode: number): number;
  removeDirectoryAt(path: string): number;
  unlinkAt(path: string): number;
  /** The target of a symbolic link, or a failure: EINVAL for what is none. */
  readLinkAt(path: string): string | Failure;
  makeSymlinkAt(target: string, path: string): number;
  /** `to` is a directory of the same system. EXDEV across mounts. */
  linkAt(path: string, followLast: boolean, to: OpenFile, toPath: string): number;
  renameAt(path: string, to: OpenFile, toPath: string): number;
}

/** Bits: what a poll asks for or answers. */
export const Readiness = { none: 0, read: 1, write: 2, hangup: 4 } as const;
export type Readiness = number;

/** A terminal, as `wpod_tty` shows it. */
export interface Terminal {
  /** In characters, at most 65,535; 0 is unknown. */
  size(): { columns: number; rows: number };
  /** Bits of `wpod_tty.h`. */
  settings(): number;
  /** 0, or EINVAL when a bit means nothing. */
  configure(settings: number): number;
  /** A file that is ready to be read when the size isn't what it was at the last read, or when this was called. */
  openSizeChanges(): OpenFile;
}

/** A directory that a guest finds open at its start, under this name. */
export interface Preopen {
  readonly name: string;
  readonly directory: OpenFile;
}

/** One file that a poll waits for. `ready` is filled in by `wait`. */
export interface PollTarget {
  readonly file: OpenFile;
  readonly wanted: Readiness;
  ready: Readiness;
}

export interface Clocks {
  /** Nanoseconds; the process and thread clocks count CPU time. EINVAL for a clock that is not there. */
  now(clock: ClockName): bigint | Failure;
  resolution(clock: ClockName): bigint | Failure;
}
export type ClockName = "realtime" | "monotonic" | "process-cpu" | "thread-cpu";

export interface Processes {
  /** Blocks until a target is ready or the time is over; `undefined` waits for ever. Answers how many are ready. */
  wait(targets: PollTarget[], timeoutNs: bigint | undefined): number;
  yield(): void;
  /** Ends the calling guest program with this status (0-255). */
  exit(status: number): never;
  /** A signal to oneself: the default action, by name ("SIGABRT"), or ENOSYS/EINVAL. */
  raise(signal: string): number;
}

/** Threads of a program that is one of several. */
export interface Threads {
  /** Starts `wasi_thread_start(tid, startArg)`. Its number, from 1 on; EAGAIN when there are too many. */
  spawn(startArg: number): number;
}

/** A word that the runtime wants with a program between two of its calls. */
export interface Attention {
  /** Slot 0 isn't 0: wanted. Set by another thread. */
  readonly wanted: Int32Array;
  /** Host code of a call is on the stack: whoever interrupts the program now has to leave it to the end of the call. */
  inHost: boolean;
  /** Open files of the program: others may come to stand in their place. Set before its first call. */
  files: FileExchange | undefined;
  attend(): void;
}

export interface FileExchange {
  /** Asks for each open file, once; what several descriptors share stays shared. */
  exchange(replace: (file: OpenFile) => OpenFile): void;
}

/** What one guest program sees of its runtime. */
export interface System {
  readonly args: readonly string[];
  /** `NAME=value`, in order. */
  readonly environ: readonly string[];
  readonly stdio: readonly [OpenFile, OpenFile, OpenFile];
  readonly preopens: readonly Preopen[];
  readonly clocks: Clocks;
  readonly processes: Processes;
  /** Undefined where a program has one thread. */
  readonly threads?: Threads | undefined;
  /** Undefined where nobody else has a say. */
  readonly attention?: Attention | undefined;
  /** Told of the program's memory before it runs; where buffers of calls lie. */
  memoryReady?(memory: WebAssembly.Memory): void;
  /** Fills with bytes that can't be guessed. */
  random(target: Uint8Array): void;
  /** A new pipe; ENFILE when there are too many. Undefined where there are none. */
  readonly openPipe?: (() => PipeFiles | Failure) | undefined;
  /** Undefined where nobody counts. */
  readonly openFiles?: OpenFileCount | undefined;
  /** The same. */
  readonly fileTraffic?: FileTraffic | undefined;
}

/** The files that all programs of a container have open, beyond what each finds open. */
export interface OpenFileCount {
  /** What `take` would answer now. */
  readonly refusal: Errno;
  /** One more. ENFILE, and nothing taken, when there are as many as may be; ENOMEM when there is no memory for it. */
  take(): Errno;
  give(): void;
}

/** What a program has read from regular files and written to them: told after each operation. Who moved too much waits in there. */
export interface FileTraffic {
  read(bytes: number): void;
  wrote(bytes: number): void;
}

/** The two ends of a pipe. */
export interface PipeFiles {
  readonly reader: OpenFile;
  readonly writer: OpenFile;
}

/** Reads immutable bytes at a place: a layer blob, for the tree that stands over it. */
export interface BlobReader {
  readonly sizeBytes: number;
  /** Count of bytes read, short only at the end of the blob; a negative `Errno` (EIO) when the host fails. */
  read(target: Uint8Array, offset: number): number;
}

export function isFailure<T extends object | string | bigint>(value: T | Failure): value is Failure {
  return typeof value === "number";
}
