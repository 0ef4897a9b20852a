/** Files that a file system is kept in, as its keeper sees them. All calls wait; none throws for what the disk says. */
import type { Failure } from "../../../shim/abi/system.ts";

/** Answers are 0, or a negative `Errno`. */
export interface StoreFile {
  readonly sizeBytes: number;
  /** Fills `target`: EIO where the file is shorter. */
  read(target: Uint8Array, offsetBytes: number): number;
  /** All of `source`, or an error. */
  write(source: Uint8Array, offsetBytes: number): number;
  truncate(sizeBytes: number): number;
  /** What was written is there after a loss of power. */
  sync(): number;
  /** Begins to make it so, and doesn't wait: the next `sync` has less to do. */
  startSync(): void;
  close(): void;
}

/** One folder. It comes into being with its first file. */
export interface StoreFolder {
  /** Names of its files; none where there is no folder. */
  list(): string[];
  /** Undefined: there is none. @throws WpodError STORE_UNUSABLE: it belongs to somebody else, or can't be opened */
  open(name: string): StoreFile | undefined;
  /** Empty, whatever had the name. */
  create(name: string): StoreFile | Failure;
  rename(name: string, toName: string): number;
  remove(name: string): number;
  /** As `remove` and `close`, without waiting: freeing a large file takes long. */
  discard(name: string, file: StoreFile): void;
  /** Names that came and went are so after a loss of power. */
  sync(): number;
}
