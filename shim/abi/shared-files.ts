/** What a program with threads needs of its runtime: files that go by numbers, which mean the same in every thread. */
import type { FileType } from "./filetype.ts";
import type { OpenFile } from "./system.ts";

/** A thread's view of a file that other threads use too. */
export interface SharedFile extends OpenFile {
  /** What the others have set since: nobody has to be told. */
  adoptStatus(append: boolean, nonblock: boolean): void;
}

/** What a thread knows of the files that the program has open. */
export interface SharedFiles {
  /** A number that is not used again for another file. */
  handleOf(file: OpenFile): number;
  fileOf(handle: number, type: FileType): SharedFile;
  /** Handles below it stand for files that stay open, whatever the program does: its standard streams. */
  readonly keptMax: number;
  /** Names of preopens, in their order: the same in every thread. */
  readonly preopenNames: readonly string[];
}
