/** An image found in an archive, its documents read and checked, its layers still to be brought. */
import { createHash } from "node:crypto";
import { WpodError } from "../../core/error.ts";
import { type ParsedConfig, parseConfig } from "../../core/image/config.ts";
import type { Digest } from "../../core/image/digest.ts";
import { choosePlatform, type Platform, type PlatformOffer } from "../../core/image/platform.ts";
import type { Member } from "./archive.ts";

export interface LayerCandidate {
  diffId: Digest;
  /** Of the blob; undefined where only the config says what it must be: in a docker-archive. */
  digest: Digest | undefined;
  mediaType: string;
  /** Names it in messages: "layer sha256:...". */
  what: string;
  open(): Promise<Member>;
}

/** A manifest or config as it came: kept under its digest. */
export interface Document {
  digest: Digest;
  bytes: Uint8Array;
}

export interface ImageCandidate {
  config: Document & ParsedConfig;
  layers: readonly LayerCandidate[];
  /** Undefined for one that came without: it is made when its layers are known. */
  manifest: Document | undefined;
  /** Indexes that led to it: `name@digest` finds it by those, too. */
  indexes: readonly Digest[];
  /** Normalised names that the archive gives it. */
  names: readonly string[];
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/**
 * Reads a config and judges its platform.
 * @param where names the image in the message: "oci:DIR"
 * @throws WpodError IMAGE_INVALID, IMAGE_PLATFORM
 */
export function readConfig(
  bytes: Uint8Array,
  layerCount: number,
  wanted: Platform | undefined,
  where: string,
): Document & ParsedConfig {
  const digest = digestOf(bytes);
  const what = `config ${digest}`;
  const parsed = parseConfig(bytes, what);
  if (parsed.diffIds.length !== layerCount) {
    throw new WpodError(
      "IMAGE_INVALID",
      `${what} names ${parsed.diffIds.length} layers, its manifest ${layerCount}`,
    );
  }
  choosePlatform([offer(parsed.platform)], wanted, where);
  return { digest, bytes, ...parsed };
}

/** Tools write `unknown` for what they weren't told. */
export function offer(platform: Platform | undefined): PlatformOffer {
  return { platform: platform?.os === "unknown" ? undefined : platform };
}
