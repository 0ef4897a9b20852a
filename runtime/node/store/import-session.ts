/**
 * Brings images into the store, all of them or none: layers are staged as files under `tmp/`, and only when everything
 * is known to be right, one transaction renames them and writes the rows.
 */
import { renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { WpodError } from "../../core/error.ts";
import type { Digest } from "../../core/image/digest.ts";
import { MediaType } from "../../core/image/media-type.ts";
import { formatPlatform } from "../../core/image/platform.ts";
import type { ImageRecord, LayerRecord } from "../../core/image/record.ts";
import { type Document, digestOf, type ImageCandidate, type LayerCandidate } from "./candidate.ts";
import { transaction } from "./database.ts";
import { type StreamedLayer, streamLayer } from "./layer-stream.ts";
import { storeError, sweepTemporary, syncDirectory, temporaryPath, writeSynced } from "./staging.ts";
import type { Store } from "./store.ts";
import { removeUnknown } from "./unknown-files.ts";

export interface SessionOptions {
  signal?: AbortSignal | undefined;
  nowMs: number;
}

/** Files of a layer that is on its way. */
interface StagedLayer {
  tarPath: string;
  indexPath: string;
  sizeBytes: number;
}

interface StagedImage {
  record: Omit<ImageRecord, "tags">;
  documents: Document[];
  manifests: Digest[];
  /** The manifest came with the image, and was not made here. */
  original: boolean;
  names: readonly string[];
}

/** Another process removed a layer between the look and the transaction: it is brought again. */
const ATTEMPTS_MAX = 3;

/**
 * @param retag also gives the images the names that the archive has for them
 * @throws WpodError what is wrong with an image; STORE_FULL; ABORTED
 */
export async function importCandidates(
  store: Store,
  candidates: readonly ImageCandidate[],
  retag: boolean,
  options: SessionOptions,
): Promise<ImageRecord[]> {
  const session = new ImportSession(store, options);
  try {
    for (let attempt = 1; ; attempt++) {
      const images: StagedImage[] = [];
      for (const candidate of candidates) images.push(await session.stage(candidate, retag));
      if (session.commit(images)) return images.map(({ record }) => store.images.resolve(record.id));
      if (attempt === ATTEMPTS_MAX) {
        throw new WpodError("STORE_UNUSABLE", "another process keeps removing the layers of this image");
      }
    }
  } catch (error) {
    throw storeError(error, store);
  } finally {
    session.discard();
  }
}

class ImportSession {
  readonly #store: Store;
  readonly #options: SessionOptions;
  /** By diffID. */
  readonly #staged = new Map<Digest, StagedLayer>();
  /** Layers that were seen in this session, by blob and diffID: images of one archive share them. */
  readonly #seen = new Map<string, LayerRecord>();
  readonly #temporary = new Set<string>();
  /** Files under their last names: taken back when the commit fails. */
  readonly #placed: Digest[] = [];
  readonly #written: Digest[] = [];

  constructor(store: Store, options: SessionOptions) {
    this.#store = store;
    this.#options = options;
    sweepTemporary(store, options.nowMs);
  }

  async stage(candidate: ImageCandidate, retag: boolean): Promise<StagedImage> {
    const { config } = candidate;
    const layers: LayerRecord[] = [];
    for (const layer of candidate.layers) layers.push(await this.#stageLayer(layer));
    const manifest = candidate.manifest ?? makeManifest(config, layers);
    return {
      record: {
        id: config.digest,
        manifestDigest: manifest.digest,
        platform: formatPlatform(config.platform),
        createdMs: config.createdMs,
        sizeBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
        layers,
        config: config.config,
      },
      documents: [config, manifest],
      manifests: [manifest.digest, ...candidate.indexes],
      original: candidate.manifest !== undefined,
      names: retag ? candidate.names : [],
    };
  }

  /** Answers false when a layer that was here is not any more. */
  commit(images: readonly StagedImage[]): boolean {
    try {
      return transaction(this.#store.database, () => this.#place(images));
    } catch (error) {
      this.#removePlaced();
      throw error;
    }
  }

  #place(images: readonly StagedImage[]): boolean {
    const store = this.#store;
    const diffIds = new Set(images.flatMap(({ record }) => record.layers.map((layer) => layer.diffId)));
    const missing = [...diffIds].filter((diffId) => !this.#staged.has(diffId) && !this.#isHere(diffId));
    if (missing.length > 0) {
      this.#seen.clear();
      return false;
    }
    for (const [diffId, staged] of this.#staged) {
      if (!diffIds.has(diffId) || this.#isHere(diffId)) continue;
      const { tarPath, indexPath } = store.layer(diffId);
      this.#placed.push(diffId);
      renameSync(staged.tarPath, tarPath);
      renameSync(staged.indexPath, indexPath);
      store.database
        .prepare("INSERT OR REPLACE INTO layers (diff_id, size_bytes) VALUES (?, ?)")
        .run(diffId, staged.sizeBytes);
    }
    for (const image of images) this.#insert(image);
    // Rows must not be durable before the files that they speak of.
    syncDirectory(join(store.root, "layers", "sha256"));
    syncDirectory(join(store.root, "blobs", "sha256"));
    return true;
  }

  /** The rows didn't come to be: their files would lie there unseen, on a disk that may be full. */
  #removePlaced(): void {
    try {
      removeUnknown(this.#store, this.#placed, this.#written);
    } catch {
      // What went wrong before is the news; `prune` finds the files, too.
    }
  }

  /** Removes what was not committed. */
  discard(): void {
    for (const path of this.#temporary) rmSync(path, { force: true });
  }

  async #stageLayer(layer: LayerCandidate): Promise<LayerRecord> {
    const { diffId } = layer;
    const key = `${layer.digest} ${diffId}`;
    const known = this.#seen.get(key) ?? this.#knownLayer(layer);
    if (known !== undefined) return known;

    const isNeeded = !this.#staged.has(diffId) && !this.#isHere(diffId);
    const tarPath = isNeeded ? this.#temporaryPath("tar") : undefined;
    const member = await layer.open();
    let streamed: StreamedLayer;
    try {
      streamed = await streamLayer(member, {
        what: layer.what,
        digest: layer.digest,
        signal: this.#options.signal,
        ...(tarPath === undefined ? {} : { tarPath }),
      });
    } finally {
      await member.close();
    }
    if (streamed.diffId !== diffId) {
      throw new WpodError(
        layer.digest === undefined ? "BLOB_CORRUPT" : "IMAGE_INVALID",
        `${layer.what} unpacks to ${streamed.diffId}, where the config says ${diffId}`,
        { hint: "copy or pull the image again; nothing was imported" },
      );
    }
    if (tarPath !== undefined) {
      const indexPath = this.#temporaryPath("index");
      writeSynced(indexPath, streamed.index);
      this.#staged.set(diffId, { tarPath, indexPath, sizeBytes: streamed.sizeBytes });
    }
    // Without a manifest, the layer is what it unpacks to, as docker would push it.
    const isPlain = layer.digest === undefined;
    const record: LayerRecord = {
      digest: isPlain ? diffId : streamed.digest,
      diffId,
      mediaType: layer.mediaType,
      sizeBytes: streamed.sizeBytes,
      compressedBytes: isPlain ? streamed.sizeBytes : streamed.compressedBytes,
    };
    this.#seen.set(key, record);
    return record;
  }

  /** A layer of the store, when this very blob was seen to unpack to it. */
  #knownLayer({ digest, diffId, mediaType }: LayerCandidate): LayerRecord | undefined {
    if (digest === undefined || !this.#isHere(diffId)) return undefined;
    const row = this.#store.database
      .prepare(
        "SELECT size_bytes, compressed_bytes FROM layer_blobs JOIN layers USING (diff_id) WHERE digest = ? AND diff_id = ?",
      )
      .get(digest, diffId) as { size_bytes: number; compressed_bytes: number } | undefined;
    if (row === undefined) return undefined;
    return { digest, diffId, mediaType, sizeBytes: row.size_bytes, compressedBytes: row.compressed_bytes };
  }

  /** Its row is there, and its files are as long as they were: what was lost is brought again. */
  #isHere(diffId: Digest): boolean {
    const row = this.#store.database.prepare("SELECT size_bytes FROM layers WHERE diff_id = ?").get(diffId);
    if (row === undefined) return false;
    const { tarPath, indexPath } = this.#store.layer(diffId);
    return (
      statSync(tarPath, { throwIfNoEntry: false })?.size === row.size_bytes &&
      statSync(indexPath, { throwIfNoEntry: false }) !== undefined
    );
  }

  #insert({ record, documents, manifests, original, names }: StagedImage): void {
    const { database } = this.#store;
    for (const document of documents) this.#writeDocument(document);
    // An image that came from a registry keeps that manifest when it comes again without one.
    const onConflict = original ? ", record = excluded.record" : "";
    database
      .prepare(
        `INSERT INTO images (id, created_ms, imported_ms, record) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET imported_ms = excluded.imported_ms${onConflict}`,
      )
      .run(record.id, record.createdMs ?? null, this.#options.nowMs, JSON.stringify(record));
    database.prepare("DELETE FROM image_layers WHERE image_id = ?").run(record.id);
    for (const [position, layer] of record.layers.entries()) {
      database
        .prepare("INSERT INTO image_layers (image_id, position, diff_id) VALUES (?, ?, ?)")
        .run(record.id, position, layer.diffId);
      database
        .prepare("INSERT OR IGNORE INTO layer_blobs (digest, diff_id, compressed_bytes) VALUES (?, ?, ?)")
        .run(layer.digest, layer.diffId, layer.compressedBytes);
    }
    for (const digest of manifests) {
      database
        .prepare("INSERT OR IGNORE INTO manifests (digest, image_id) VALUES (?, ?)")
        .run(digest, record.id);
    }
    for (const name of names) {
      database.prepare("INSERT OR REPLACE INTO tags (name, image_id) VALUES (?, ?)").run(name, record.id);
    }
  }

  /** Small: written inside the transaction, so that a removal can't come in between. */
  #writeDocument({ digest, bytes }: Document): void {
    const path = this.#store.blobPath(digest);
    if (statSync(path, { throwIfNoEntry: false })?.size === bytes.length) return;
    const temporary = this.#temporaryPath("blob");
    writeSynced(temporary, bytes);
    this.#written.push(digest);
    renameSync(temporary, path);
  }

  #temporaryPath(suffix: string): string {
    const path = temporaryPath(this.#store, suffix);
    this.#temporary.add(path);
    return path;
  }
}

/** A manifest for an image that came without one. The same image always gets the same. */
function makeManifest(config: Document, layers: readonly LayerRecord[]): Document {
  const bytes = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig, digest: config.digest, size: config.bytes.length },
      layers: layers.map(({ mediaType, digest, compressedBytes }) => ({
        mediaType,
        digest,
        size: compressedBytes,
      })),
    }),
  );
  return { digest: digestOf(bytes), bytes };
}
