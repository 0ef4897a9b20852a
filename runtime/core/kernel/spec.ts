/**
 * What the engine's thread posts to a container's worker, and what comes back. Structured clones only; shared memory
 * and modules go by reference.
 */
import type { LogLimitsSpec } from "../log/limits.ts";
import type { TerminalBuffers } from "../terminal/control-block.ts";
import type { FileSystemState } from "../vfs/snapshot.ts";

/** One layer of the image, lowest first: two files of the store. */
export interface LayerFiles {
  tarPath: string;
  indexPath: string;
}

export interface MountPlan {
  kind: "bind" | "tmpfs";
  /** bind: absolute path of the host. */
  source: string;
  target: string;
  readOnly: boolean;
  sizeBytesMax: number;
  mode: number;
}

/** The files of a container: the same description gives the same tree in any thread. */
export interface FilesSpec {
  layers: LayerFiles[];
  /** What the root file system holds already; undefined: what its layers say. */
  snapshot: FileSystemState | undefined;
  /** Directories that are there even when no layer has them. */
  folders: { path: string; mode: number }[];
  mounts: MountPlan[];
  etcFiles: { path: string; content: string }[];
  readOnly: boolean;
  diskBytesMax: number;
  inodesMax: number;
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
  | { kind: "kernel"; gate: SharedArrayBuffer; client: number; mailbox: SharedArrayBuffer };

export interface StartMessage {
  kind: "start";
  module: WebAssembly.Module;
  place: TreePlace;
  process: ProcessSpec;
  stdio: [StreamSpec, StreamSpec, StreamSpec];
  /** What all three are instead, when it has a terminal. */
  terminal: TerminalBuffers | undefined;
  /** Rung by whoever feeds or empties a ring. */
  bell: SharedArrayBuffer;
  log: { path: string; limits: LogLimitsSpec } | undefined;
  /** Send the writable layer back at the end. */
  keepFiles: boolean;
}

/** How a program ended. */
export type Outcome =
  | { kind: "exit"; status: number }
  | { kind: "signal"; signal: string }
  | { kind: "trap"; message: string }
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
}

/** Sent when the program is about to run. */
export interface StartedMessage {
  kind: "started";
}

export type WorkerMessage = StartedMessage | ExitMessage;
