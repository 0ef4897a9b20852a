/**
 * A container's log: CRI records in a file that is rotated by size. The newest is `NAME`, older ones `NAME.1`, `NAME.2`, ...
 * Written by the guest's own thread, so that a guest that prints a lot waits for its own log and for nobody else's.
 */
import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { formatRecords, type LogStream } from "../../core/log/cri.ts";
import type { LogLimitsSpec } from "../../core/log/limits.ts";

/** In place of a descriptor: writing to it fails. */
const NONE = -1;

export class LogFile {
  readonly #path: string;
  readonly #limits: LogLimitsSpec;
  readonly #nowNs: () => bigint;
  #fd: number;
  #sizeBytes: number;

  constructor(path: string, limits: LogLimitsSpec, nowNs: () => bigint) {
    this.#path = path;
    this.#limits = limits;
    this.#nowNs = nowNs;
    this.#fd = openLog(path);
    this.#sizeBytes = fstatSync(this.#fd).size;
  }

  /** A log that can't be written loses its records: the guest's own output goes on. */
  append(stream: LogStream, text: Uint8Array): void {
    const records = formatRecords(stream, this.#nowNs(), text);
    try {
      if (this.#sizeBytes > 0 && this.#sizeBytes + records.length > this.#limits.fileBytesMax) this.#rotate();
      this.#sizeBytes += writeSync(this.#fd, records);
    } catch {
      // A full disk.
    }
  }

  close(): void {
    // A number that is closed may be another file's already.
    if (this.#fd !== NONE) closeSync(this.#fd);
    this.#fd = NONE;
  }

  #rotate(): void {
    this.close();
    for (const [from, to] of rotations(this.#path, this.#limits.fileCountMax)) {
      try {
        renameSync(from, to);
      } catch {
        // Not there yet.
      }
    }
    this.#fd = openLog(this.#path);
    this.#sizeBytes = 0;
  }
}

/** Oldest first: what reading a whole log goes through. */
export function logPaths(path: string, fileCountMax: number): string[] {
  const paths = [path];
  for (let age = 1; age < fileCountMax; age++) paths.unshift(`${path}.${age}`);
  return paths;
}

function rotations(path: string, fileCountMax: number): [string, string][] {
  const paths = logPaths(path, fileCountMax);
  return paths.slice(1).map((from, index) => [from, paths[index]!]);
}

function openLog(path: string): number {
  // O_NOFOLLOW: a link in its place would make the guest's output overwrite another file.
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  return openSync(path, O_WRONLY | O_CREAT | O_APPEND | (O_NOFOLLOW ?? 0), 0o600);
}
