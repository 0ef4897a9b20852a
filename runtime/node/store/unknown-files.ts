/** Files that no row speaks of: what a failed or killed import left under its last name. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../../core/image/digest.ts";
import { transaction } from "./database.ts";
import type { Store } from "./store.ts";

/**
 * Removes these layers and documents, as far as no row knows them. Imports rename their files in a transaction, so
 * what has no row while nobody else can write will never get one.
 */
export function removeUnknown(store: Store, layers: readonly Digest[], documents: readonly Digest[]): void {
  if (layers.length === 0 && documents.length === 0) return;
  const { database } = store;
  transaction(database, () => {
    const layer = database.prepare("SELECT 1 FROM layers WHERE diff_id = ?");
    for (const diffId of layers) {
      if (layer.get(diffId) !== undefined) continue;
      const { tarPath, indexPath } = store.layer(diffId);
      rmSync(indexPath, { force: true });
      rmSync(tarPath, { force: true });
    }
    const document = database.prepare(
      "SELECT 1 FROM images WHERE id = ?1 UNION ALL SELECT 1 FROM manifests WHERE digest = ?1",
    );
    for (const digest of documents) {
      if (document.get(digest) === undefined) rmSync(store.blobPath(digest), { force: true });
    }
  });
}

/** The same for all that lies in the store. */
export function sweepUnknown(store: Store): void {
  const digests = (folder: string) => {
    const names = readdirSync(join(store.root, folder, "sha256")).map((name) =>
      name.replace(/\.(?:tar|index)$/, ""),
    );
    return [...new Set(names)]
      .filter((name) => /^[0-9a-f]{64}$/.test(name))
      .map((hex): Digest => `sha256:${hex}`);
  };
  removeUnknown(store, digests("layers"), digests("blobs"));
}
