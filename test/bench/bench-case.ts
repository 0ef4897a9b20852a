/** What a `*.bench.ts` file exports: `export default (bench) => [...]`, cases that are measured against a baseline. */

/** One way to do the work: answers what it took, in the case's unit. */
export interface Side {
  name: string;
  measure: () => Promise<number> | number;
}

export interface BenchCase {
  name: string;
  unit: "ms" | "us" | "ns" | "MB/s" | "MB" | "1/s" | "%";
  subject: Side;
  /** Measured in turn with the subject, round by round, so that a busy moment of the machine hits both. */
  baseline?: Side;
  /** Bounds on subject / baseline. */
  ratioMax?: number;
  ratioMin?: number;
  /** Bound on the subject alone, in the unit. */
  valueMax?: number;
  /** Where the default doesn't fit what one round takes. */
  rounds?: number;
}

export interface Bench {
  /** A directory that is there until the file's cases have run. */
  directory: string;
  /** Done at the end, the last one first. */
  defer(undo: () => Promise<void> | void): void;
}

export type BenchFile = (bench: Bench) => Promise<BenchCase[]> | BenchCase[];
