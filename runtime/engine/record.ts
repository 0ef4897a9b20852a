/** The record of a container as the engine keeps it, and who keeps it. */
import type { ContainerInfo } from "./types.ts";

export type EngineRecord = ContainerInfo & {
  /** When the process that hosts it started; "" while none does. */
  processStart: string;
  /** A foreground `wpod run`, which may be ended from outside, or a program that uses the library. */
  hostKind: "cli" | "library";
  /** Nobody chose the name: where it is taken, another will do. */
  nameIsGenerated: boolean;
};

export interface RecordKeeper {
  insert(record: EngineRecord): void;
  write(record: EngineRecord): void;
  /** The record and what belongs to it on disk. */
  delete(record: EngineRecord): void;
}
