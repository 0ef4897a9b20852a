/**
 * What the engine's thread posts to a container's worker, and what comes back. Structured clones only; shared memory
 * and modules go by reference.
 */
import type { FileType } from "../../../shim/abi/filetype.ts";
import type { LogLimitsSpec } from "../log/limits.ts";
import type { AccountSpec } from "../quota/memory-account.ts";
import type { OpenFileLedgerSpec } from "../quota/open-file-ledger.ts";
import type { TerminalBuffers } from "../terminal/control-block.ts";
import type { FileSystemState } from "../vfs/snapshot.ts";
import type { MemoryType } from "../wasm/memory-type.ts";

/** One layer of the image, lowest first: two files of the store. */
export interface LayerFiles {
  tarPath: string;
  indexPath: string;
}

export interface MountPlan {
  kind: "bind" | "tmpfs" | "volume";
  /** bind: absolute path of the host; volume: its name. */
  source: string;
  target: string;
  readOnly: boolean;
  sizeBytesMax: number;
  mode: number;
  /** Of a volume: where it is. */
  keep?: KeepPlan | undefined;
  /**
   * What becomes of a volume that is empty: it gets what the image has there ("copy"), or stays so ("leave"). "look": the image
   * is seen in its place, by who only looks, and writes nothing.
   */
  whenEmpty?: "copy" | "leave" | "look" | undefined;
}

/** Where a file system is that doesn't fit into memory, or is to last. */
export type KeepPlan =
  /** A folder of its own: it lasts. `identity` names the layers below. */
  | { kind: "folder"; path: string; identity: string; residentBytesMax: number }
  /** A file that is made when memory is full; who made the plan removes it. */
  | { kind: "spill"; folder: string; name: string; residentBytesMax: number };

/** The files of a container: the same description gives the same tree in any thread. */
export interface FilesSpec {
  layers: LayerFiles[];
  /** What the root file system holds already; undefined: what its layers say. */
  snapshot: FileSystemState | undefined;
  /** How the root file system is kept; undefined: in memory. */
  keep?: KeepPlan | undefined;
  /** Directories that are there even when no layer has them. */
  folders: { path: string; mode: number }[];
  mounts: MountPlan[];
  etcFiles: { path: string; content: string }[];
  readOnly: boolean;
  diskBytesMax: number;
  inodesMax: number;
  /** What of their contents is in memory is charged to it; undefined: to nobody. */
  memoryAccount?: AccountSpec | undefined;
}

/** Where one of the three standard streams goes, seen from the worker. */
export type StreamSpec =
  | { kind: "null" }
  | { kind: "bytes"; bytes: Uint8Array }
  | { kind: "ring"; buffer: SharedArrayBuffer }
  | { kind: "descriptor"; fd: number };

export interface ProcessSpec {
  argv: string[];
  env: string[];
  credentials: { uid: number; gid: number; groups: number[]; umask: number };
  /** Directories that the program finds open: the name it sees, the path in the container. */
  preopens: { name: string; path: string }[];
  descriptorsMax: number;
}

/** Where a program's files are: in its own thread, or with a kernel, whose client it then is. */
export type TreePlace =
  | { kind: "here"; files: FilesSpec }
  | {
      kind: "kernel";
      gate: SharedArrayBuffer;
      client: number;
      mailbox: SharedArrayBuffer;
      /** Of its files' image: what nobody changed is read here. */
      layers: readonly LayerFiles[];
      /** A message port, where `ArenaMessage`s come; undefined: there is none. */
      arenas: object | undefined;
    };

export type KernelPlace = Extract<TreePlace, { kind: "kernel" }>;

/** What the threads of one program share, beside their memory and their kernel. */
export interface ThreadsSpec {
  /** Of `SharedHandles`. */
  handles: SharedArrayBuffer;
  /** Of `createDescriptorRecords`, for `descriptorsMax` descriptors. */
  descriptors: SharedArrayBuffer;
  /** Its standard streams, which are at the kernel. */
  stdio: readonly [SharedStreamSpec, SharedStreamSpec, SharedStreamSpec];
  /** Not the first thread: what `wasi_thread_start` gets. */
  thread: ThreadSpec | undefined;
}

export interface SharedStreamSpec {
  type: FileType;
  /** Nobody rings when there is room again. */
  needsTime: boolean;
}

export interface ThreadSpec {
  id: number;
  startArg: number;
}

/** Standard streams, and what sees all that is written to them. */
export interface StandardStreams {
  stdio: [StreamSpec, StreamSpec, StreamSpec];
  /** What all three are instead, when it has a terminal. */
  terminal: TerminalBuffers | undefined;
  log: { path: string; limits: LogLimitsSpec } | undefined;
}

export interface StartMessage extends StandardStreams {
  kind: "start";
  module: WebAssembly.Module;
  /** What the module imports as its memory: a shared one, or how large the thread makes its own. */
  memory?: WebAssembly.Memory | MemoryType | undefined;
  /** Undefined: nobody counts them. */
  openFiles?: OpenFileLedgerSpec | undefined;
  /** What its linear memory is charged to. */
  memoryAccount?: AccountSpec | undefined;
  /** Its module was rewritten, and asks before its memory grows. */
  memoryWatched?: boolean;
  /** Undefined for a program that can't have threads. */
  threads?: ThreadsSpec | undefined;
  place: TreePlace;
  process: ProcessSpec;
  /** Rung by whoever feeds or empties a ring. */
  bell: SharedArrayBuffer;
  /** An `Int32`: not 0 when a `RecallMessage` waits. */
  recall: SharedArrayBuffer;
  /** An `Int32` that its threads wait on when they have used too much CPU time: not 0 when they don't have to any more. */
  pause: SharedArrayBuffer;
  /** Where its module's own instructions wait, as offsets in the module that it was compiled from. */
  waitOffsets: readonly number[];
  /** Send the writable layer back at the end. */
  keepFiles: boolean;
  /** Its thread may take another program when this one has ended cleanly. */
  isReusable: boolean;
}

/** The files are to move to this kernel: what to write down is sent through `port`. */
export interface RecallMessage<Port> {
  kind: "recall";
  gate: SharedArrayBuffer;
  client: number;
  mailbox: SharedArrayBuffer;
  port: Port;
}

/** The program is about to be ended: what lasts of its files is to be written. `done` is an `Int32`, set to 1 and notified. */
export interface FlushMessage {
  kind: "flush";
  done: SharedArrayBuffer;
}

/** How a program ended. */
export type Outcome =
  | { kind: "exit"; status: number }
  | { kind: "signal"; signal: string }
  | { kind: "trap"; message: string }
  /** It took more memory than its container has. */
  | { kind: "memory" }
  /** It wants functions that wpod doesn't have. It did not run. */
  | { kind: "imports"; missing: { module: string; name: string }[] }
  /** A defect of ours. */
  | { kind: "defect"; message: string };

export interface ExitMessage {
  kind: "exit";
  outcome: Outcome;
  /** The last thing that it asked of memory was refused. */
  memoryRefused: boolean;
  snapshot: FileSystemState | undefined;
  /** An `IdleMessage` follows. */
  rests: boolean;
}

/** Nothing of the program is left in its thread, which waits for another `StartMessage`. */
export interface IdleMessage {
  kind: "idle";
}

/** Sent when the program is about to run. */
export interface StartedMessage {
  kind: "started";
}

/** A thread asks for another one, and waits for the answer in shared memory: one `Int32`, 0 until then. */
export interface SpawnMessage {
  kind: "spawn";
  startArg: number;
  answer: SharedArrayBuffer;
}

/** A thread's function has returned. Its worker waits for another `ThreadSpec`. */
export interface ThreadEndMessage {
  kind: "thread-end";
}

export type WorkerMessage = StartedMessage | ExitMessage | IdleMessage | SpawnMessage | ThreadEndMessage;
