/**
 * What the engine's thread asks of the kernel's thread, by messages; it knocks at the gate as `CONTROL_CLIENT` after each.
 * Calls of programs go through mailboxes instead.
 */
import type { ErrorCode } from "../error.ts";
import type { Credentials } from "../vfs/credentials.ts";
import type { FileSystemState } from "../vfs/snapshot.ts";
import type { FilesSpec, StandardStreams } from "./spec.ts";

/** The bit of the gate that stands for messages. */
export const CONTROL_CLIENT = 0;

/** What its thread is started with. */
export interface KernelData {
  gate: SharedArrayBuffer;
  /** Of `WorkClock`. */
  worked: SharedArrayBuffer;
}

/** Global of a program's thread: a function that looks whether the engine wants something. Called by an interrupt. */
export const ATTEND = Symbol.for("wpod.attend");

/** Global of a program's thread: a function that waits for so many milliseconds, or until nobody is to wait. Called by an interrupt. */
export const PAUSE = Symbol.for("wpod.pause");

/** Shared memory for a client, which answers to `map` name by its number. */
export interface ArenaMessage {
  id: number;
  memory: WebAssembly.Memory;
}

export type KernelRequest =
  /** A container's files, under a key of the engine's. */
  | { kind: "open-tree"; key: string; files: FilesSpec; owner: { uid: number; gid: number } }
  /** After the last of its clients. */
  | { kind: "close-tree"; key: string; keep: boolean }
  /** A program: it finds its streams, if they are here, and the preopens open, under the handles from 0 on. */
  | {
      kind: "attach";
      client: number;
      key: string;
      mailbox: SharedArrayBuffer;
      bell: SharedArrayBuffer;
      credentials: Credentials;
      preopens: readonly { name: string; path: string }[];
      handlesMax: number;
      /** Of a program with threads; else they are in its own. */
      streams?: StandardStreams | undefined;
    }
  /** One more thread of the program that is the client `peer`. */
  | { kind: "attach-thread"; client: number; peer: number; mailbox: SharedArrayBuffer }
  /** A running program's files will come, and it with them. Answered when they are here. */
  | {
      kind: "expect";
      client: number;
      key: string;
      files: FilesSpec;
      owner: { uid: number; gid: number };
      mailbox: SharedArrayBuffer;
      bell: SharedArrayBuffer;
      handlesMax: number;
    }
  /** They won't. */
  | { kind: "forget"; client: number }
  /** Its thread has ended, at whatever point. */
  | { kind: "detach"; client: number }
  /** What is in use. */
  | { kind: "count" };

export type ExpectRequest = Extract<KernelRequest, { kind: "expect" }>;

/** What a kernel has in use for all of its clients. */
export interface KernelCounts {
  trees: number;
  clients: number;
  /** Open files. */
  open: number;
  /** Its thread's memory for JavaScript: what it knows, and garbage. */
  heapBytes: number;
}

export type KernelAnswer =
  | { kind: "done"; snapshot: FileSystemState | undefined; counts?: KernelCounts }
  | { kind: "refused"; code: ErrorCode; message: string; hint: string | undefined };

export interface NumberedRequest<Port> {
  id: number;
  request: KernelRequest;
  /** With "attach" and "expect": where the client gets shared memory; with "expect", where its files come from, too. */
  port?: Port;
}
export interface NumberedAnswer {
  id: number;
  answer: KernelAnswer;
}
