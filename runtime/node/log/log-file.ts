/**
 * A container's log: CRI records in a file that is rotated by size. The newest is `NAME`, older ones `NAME.1`, `NAME.2`, ...
 * Written by the guest's own thread, so that a guest that prints a lot waits for its own log and for nobody else's.
 */
import { closeSync, constants, fstatSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { formatRecords, type LogStream } from "../../core/log/cri.ts";
import type { LogLimitsSpec } from "../../core/log/limits.ts";

/** In place of a descriptor: writing to it fails. */
const NONE = -1;
const NEWLINE = 10;
/** Of text, at a time: a record for each of its bytes is 3 MiB. */
const PIECE_BYTES = 64 * 1024;

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

  /**
   * A log that can't be written loses its records: the guest's own output goes on.
   * @returns bytes of all its records
   */
  append(stream: LogStream, text: Uint8Array): number {
    const timeNs = this.#nowNs();
    let sizeBytes = 0;
    // A guest may write all of its memory at once.
    for (let at = 0; at < text.length; at += PIECE_BYTES) {
      const records = formatRecords(stream, timeNs, text.subarray(at, at + PIECE_BYTES));
      sizeBytes += records.length;
      try {
        this.#write(records);
      } catch {
        // A full disk.
      }
    }
    return sizeBytes;
  }

  /** As many records as fit into a file go there together. */
  #write(records: Uint8Array): void {
    for (let at = 0; at < records.length; ) {
      const roomBytes = this.#limits.fileBytesMax - this.#sizeBytes;
      let end = records.length;
      if (end - at > roomBytes)
        end = roomBytes < 1 ? at : records.lastIndexOf(NEWLINE, at + roomBytes - 1) + 1;
      if (end <= at && this.#sizeBytes > 0) {
        this.#rotate();
        continue;
      }
      // One that is longer than a file may be is alone in its file.
      if (end <= at) end = records.indexOf(NEWLINE, at) + 1;
      writeWhole(this.#fd, records.subarray(at, end));
      this.#sizeBytes += end - at;
      at = end;
    }
  }

  close(): void {
    // A number that is closed may be another file's already.
    if (this.#fd !== NONE) closeSync(this.#fd);
    this.#fd = NONE;
  }

  #rotate(): void {
    this.close();
    // A new one in its place: who reads the old one reads it to its end.
    if (this.#limits.fileCountMax === 1) rmSync(this.#path, { force: true });
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

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function openLog(path: string): number {
  // O_NOFOLLOW: a link in its place would make the guest's output overwrite another file.
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  return openSync(path, O_WRONLY | O_CREAT | O_APPEND | (O_NOFOLLOW ?? 0), 0o600);
}
