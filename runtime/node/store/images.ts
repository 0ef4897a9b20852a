/** The images of a store: found by name, digest or id; named, unnamed and removed. */
import { rmSync } from "node:fs";
import { WpodError } from "../../core/error.ts";
import type { Digest } from "../../core/image/digest.ts";
import type { ImageRecord } from "../../core/image/record.ts";
import {
  lookupNames,
  normalizeReference,
  parseReference,
  type Reference,
  repositoryOf,
} from "../../core/image/reference.ts";
import { transaction } from "./database.ts";
import type { Store } from "./store.ts";
import { sweepUnknown } from "./unknown-files.ts";

/** What every look-up selects; `rowRecord` reads it. */
const COLUMNS =
  "images.record AS record, (SELECT json_group_array(name) FROM tags WHERE image_id = images.id) AS tags";

interface Row {
  record: string;
  tags: string;
}

/** An image, and the name that it was found by; undefined when that was an id. */
interface Found {
  record: ImageRecord;
  tag: string | undefined;
}

export interface RemovedImages {
  /** Names. */
  untagged: string[];
  /** Ids. */
  deleted: string[];
}

export class ImageStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Finds an image by name (`hello`, `localhost/hello:1.0`, `name@sha256:...`), id, or unique prefix of an id; a name wins.
   * @throws WpodError IMAGE_NOT_KNOWN; REFERENCE_INVALID for what can be no name; USAGE when several fit
   */
  resolve(reference: string): ImageRecord {
    return this.#find(reference).record;
  }

  /** The latest first. */
  list(): ImageRecord[] {
    return this.#all(`SELECT ${COLUMNS} FROM images ORDER BY created_ms DESC, imported_ms DESC, id`);
  }

  /**
   * Gives an image one more name; another image that had it loses it.
   * @throws WpodError IMAGE_NOT_KNOWN, REFERENCE_INVALID
   */
  tag(reference: string, name: string): void {
    const normalized = parseTag(name);
    const { database } = this.#store;
    transaction(database, () => {
      const { id } = this.resolve(reference);
      database.prepare("INSERT OR REPLACE INTO tags (name, image_id) VALUES (?, ?)").run(normalized, id);
    });
  }

  /**
   * Takes a name from an image; with its last name, or given by its id, the image goes, and the layers that no other
   * image has. With `force`, an image with several names goes by its id, and so does one that containers use: their
   * records stay.
   * @throws WpodError IMAGE_NOT_KNOWN, IMAGE_IN_USE; USAGE for an id with several names
   */
  remove(reference: string, { force = false }: { force?: boolean } = {}): RemovedImages {
    const { database } = this.#store;
    return transaction(database, () => {
      const { record, tag } = this.#find(reference);
      if (tag !== undefined && record.tags.length > 1) {
        database.prepare("DELETE FROM tags WHERE name = ?").run(tag);
        return { untagged: [tag], deleted: [] };
      }
      if (tag === undefined && record.tags.length > 1 && !force) {
        throw new WpodError(
          "USAGE",
          `unable to delete image "${record.id}" by ID with more than one tag (${record.tags.join(", ")})`,
          { hint: "remove it with force, or one name after the other" },
        );
      }
      const user = database.prepare("SELECT id FROM containers WHERE image_id = ? LIMIT 1").get(record.id);
      if (user !== undefined && !force) {
        throw new WpodError(
          "IMAGE_IN_USE",
          `image used by ${user.id}: image is in use by a container: consider removing the container and retrying`,
          { hint: `wpod rm ${String(user.id).slice(0, 12)}` },
        );
      }
      this.#delete(record.id);
      return { untagged: [...record.tags], deleted: [record.id] };
    });
  }

  /** Drops layers that no image has, and files that a killed import left behind. Answers the layers' diffIDs. */
  prune(): Digest[] {
    const dropped = transaction(this.#store.database, () => this.#dropUnreferenced());
    sweepUnknown(this.#store);
    return dropped;
  }

  #find(reference: string): Found {
    const prefix = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(reference)?.[1];
    const isId = prefix !== undefined && (prefix.length === 64 || reference.startsWith("sha256:"));
    if (!isId) {
      const found = this.#byName(parseReference(reference));
      if (found !== undefined) return found;
    }
    if (prefix !== undefined) {
      const rows = this.#all(
        `SELECT ${COLUMNS} FROM images WHERE id >= ? AND id < ? LIMIT 2`,
        `sha256:${prefix}`,
        `sha256:${prefix}g`,
      );
      if (rows.length > 1) {
        throw new WpodError("USAGE", `multiple images found with provided prefix: ${reference}`, {
          hint: "give more digits of its id, or its name",
        });
      }
      if (rows[0] !== undefined) return { record: rows[0], tag: undefined };
    }
    throw new WpodError("IMAGE_NOT_KNOWN", `${reference}: image not known`, {
      hint: "wpod images lists what is here, wpod load -i FILE brings more",
    });
  }

  #byName(reference: Reference): Found | undefined {
    if (reference.digest !== undefined) return this.#byDigest(reference, reference.digest);
    const names = lookupNames(reference);
    for (const name of names) {
      const row = this.#get(
        `SELECT ${COLUMNS} FROM tags JOIN images ON images.id = tags.image_id WHERE tags.name = ?`,
        name,
      );
      if (row !== undefined) return { record: row, tag: name };
    }
    if (reference.domain !== undefined) return undefined;
    // `hello` also means `quay.io/team/hello`, as long as there is only one.
    const ending = `/${reference.path}:${reference.tag ?? "latest"}`;
    const fits = this.#store.database
      .prepare("SELECT name, image_id FROM tags WHERE substr(name, -length(?)) = ? ORDER BY name")
      .all(ending, ending) as { name: string; image_id: string }[];
    const [first] = fits;
    if (first === undefined) return undefined;
    if (fits.some((fit) => fit.image_id !== first.image_id)) {
      throw new WpodError(
        "USAGE",
        `the short name ${JSON.stringify(reference.path)} fits several images: ${fits.map((fit) => fit.name).join(", ")}`,
        { hint: "give the whole name" },
      );
    }
    const row = this.#get(`SELECT ${COLUMNS} FROM images WHERE id = ?`, first.image_id);
    return row === undefined ? undefined : { record: row, tag: first.name };
  }

  /** The digest decides which image it is; the name must be one of its own. A tag beside a digest doesn't count. */
  #byDigest(reference: Reference, digest: Digest): Found | undefined {
    const repositories = lookupNames({ ...reference, tag: undefined }).map(repositoryOf);
    const records = this.#all(
      `SELECT ${COLUMNS} FROM manifests JOIN images ON images.id = manifests.image_id WHERE manifests.digest = ?`,
      digest,
    );
    for (const record of records) {
      const tag = record.tags.find((name) => repositories.includes(repositoryOf(name)));
      if (tag !== undefined) return { record, tag };
    }
    return undefined;
  }

  #delete(id: Digest): void {
    const { database } = this.#store;
    const documents = database
      .prepare(
        "SELECT digest FROM manifests AS own WHERE image_id = ? AND NOT EXISTS (SELECT 1 FROM manifests AS other WHERE other.digest = own.digest AND other.image_id <> own.image_id)",
      )
      .all(id) as { digest: Digest }[];
    database.prepare("DELETE FROM images WHERE id = ?").run(id);
    for (const digest of [id, ...documents.map((row) => row.digest)]) {
      rmSync(this.#store.blobPath(digest), { force: true });
    }
    this.#dropUnreferenced();
  }

  /**
   * Inside a transaction, files included: an import, which renames its files in one, too, can't come in between. A crash
   * before the commit leaves rows without files; the next import of such a layer sees that.
   */
  #dropUnreferenced(): Digest[] {
    const { database } = this.#store;
    const dropped = database
      .prepare(
        "DELETE FROM layers WHERE NOT EXISTS (SELECT 1 FROM image_layers WHERE image_layers.diff_id = layers.diff_id) RETURNING diff_id",
      )
      .all() as { diff_id: Digest }[];
    for (const { diff_id } of dropped) {
      const { tarPath, indexPath } = this.#store.layer(diff_id);
      rmSync(indexPath, { force: true });
      rmSync(tarPath, { force: true });
    }
    return dropped.map((row) => row.diff_id);
  }

  #get(sql: string, ...values: string[]): ImageRecord | undefined {
    const row = this.#store.database.prepare(sql).get(...values) as Row | undefined;
    return row === undefined ? undefined : rowRecord(row);
  }

  #all(sql: string, ...values: string[]): ImageRecord[] {
    return (this.#store.database.prepare(sql).all(...values) as unknown as Row[]).map(rowRecord);
  }
}

/**
 * A name that an image can be given.
 * @throws WpodError REFERENCE_INVALID, also for one with a digest: that can't be given, only found
 */
export function parseTag(name: string): string {
  const reference = parseReference(name);
  if (reference.digest !== undefined) {
    throw new WpodError(
      "REFERENCE_INVALID",
      `${JSON.stringify(name)} has a digest: an image can't be named so`,
    );
  }
  return normalizeReference(reference);
}

function rowRecord(row: Row): ImageRecord {
  const record = JSON.parse(row.record) as ImageRecord;
  return {
    ...record,
    createdMs: record.createdMs ?? undefined,
    tags: (JSON.parse(row.tags) as string[]).sort(),
  };
}
