/** The state database: SQLite in a file, shared by all `wpod` processes of a user. */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { WpodError } from "../../core/error.ts";
import { MIGRATIONS } from "./migrations.ts";
import { networkDiskOf } from "./network-disk.ts";

/** How long a command waits for another one's transaction: they take milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

/** SQLite's primary result codes. @see https://www.sqlite.org/rescode.html */
const SqliteCode = {
  permission: 3,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  noLargeFiles: 22,
  notDatabase: 26,
} as const;

/** Its shared memory, a file too, couldn't be opened, grown, locked or mapped: a full disk, or one that has no such. */
const SHARED_MEMORY_ERRORS: readonly number[] = [18, 19, 20, 21].map(
  (detail) => SqliteCode.ioError + (detail << 8),
);
/** Less than a page of the shared memory. */
const FULL_BYTES_MAX = 65_536;

/**
 * Opens the database, makes it when it isn't there, and brings its schema up to date.
 * @throws WpodError STORE_UNUSABLE, STORE_FULL; so does what is done with it later
 */
export function openDatabase(path: string): DatabaseSync {
  const disk = networkDiskOf(dirname(path));
  if (disk !== undefined) {
    throw unshared(
      path,
      `it lies on a network file system (${disk}), where processes can't share it`,
      undefined,
    );
  }
  try {
    const database = new StateDatabase(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      prepareSchema(database, path);
      database.path = path;
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw databaseError(error, path);
  }
}

/** Tells its errors as the sentences that their readers need: a damaged page may be met by any statement. */
class StateDatabase extends DatabaseSync {
  /** Undefined: it is not ready yet, and errors are those of SQLite. */
  path: string | undefined;

  override exec(sql: string): void {
    this.#told(() => super.exec(sql));
  }

  override prepare(...parts: Parameters<DatabaseSync["prepare"]>): StatementSync {
    const statement = this.#told(() => super.prepare(...parts));
    for (const name of ["all", "get", "run"] as const) {
      const call = statement[name].bind(statement) as (...parameters: unknown[]) => unknown;
      Object.defineProperty(statement, name, {
        value: (...parameters: unknown[]) => this.#told(() => call(...parameters)),
      });
    }
    return statement;
  }

  #told<Result>(run: () => Result): Result {
    try {
      return run();
    } catch (error) {
      throw this.path === undefined ? error : databaseError(error, this.path);
    }
  }
}

/** Each is made once: SQLite's part of one is no memory that the collector knows of, and a host of many runs would grow by it. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #made = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  prepare(sql: string): StatementSync {
    let statement = this.#made.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#made.set(sql, statement);
    }
    return statement;
  }
}

/**
 * Runs `work` while no other process can write. What it throws undoes the changes of the rows, not of files.
 */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** An error of SQLite as the sentence that its reader needs; others are left as they are. */
export function databaseError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || (error as { code?: string }).code !== "ERR_SQLITE_ERROR") return error;
  const extendedCode = (error as { errcode?: number }).errcode ?? 0;
  if (SHARED_MEMORY_ERRORS.includes(extendedCode) && !isFull(path)) {
    return unshared(
      path,
      "its file system has no memory that processes can share, as those of a network",
      error,
    );
  }
  switch (SHARED_MEMORY_ERRORS.includes(extendedCode) ? SqliteCode.full : extendedCode & 0xff) {
    case SqliteCode.full:
      return new WpodError("STORE_FULL", `no space is left for the state database ${path}`, {
        hint: "free some space, or set WPOD_ROOT to a folder on a larger disk",
        cause: error,
      });
    case SqliteCode.corrupt:
    case SqliteCode.notDatabase:
      return new WpodError("STORE_UNUSABLE", `the state database ${path} is damaged`, {
        hint: "move it away: images have to be loaded again",
        cause: error,
      });
    case SqliteCode.busy:
      return new WpodError("STORE_UNUSABLE", `the state database ${path} is locked by another process`, {
        hint: "try again; if it stays so, its disk may be one that has no locks: set WPOD_ROOT to a folder on a local one",
        cause: error,
      });
    case SqliteCode.permission:
    case SqliteCode.readOnly:
    case SqliteCode.ioError:
    case SqliteCode.cannotOpen:
    case SqliteCode.protocol:
    case SqliteCode.noLargeFiles:
      return new WpodError("STORE_UNUSABLE", `the state database ${path} can't be used: ${error.message}`, {
        hint: "set WPOD_ROOT to a folder that you may write, on a local disk",
        cause: error,
      });
    default:
      return error;
  }
}

function unshared(path: string, why: string, cause: unknown): WpodError {
  return new WpodError("STORE_UNUSABLE", `the state database ${path} can't be used: ${why}`, {
    hint: "set WPOD_ROOT to a folder on a local disk",
    cause,
  });
}

/** Has the disk no room for what SQLite shares? */
function isFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < FULL_BYTES_MAX;
  } catch {
    return false;
  }
}

function prepareSchema(database: DatabaseSync, path: string): void {
  // A commit then syncs nothing: a crash of the machine may lose the last ones, and damages none. Files are synced.
  database.exec("PRAGMA synchronous = NORMAL");
  const version = schemaVersion(database);
  if (version === MIGRATIONS.length) return;
  if (version > MIGRATIONS.length) {
    throw new WpodError(
      "STORE_UNUSABLE",
      `the state database ${path} was written by a newer wpod (schema ${version}, this one knows ${MIGRATIONS.length})`,
      { hint: "use that version, or set WPOD_ROOT to another folder" },
    );
  }
  if (version === 0) enableWriteAheadLog(database, path);
  transaction(database, () => {
    // Another process may have done it meanwhile.
    for (let step = schemaVersion(database); step < MIGRATIONS.length; step++) {
      database.exec(MIGRATIONS[step] as string);
      database.exec(`PRAGMA user_version = ${step + 1}`);
    }
  });
}

function schemaVersion(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.user_version);
}

/** The one statement for which SQLite doesn't wait while another process does the same: so it is tried again. */
function enableWriteAheadLog(database: DatabaseSync, path: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 1; ; attempt++) {
    try {
      const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
      if (mode === "wal") return;
      throw unshared(path, `its file system allows no write-ahead log, only ${mode}`, undefined);
    } catch (error) {
      if (((error as { errcode?: number }).errcode ?? 0) % 256 !== SqliteCode.busy || attempt === 100)
        throw error;
      Atomics.wait(pause, 0, 0, 20);
    }
  }
}
