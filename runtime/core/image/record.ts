/** What the store keeps of an image: all that `run`, `images` and `inspect` need, in one row. */
import type { ImageConfig } from "./config.ts";
import type { Digest } from "./digest.ts";

export interface LayerRecord {
  /** Of the blob as the manifest names it, mostly compressed. */
  digest: Digest;
  /** Of the uncompressed tar: what the store's files are named after. */
  diffId: Digest;
  mediaType: string;
  sizeBytes: number;
  compressedBytes: number;
}

export interface ImageRecord {
  /** Digest of the config. */
  id: Digest;
  manifestDigest: Digest;
  /** Normalised `name:tag`, sorted. */
  tags: readonly string[];
  /** `os/architecture[/variant]`. */
  platform: string;
  createdMs: number | undefined;
  /** Sum of the layers, uncompressed. */
  sizeBytes: number;
  /** Lowest first. */
  layers: readonly LayerRecord[];
  config: ImageConfig;
}
