/**
 * What the engine's thread asks of the kernel's thread, by messages; it knocks at the gate as `CONTROL_CLIENT` after each.
 * Calls of programs go through mailboxes instead.
 */
import type { ErrorCode } from "../error.ts";
import type { Credentials } from "../vfs/credentials.ts";
import type { FileSystemState } from "../vfs/snapshot.ts";
import type { FilesSpec } from "./spec.ts";

/** The bit of the gate that stands for messages. */
export const CONTROL_CLIENT = 0;

export type KernelRequest =
  /** A container's files, under a key of the engine's. */
  | { kind: "open-tree"; key: string; files: FilesSpec; owner: { uid: number; gid: number } }
  /** After the last of its clients. */
  | { kind: "close-tree"; key: string; keep: boolean }
  /** A program: it finds the preopens open, under the handles from 0 on. */
  | {
      kind: "attach";
      client: number;
      key: string;
      mailbox: SharedArrayBuffer;
      bell: SharedArrayBuffer;
      credentials: Credentials;
      preopens: readonly { name: string; path: string }[];
      handlesMax: number;
    }
  /** Its thread has ended, at whatever point. */
  | { kind: "detach"; client: number };

export type KernelAnswer =
  | { kind: "done"; snapshot: FileSystemState | undefined }
  | { kind: "refused"; code: ErrorCode; message: string; hint: string | undefined };

export interface NumberedRequest {
  id: number;
  request: KernelRequest;
}
export interface NumberedAnswer {
  id: number;
  answer: KernelAnswer;
}
