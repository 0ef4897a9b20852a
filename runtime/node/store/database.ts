/** The state database: SQLite in a file, shared by all `wpod` processes of a user. */
import { DatabaseSync } from "node:sqlite";
import { WpodError } from "../../core/error.ts";
import { MIGRATIONS } from "./migrations.ts";

/** How long a command waits for another one's transaction: they take milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

/** SQLite's primary result codes. @see https://www.sqlite.org/rescode.html */
const SqliteCode = {
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
} as const;

/** An I/O error of SQLite that is a full disk: its shared memory is a file, too, and couldn't grow. */
const SHARED_MEMORY_ERRORS: readonly number[] = [10 + (19 << 8), 10 + (21 << 8)];

/**
 * Opens the database, makes it when it isn't there, and brings its schema up to date.
 * @throws WpodError STORE_UNUSABLE, STORE_FULL
 */
export function openDatabase(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      prepareSchema(database, path);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw databaseError(error, path);
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
  const resultCode = SHARED_MEMORY_ERRORS.includes(extendedCode) ? SqliteCode.full : extendedCode & 0xff;
  switch (resultCode) {
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
        cause: error,
      });
    case SqliteCode.readOnly:
    case SqliteCode.ioError:
    case SqliteCode.cannotOpen:
      return new WpodError("STORE_UNUSABLE", `the state database ${path} can't be opened: ${error.message}`, {
        hint: "set WPOD_ROOT to a folder that you may write",
        cause: error,
      });
    default:
      return error;
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
  if (version === 0) enableWriteAheadLog(database);
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
function enableWriteAheadLog(database: DatabaseSync): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 1; ; attempt++) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (((error as { errcode?: number }).errcode ?? 0) % 256 !== SqliteCode.busy || attempt === 100)
        throw error;
      Atomics.wait(pause, 0, 0, 20);
    }
  }
}
