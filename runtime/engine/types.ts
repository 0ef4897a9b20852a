/**
 * The shapes of the public API. Sizes in bytes, times in milliseconds, unless the name says otherwise.
 * Every function that answers a promise rejects with a `WpodError`; its `code` is stable.
 */
import type { Readable, Writable } from "node:stream";
import type { ImageConfig } from "../core/image/config.ts";
import type { ImageRecord } from "../core/image/record.ts";
import type { ContainerUsage } from "../core/quota/container-usage.ts";
import type { TerminalSize } from "../core/terminal/control-block.ts";
import type { CpuControl } from "./thread-pauses.ts";

export interface EngineOptions {
  /** Where images and records are kept; made (mode 0700) when it isn't there. Default: `$WPOD_ROOT`, else the platform's data directory. */
  root?: string;
  /** What hosts the containers. "cli": a foreground `wpod run`, which another command may end. Default: "library". */
  hostKind?: "cli" | "library";
  /**
   * Where the files of a container are while it runs. "worker": in its program's own thread, as long as that is its only one.
   * "kernel": in a thread that serves all programs, from the start. Default: `$WPOD_PLACEMENT`, else "worker".
   */
  placement?: Placement;
  /**
   * How programs are made to wait that have used more CPU time than they may. "interrupt": by V8's inspector, at no cost to them.
   * "metering": their code is rewritten to count its work, and is a tenth slower. Default: `$WPOD_CPU_CONTROL`, else
   * "interrupt", where this process may inspect its threads.
   */
  cpuControl?: CpuControl;
  /** What all of its containers may use together. */
  limits?: GroupLimits;
  /**
   * Makes loops fast that run for long in one call of a program, by rewriting it. false: for a comparison, or where V8 is told to
   * use its best compiler alone. Default: `$WPOD_REENTRY` ("on" or "off"), else true.
   */
  reentry?: boolean;
  /** Of containers whose options don't say. */
  isolation?: RunOptions["isolation"];
}

export type Placement = "worker" | "kernel";

/**
 * What to run:
 * - a name in the store: `hello`, `hello:1.0`, `localhost/a/b:tag`, `name@sha256:...`, an id or a unique prefix of one;
 * - `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`: loaded into the store under its digest, then run;
 * - a path that begins with `/`, `./` or `../`, or ends in `.wasm`: a module without an image;
 * - `{ wasm }`: the bytes of a module.
 */
export type ImageSource = string | { readonly wasm: Uint8Array; readonly name?: string };

export interface MountSpec {
  type: "bind" | "tmpfs" | "volume";
  /** bind: an absolute path of the host; volume: its name, or nothing for one without. It is made when it isn't there. */
  source?: string;
  /** Absolute path in the container. */
  target: string;
  readOnly?: boolean;
  /** tmpfs: bytes and inodes it may hold (default 64 MiB, and as many as the writable layer), and permission bits of its root (default 0o1777). */
  sizeBytesMax?: number;
  inodesMax?: number;
  mode?: number;
  /** volume: when it is empty, leave it so. Default: it gets what the image has at that place. */
  noCopy?: boolean;
}

export interface Limits {
  /**
   * Bound on the linear memory of all its programs, what its tmpfs hold, its pipes, its open files (1 KiB each), inodes beyond the first
   * thousand of a tree (1 KiB each) and, once several threads have its files, the way of each to them (649 KiB, of a program with threads
   * 137 KiB) together, exact to the page of 64 KiB. Files that are on disk too are in memory as far as there is some left. Default: 4 GiB; a
   * program that takes more than that is ended.
   */
  memoryBytesMax?: number;
  /**
   * What it reserves of the memory and the CPUs that the user's containers may have together, where the configuration file says how much
   * that is: as long as that isn't there it waits, or is refused. Default: what it is limited to; nothing, without a limit.
   */
  memoryReservationBytes?: number;
  cpuReservation?: number;
  /**
   * CPU time of all its threads together, as cores' worth: 0.5 is half of one. Who has used more waits, at most two periods at a time.
   * From 0.01; default: no limit.
   */
  cpus?: number;
  /** In milliseconds, 1 to 1000: what isn't used in a period is lost with it. Default: 100. */
  cpuPeriodMs?: number;
  /** Its weight, where the containers of a group (or of the engine) want more CPU time together than they may have: 2 to 262144. Default: 1024. */
  cpuShares?: number;
  /** CPU time of all its threads, altogether: who has used it is killed, exit 137. Default: no limit. */
  cpuTimeMs?: number;
  /**
   * Bytes a second that all its programs together may read from files and write to them, and operations a second; not of pipes, streams and
   * devices. Who has done more waits. 0 and the default: no limit.
   */
  readBps?: number;
  writeBps?: number;
  readIops?: number;
  writeIops?: number;
  /** Bytes and inodes that the writable layer may hold; a target of a symbolic link of more than 60 bytes counts too. */
  diskBytesMax?: number;
  inodesMax?: number;
  /** Its log: bytes of a file, from 32 KiB on, and how many files, the one that is written included (1 to 100). Default: 3 of 10 MiB. */
  logFileBytesMax?: number;
  logFilesMax?: number;
  /** Bytes a second that its log takes; 0 is no limit. Default: 64 MiB. */
  logBps?: number;
  /** What becomes of a program that prints more: it waits, or what is too much isn't in the log. Default: "blocking". */
  logMode?: "blocking" | "non-blocking";
  /** Programs and their threads (`wasi-threads`) at a time: a program that is asked for always begins, and its threads may not. Default: 128. */
  threadsMax?: number;
  /** Of each program: descriptors that it may have open, at most 65536; and how long it may make a file (EFBIG). Default: 1024; as long as a file can be. */
  descriptorsMax?: number;
  fileBytesMax?: number;
  /** Advisory locks held at a time in each of its file systems, at most 16384, which is the default. */
  locksMax?: number;
  /** Bytes of each stream that a result collects; what is over that is dropped. */
  outputBytesMax?: number;
}

export type { ContainerUsage };

/** Of several containers together: `memoryBytesMax` has no default here. */
export type GroupLimits = Pick<Limits, "cpus" | "cpuShares" | "memoryBytesMax">;

/** Containers that have limits together, as those of a pod; each may have its own beside them. */
export interface ResourceGroup {
  /** What isn't named stays as it is. Throws USAGE. */
  update(limits: GroupLimits): void;
  stats(): { memory: MemoryStats };
}

/**
 * Where a stream of the guest goes: collected into the result, to the stream of this process, nowhere, or to a stream or function.
 * What a function throws ends that stream for the guest (EPIPE), and the run rejects with it when the guest has ended.
 */
export type OutputTarget =
  | "collect"
  | "inherit"
  | "ignore"
  | Writable
  | ((chunk: Uint8Array) => void | Promise<void>);
/** Where the guest's input comes from. Default: empty. */
export type InputSource = "inherit" | "ignore" | string | Uint8Array | Readable | AsyncIterable<Uint8Array>;

export interface RunOptions {
  /** In place of the image's CMD; follows its ENTRYPOINT. */
  args?: readonly string[];
  /** In place of the image's ENTRYPOINT (and then its CMD is not used); `[]` or `[""]` clears it. */
  entrypoint?: readonly string[];
  /** Over the image's ENV. */
  env?: Readonly<Record<string, string>>;
  /** Neither the image's ENV nor the defaults (PATH, HOME, HOSTNAME, container). */
  unsetEnvAll?: boolean;
  workdir?: string;
  /** `name|uid[:group|gid]`. */
  user?: string;
  mounts?: readonly MountSpec[];
  limits?: Limits;
  /** Of the same engine: `engine.group`. */
  group?: ResourceGroup;
  readOnly?: boolean;
  stdin?: InputSource;
  stdout?: OutputTarget;
  stderr?: OutputTarget;
  /**
   * Give it a terminal: standard output and error are one stream, `stdout`, and input goes through a line discipline, where
   * ^C and ^\\ are signals. `true` takes the size of this process's terminal when a stream is "inherit", else 80 x 24; with
   * stdin "inherit" that terminal is raw until the end. The variables TERM, COLUMNS and LINES are set. Default: none.
   */
  tty?: boolean | TerminalSize;
  /** Ends the guest at once; the promise then rejects with code ABORTED. */
  signal?: AbortSignal;
  /** Kills after this long: exit 137. */
  timeoutMs?: number;
  name?: string;
  hostname?: string;
  /** `host:address` lines for `/etc/hosts`. */
  addHosts?: readonly string[];
  labels?: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
  platform?: string;
  stopSignal?: string;
  network?: "none";
  /**
   * Where it runs. "process": in a child under Node's permission model, which may open only wpod, the store and the mounts; defence in
   * depth, no boundary. UNSUPPORTED then: `create`, `tty`, and of the container `exec`, `files`, `resize` and `remove`. Default: "default",
   * threads of this process.
   */
  isolation?: "default" | "process";
  /** Drop the record at the end. Default: true in `run`, false in `create`. */
  remove?: boolean;
  /** Told what works otherwise than asked, in a sentence. */
  onWarning?: (message: string) => void;
  /** Keep the files for `files()` after its end. Default: true. */
  keepFiles?: boolean;
  /** Keep what it prints for `logs`. Default: the opposite of `remove`. */
  log?: boolean;
}

export type ContainerStatus = "created" | "running" | "exited";

export interface ExitState {
  /** 0-255; 128+n for a signal. */
  exitCode: number;
  /** It died of its memory limit. */
  oomKilled: boolean;
  /** Why it ended when it wasn't by its own `exit`: "trap: unreachable", "timeout", "SIGTERM", ... */
  reason: string | undefined;
}

export interface RunResult extends ExitState {
  /** What was collected; empty for streams that went elsewhere. */
  stdout: Uint8Array;
  stderr: Uint8Array;
  /** A stream was longer than what is collected. */
  truncated: boolean;
  container: Container;
}

/** A second program in a running container: what isn't said is as for its first. */
export interface ExecOptions {
  /** Over the container's. */
  env?: Readonly<Record<string, string>>;
  workdir?: string;
  user?: string;
  stdin?: InputSource;
  stdout?: OutputTarget;
  stderr?: OutputTarget;
  /** As `RunOptions.tty`: a terminal of its own, whatever the first program has. */
  tty?: boolean | TerminalSize;
  /** Told when its program is about to run. */
  onStart?: (program: ExecProgram) => void;
  /** Ends it at once; the promise then rejects with code ABORTED. */
  signal?: AbortSignal;
  /** Kills it after this long: exit 137. */
  timeoutMs?: number;
  /** Bytes of each stream that the result collects. */
  outputBytesMax?: number;
}

/** A second program, while it runs. */
export interface ExecProgram {
  /** Another size for its terminal. Throws CONTAINER_STATE when it has none or has ended, USAGE for a size that none has. */
  resize(columns: number, rows: number): void;
}

export interface ExecResult extends ExitState {
  stdout: Uint8Array;
  stderr: Uint8Array;
  truncated: boolean;
}

/** The `node:fs` API of a container's files: memfs's `Volume` over the container's own tree. */
export type ContainerFiles = import("memfs").Volume;

export interface Container {
  /** 64 lower-case hex digits. */
  readonly id: string;
  readonly name: string;
  status(): ContainerStatus;
  /** Starts it; answers when the guest's program runs. */
  start(): Promise<void>;
  /**
   * Runs a second program in it, beside the first: the same files and limits. It ends when the container does.
   * Rejects with CONTAINER_STATE when the container doesn't run, and with what is wrong with the program.
   */
  exec(command: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** When it has ended. */
  wait(): Promise<RunResult>;
  /** SIGKILL ends it at once; others do what their default action is for a guest without handlers. Default SIGTERM. */
  kill(signal?: string): Promise<void>;
  /** Another size for its terminal. CONTAINER_STATE when it doesn't run, or has none. */
  resize(columns: number, rows: number): Promise<void>;
  /** Its files, before it starts or after it ended; rejects with CONTAINER_RUNNING in between. */
  files(): Promise<ContainerFiles>;
  inspect(): ContainerInfo;
  /** What it uses now, and how it met its limits; rejects with CONTAINER_STATE when it doesn't run. */
  stats(): Promise<ContainerUsage>;
  /** Other limits from now on; what isn't named stays as it is. Rejects with what is wrong with them, and then nothing has changed. */
  update(limits: Limits): Promise<void>;
  /** Frees its files and its record. A running one is refused without `force`. */
  remove(options?: { force?: boolean }): Promise<void>;
}

/** See `Limits.memoryBytesMax` for what counts. */
export interface MemoryStats {
  usedBytes: number;
  peakBytes: number;
  limitBytes: number;
}

/** A record of the state database: what `ps`, `inspect` and `rm` see, also of containers of other processes. */
export interface ContainerInfo extends ExitState {
  id: string;
  name: string;
  /** As it was given. */
  image: string;
  imageId: string;
  status: ContainerStatus;
  createdMs: number;
  startedMs: number | undefined;
  finishedMs: number | undefined;
  /** Process that hosts it; 0 when it doesn't run. */
  pid: number;
  path: string;
  args: readonly string[];
  env: readonly string[];
  workdir: string;
  user: string;
  hostname: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  mounts: readonly MountSpec[];
  limits: Limits;
  readOnly: boolean;
  autoRemove: boolean;
  entrypoint: readonly string[];
  command: readonly string[];
  stopSignal: string;
  platform: string;
  network: string;
  logPath: string | undefined;
  /** It has a terminal. */
  tty: boolean;
}

export interface LogLine {
  timeNs: bigint;
  stream: "stdout" | "stderr";
  /** Without its newline when `partial` is false. */
  bytes: Uint8Array;
  partial: boolean;
}

export interface Containers {
  list(filter?: { all?: boolean }): Promise<ContainerInfo[]>;
  /** By id, unique prefix of an id, or name. CONTAINER_NOT_FOUND otherwise. */
  get(reference: string): Promise<ContainerInfo>;
  /** What one uses now, whichever process runs it. CONTAINER_STATE when it doesn't run, or its process doesn't answer. */
  stats(reference: string): Promise<ContainerUsage>;
  /** Other limits for one, from now on or for its next start; what isn't named stays. Answers its id. USAGE, UNSUPPORTED, CONTAINER_STATE */
  update(reference: string, limits: Limits): Promise<string>;
  /** @param options volumes: also those of its volumes that have no name of their own */
  remove(reference: string, options?: { force?: boolean; volumes?: boolean }): Promise<string>;
  logs(
    reference: string,
    options?: { follow?: boolean; tail?: number; sinceNs?: bigint; untilNs?: bigint },
  ): AsyncIterable<LogLine>;
}

/** What the store knows of an image. `id` is the digest of its config, `tags` are its names as `name:tag`. */
export type ImageInfo = ImageRecord;
export type { ImageConfig, TerminalSize };

export interface Images {
  /** What `wpod load -i` takes: an oci-archive, a docker-archive, each also compressed, or an OCI layout directory. Answers the loaded images. */
  load(path: string, options?: { platform?: string; signal?: AbortSignal }): Promise<ImageInfo[]>;
  /** One layer from a tar (also compressed), or one module. */
  import(path: string, name: string, options?: { signal?: AbortSignal }): Promise<ImageInfo>;
  list(): Promise<ImageInfo[]>;
  get(reference: string): Promise<ImageInfo>;
  tag(reference: string, name: string): Promise<void>;
  /** What went: names untagged, ids deleted. IMAGE_IN_USE without `force` when a container uses it. */
  remove(
    reference: string,
    options?: { force?: boolean },
  ): Promise<{ untagged: string[]; deleted: string[] }>;
}

/** A named volume. */
export interface VolumeInfo {
  name: string;
  createdMs: number;
  labels: Readonly<Record<string, string>>;
  options: Readonly<Record<string, string>>;
  /** Nobody chose the name. */
  anonymous: boolean;
  /** The folder that its files are kept in, in wpod's own format; it may not be there yet. */
  path: string;
  /** Ids of the containers that have it among their mounts, running or not. */
  containers: readonly string[];
}

export interface Volumes {
  /**
   * Without a name it gets 64 digits. Its options can be `size` ("64m") and `inodes`: what it may hold. VOLUME_EXISTS when there is one of that
   * name; USAGE or UNSUPPORTED for other options.
   */
  create(options?: {
    name?: string;
    labels?: Readonly<Record<string, string>>;
    options?: Readonly<Record<string, string>>;
  }): Promise<VolumeInfo>;
  /** By name. */
  list(): Promise<VolumeInfo[]>;
  /** VOLUME_NOT_FOUND */
  get(name: string): Promise<VolumeInfo>;
  /** VOLUME_NOT_FOUND; VOLUME_IN_USE while a container has it, running or not. */
  remove(name: string): Promise<void>;
  /** Removes what no container has: of the volumes without a chosen name, or of all. */
  prune(options?: {
    all?: boolean;
    filter?: (volume: VolumeInfo) => boolean;
  }): Promise<{ removed: string[]; reclaimedBytes: number }>;
}

export interface EngineInfo {
  version: string;
  root: string;
  node: string;
  platform: string;
  images: number;
  containers: { created: number; running: number; exited: number };
  /** How programs are held to `cpus`. */
  cpuControl: CpuControl;
}
