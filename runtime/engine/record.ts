/** The record of a container as the engine keeps it, and who keeps it. */
import type { ContainerInfo } from "./types.ts";

export type EngineRecord = ContainerInfo & {
  /** When the process that hosts it started. */
  processStart: string;
};

export interface RecordKeeper {
  insert(record: EngineRecord): void;
  update(record: EngineRecord): void;
  /** The record and what belongs to it on disk. */
  delete(record: EngineRecord): void;
}
