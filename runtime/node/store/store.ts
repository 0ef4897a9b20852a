/**
 * Where images and records are kept: one folder, private to a user. This file and what it imports is on the path of
 * every `wpod run`: it only opens and reads. What writes images is `importer.ts`, loaded when it is needed.
 *
 * ```
 * version                     "1": the layout of this folder
 * state.db                    images, tags, layers, containers
 * blobs/sha256/<hex>          manifests and configs, as they came
 * layers/sha256/<hex>.tar     a layer's uncompressed tar, named after its diffID
 * layers/sha256/<hex>.index   what is in it, and where
 * tmp/                        what is being written; renamed when it is whole
 * corrupt/                    layers that were found damaged
 * containers/<id>/            logs of containers, and what they wrote
 * volumes/<name>/             files of volumes
 * rewritten/                  programs as they are run, of an earlier start; may be removed at any time
 * ```
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { WpodError } from "../../core/error.ts";
import { type Digest, digestHex } from "../../core/image/digest.ts";
import { openDatabase } from "./database.ts";
import { ImageStore } from "./images.ts";

const LAYOUT_VERSION = "1";
const FOLDERS = ["blobs/sha256", "layers/sha256", "tmp", "corrupt"];
/** What may lie in a folder that another process is just making into a store. */
const OWN_NAMES =
  /^(version(\.\d+)?|state\.db(-journal|-wal|-shm)?|blobs|layers|tmp|corrupt|containers|volumes|rewritten|run)$/;

/** The two files of a layer. */
export interface LayerPaths {
  indexPath: string;
  tarPath: string;
}

/**
 * Opens the store in a folder, and makes it (mode 0700) where there is none.
 * @param root absolute path
 * @throws WpodError STORE_UNUSABLE
 */
export function openStore(root: string): Store {
  const version = readVersion(root);
  if (version === undefined) makeStore(root);
  else if (version !== LAYOUT_VERSION) {
    throw new WpodError(
      "STORE_UNUSABLE",
      `the store ${root} was made by another version of wpod (layout ${JSON.stringify(version.slice(0, 20))}, this one knows ${LAYOUT_VERSION})`,
      { hint: "use that version, or set WPOD_ROOT to another folder" },
    );
  }
  checkOwner(root);
  try {
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(root, "you may not write to it", error);
  }
  return new Store(root);
}

export class Store {
  readonly root: string;
  readonly images: ImageStore = new ImageStore(this);
  #database: DatabaseSync | undefined;

  constructor(root: string) {
    this.root = root;
  }

  /** Opened when it is first asked for. */
  get database(): DatabaseSync {
    this.#database ??= openDatabase(this.databasePath);
    return this.#database;
  }

  get databasePath(): string {
    return join(this.root, "state.db");
  }

  get temporaryFolder(): string {
    return join(this.root, "tmp");
  }

  /** Where a manifest or config is. */
  blobPath(digest: Digest): string {
    return join(this.root, "blobs", "sha256", digestHex(digest));
  }

  /** Where a layer's files are, if it is here: whether it is, `layer-reader.ts` tells when it opens them. */
  layer(diffId: Digest): LayerPaths {
    const path = join(this.root, "layers", "sha256", digestHex(diffId));
    return { tarPath: `${path}.tar`, indexPath: `${path}.index` };
  }

  /**
   * Takes a damaged layer out of the way, so that the next import of an image with it brings it again. Its images stay
   * known; the files are kept in `corrupt/`.
   */
  setAside(diffId: Digest): void {
    const { tarPath, indexPath } = this.layer(diffId);
    const database = this.database;
    database.exec("BEGIN IMMEDIATE");
    try {
      database.prepare("DELETE FROM layers WHERE diff_id = ?").run(diffId);
      try {
        renameSync(tarPath, join(this.root, "corrupt", `${digestHex(diffId)}.tar`));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
      rmSync(indexPath, { force: true });
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Who else can write there could put other programs into images, and other limits into records. */
function checkOwner(root: string): void {
  const uid = process.getuid?.();
  if (uid === undefined) return;
  const status = statSync(root);
  if (status.uid !== uid) {
    throw unusable(root, `it belongs to another user (${status.uid}, and you are ${uid})`, undefined);
  }
  if ((status.mode & 0o022) !== 0) {
    const mode = (status.mode & 0o7777).toString(8).padStart(4, "0");
    throw new WpodError(
      "STORE_UNUSABLE",
      `${root} can't be used as the store: others may write to it (mode ${mode})`,
      {
        hint: `chmod go-w ${root}, if you trust what is in it`,
      },
    );
  }
}

function readVersion(root: string): string | undefined {
  try {
    return readFileSync(join(root, "version"), "latin1").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "ENOTDIR") throw unusable(root, "it is not a directory", error);
    throw unusable(root, code === "EACCES" ? "you may not read it" : (error as Error).message, error);
  }
}

/** Not `recursive`: below `/proc` Node would try for ever. */
function makeDirectories(path: string): void {
  if (existsSync(path)) return;
  makeDirectories(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process was as quick.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function makeStore(root: string): void {
  try {
    makeDirectories(root);
    checkOwner(root);
    const foreign = readdirSync(root).find((name) => !OWN_NAMES.test(name));
    if (foreign !== undefined) {
      throw unusable(root, `it holds other files, such as ${JSON.stringify(foreign)}`, undefined);
    }
    for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true, mode: 0o700 });
    // Last, and whole or not at all: who sees it may rely on the folders.
    const temporary = join(root, `version.${process.pid}`);
    try {
      writeFileSync(temporary, `${LAYOUT_VERSION}\n`, { mode: 0o600 });
      renameSync(temporary, join(root, "version"));
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    if (error instanceof WpodError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    switch (code) {
      case "EEXIST":
      case "ENOTDIR":
        throw unusable(root, "it is not a directory", error);
      case "EACCES":
      case "EPERM":
      case "EROFS":
        throw unusable(root, "you may not write to it", error);
      case "ENOSPC":
      case "EDQUOT":
        throw new WpodError("STORE_FULL", `no space is left to make the store ${root}`, {
          hint: "free some space, or set WPOD_ROOT to a folder on a larger disk",
          cause: error,
        });
      default:
        throw unusable(root, message, error);
    }
  }
}

function unusable(root: string, why: string, cause: unknown): WpodError {
  return new WpodError("STORE_UNUSABLE", `${root} can't be used as the store: ${why}`, {
    hint: "set WPOD_ROOT, or give --root, a folder that you may write",
    cause,
  });
}
