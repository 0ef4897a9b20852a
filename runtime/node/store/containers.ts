/** Records of containers in the state database: what `ps`, `inspect` and `rm` see, whichever process runs them. */
import type { DatabaseSync } from "node:sqlite";
import { WpodError } from "../../core/error.ts";
import { isStill } from "../host/process-identity.ts";
import { Statements } from "./database.ts";

/** What every record has; the rest of it is the engine's. */
export interface ContainerRecord {
  id: string;
  name: string;
  imageId: string;
  status: "created" | "running" | "exited";
  /** The process that hosts it while it runs, else 0. */
  pid: number;
  /** When that process started: its number may be given to another one later. */
  processStart: string;
  createdMs: number;
  finishedMs: number | undefined;
  exitCode: number;
  reason: string | undefined;
}

/** Exit status of a container whose host process died under it. */
const LOST_EXIT_CODE = 137;

export class ContainerRecords<T extends ContainerRecord> {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
  }

  /** @throws WpodError NAME_IN_USE */
  insert(record: T): void {
    try {
      this.#statements
        .prepare(
          "INSERT INTO containers (id, name, image_id, status, pid, created_ms, record) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .run(
          record.id,
          record.name,
          record.imageId,
          record.status,
          record.pid,
          record.createdMs,
          JSON.stringify(record),
        );
    } catch (error) {
      throw this.#nameConflict(record, error);
    }
  }

  update(record: T): void {
    this.#statements
      .prepare("UPDATE containers SET status = ?, pid = ?, record = ? WHERE id = ?")
      .run(record.status, record.pid, JSON.stringify(record), record.id);
  }

  delete(id: string): void {
    this.#statements.prepare("DELETE FROM containers WHERE id = ?").run(id);
  }

  /** Newest first. */
  list(): T[] {
    const rows = this.#statements
      .prepare("SELECT record FROM containers ORDER BY created_ms DESC, rowid DESC")
      .all();
    return rows.map((row) => this.#alive(row));
  }

  /**
   * By name, id, or unique prefix of an id, in this order.
   * @throws WpodError CONTAINER_NOT_FOUND, or USAGE when a prefix fits several
   */
  get(reference: string): T {
    const name = reference.startsWith("/") ? reference.slice(1) : reference;
    const exact = this.#statements
      .prepare("SELECT record FROM containers WHERE name = ? OR id = ? ORDER BY name = ? DESC")
      .get(name, name, name);
    if (exact !== undefined) return this.#alive(exact);
    const found = /^[0-9a-f]+$/.test(name)
      ? this.#statements
          .prepare("SELECT record FROM containers WHERE substr(id, 1, ?) = ? LIMIT 2")
          .all(name.length, name)
      : [];
    if (found.length > 1) {
      throw new WpodError("USAGE", `more than one result for container "${reference}"`, {
        hint: "give more digits of its id, or its name",
      });
    }
    const [only] = found;
    if (only === undefined) {
      throw new WpodError(
        "CONTAINER_NOT_FOUND",
        `no container with name or ID "${reference}" found: no such container`,
      );
    }
    return this.#alive(only);
  }

  /** A container whose host process died is shown as ended, and the record is mended. */
  #alive(row: object): T {
    const text = (row as { record: string }).record;
    const record = JSON.parse(text) as T;
    if (record.status !== "running" || isStill(record.pid, record.processStart)) return record;
    const mended: T = {
      ...record,
      status: "exited",
      pid: 0,
      exitCode: LOST_EXIT_CODE,
      finishedMs: record.finishedMs ?? Date.now(),
      reason: "its host process died",
    };
    // It may have written down its own end, and gone, since the row was read: its word counts.
    const { changes } = this.#statements
      .prepare("UPDATE containers SET status = ?, pid = ?, record = ? WHERE id = ? AND record = ?")
      .run(mended.status, mended.pid, JSON.stringify(mended), mended.id, text);
    if (changes !== 0) return mended;
    const now = this.#statements.prepare("SELECT record FROM containers WHERE id = ?").get(mended.id);
    return now === undefined ? mended : this.#alive(now);
  }

  #nameConflict(record: T, error: unknown): unknown {
    const other = this.#statements.prepare("SELECT id FROM containers WHERE name = ?").get(record.name);
    if (other === undefined) return error;
    return new WpodError(
      "NAME_IN_USE",
      `creating container storage: the container name "${record.name}" is already in use by ${other.id}. ` +
        "You have to remove that container to be able to reuse that name",
      { hint: `remove it with: wpod rm ${record.name}` },
    );
  }
}
