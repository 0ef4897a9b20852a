/**
 * Manifests: which config and layers make an image, and indexes: which manifests make its variants. Docker's and OCI's
 * documents have the same fields.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/manifest.md
 * @see https://github.com/opencontainers/image-spec/blob/main/image-index.md
 */
import { WpodError } from "../error.ts";
import { type Digest, parseDigest } from "./digest.ts";
import {
  arrayField,
  field,
  invalid,
  isObject,
  type JsonObject,
  objectField,
  parseDocument,
  stringField,
  stringMapField,
} from "./document.ts";
import { INDEX_MANIFESTS_MAX, LAYERS_MAX } from "./limits.ts";
import { isConfig, isLayer, MediaType, manifestKind } from "./media-type.ts";
import type { Platform } from "./platform.ts";

/** Points to a blob. `urls` and `data` are never read: content comes from where the manifest came from, or not at all. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  sizeBytes: number;
  annotations: Readonly<Record<string, string>>;
}

export interface ImageManifest {
  kind: "image";
  mediaType: string;
  config: Descriptor;
  /** Lowest first. */
  layers: readonly Descriptor[];
}

export interface IndexEntry extends Descriptor {
  platform: Platform | undefined;
}

export interface IndexManifest {
  kind: "index";
  mediaType: string;
  manifests: readonly IndexEntry[];
}

export type Manifest = ImageManifest | IndexManifest;

/**
 * @param bytes as they were digested
 * @param declared the media type of the descriptor that led here; undefined where there was none
 * @param what names the document in messages: "manifest sha256:..."
 * @throws WpodError IMAGE_INVALID
 */
export function parseManifest(bytes: Uint8Array, declared: string | undefined, what: string): Manifest {
  const document = parseDocument(bytes, what);
  const version = field(document, "schemaVersion");
  if (version === 1) {
    throw new WpodError("IMAGE_INVALID", `${what} is of docker's schema 1, which nobody writes any more`, {
      hint: "convert it: skopeo copy --format oci SOURCE oci:DIR",
    });
  }
  if (version !== 2) throw invalid(`${what} has no schemaVersion 2`);

  const layers = arrayField(document, "layers", what);
  const manifests = arrayField(document, "manifests", what);
  // Two readers that each took another of the two would run different images under one digest.
  if (manifests !== undefined && (layers !== undefined || field(document, "config") !== undefined)) {
    throw invalid(`${what} is both a manifest and an index: it has "layers" or "config", and "manifests"`);
  }
  const kind = manifests !== undefined ? "index" : "image";
  const mediaType = checkMediaType(document, declared, kind, what);
  return manifests !== undefined
    ? parseIndex(manifests, mediaType, what)
    : parseImage(document, layers ?? [], mediaType, what);
}

function checkMediaType(
  document: JsonObject,
  declared: string | undefined,
  kind: "image" | "index",
  what: string,
): string {
  const own = stringField(document, "mediaType", what);
  if (own !== undefined && declared !== undefined && own !== declared) {
    throw invalid(`${what} says that it is ${show(own)}, but what points to it says ${show(declared)}`);
  }
  // OCI documents may leave it out; the fields tell.
  const mediaType = own ?? declared ?? (kind === "index" ? MediaType.ociIndex : MediaType.ociManifest);
  if (manifestKind(mediaType) !== kind) {
    throw invalid(`${what} has the media type ${show(mediaType)}, but the fields of an ${kind}`);
  }
  return mediaType;
}

function parseImage(
  document: JsonObject,
  layers: readonly unknown[],
  mediaType: string,
  what: string,
): ImageManifest {
  const config = objectField(document, "config", what);
  if (config === undefined) throw invalid(`${what} has no config`);
  if (layers.length > LAYERS_MAX) {
    throw invalid(`${what} has ${layers.length} layers; the most that is allowed is ${LAYERS_MAX}`);
  }
  const manifest: ImageManifest = {
    kind: "image",
    mediaType,
    config: parseDescriptor(config, `the config of ${what}`),
    layers: layers.map((layer, index) => parseDescriptor(layer, `layer ${index + 1} of ${what}`)),
  };
  if (!isConfig(manifest.config.mediaType)) {
    throw notAnImage(what, `its config is ${show(manifest.config.mediaType)}`);
  }
  for (const layer of manifest.layers) {
    if (!isLayer(layer.mediaType)) throw notAnImage(what, `it has a layer of ${show(layer.mediaType)}`);
  }
  return manifest;
}

function parseIndex(manifests: readonly unknown[], mediaType: string, what: string): IndexManifest {
  if (manifests.length > INDEX_MANIFESTS_MAX) {
    throw invalid(
      `${what} has ${manifests.length} entries; the most that is allowed is ${INDEX_MANIFESTS_MAX}`,
    );
  }
  return {
    kind: "index",
    mediaType,
    manifests: manifests.map((entry, index) => {
      const where = `entry ${index + 1} of ${what}`;
      const descriptor = parseDescriptor(entry, where);
      return { ...descriptor, platform: parseOfferedPlatform(entry as JsonObject, where) };
    }),
  };
}

function parseDescriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw invalid(`${where} is not an object`);
  const mediaType = stringField(value, "mediaType", where);
  if (mediaType === undefined) throw invalid(`${where} has no mediaType`);
  const sizeBytes = field(value, "size");
  if (typeof sizeBytes !== "number" || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw invalid(`${where} has no valid size`);
  }
  return {
    mediaType,
    digest: parseDigest(field(value, "digest"), where),
    sizeBytes,
    annotations: stringMapField(value, "annotations", where) ?? {},
  };
}

function parseOfferedPlatform(entry: JsonObject, where: string): Platform | undefined {
  const platform = objectField(entry, "platform", where);
  if (platform === undefined) return undefined;
  const os = stringField(platform, "os", where);
  const architecture = stringField(platform, "architecture", where);
  if (os === undefined || architecture === undefined) return undefined;
  return { os, architecture, variant: stringField(platform, "variant", where) };
}

/**
 * What builders put beside an image: attestations and signatures. They have the platform `unknown/unknown`, and must not
 * be taken for one that doesn't say its platform.
 */
export function isAttestation(entry: IndexEntry): boolean {
  return (
    Object.hasOwn(entry.annotations, "vnd.docker.reference.type") ||
    (entry.platform?.os === "unknown" && entry.platform.architecture === "unknown")
  );
}

function notAnImage(what: string, why: string): WpodError {
  return new WpodError("IMAGE_INVALID", `${what} is an artifact, but no image: ${why}`, {
    hint: "a bare module can be imported: wpod import FILE.wasm NAME",
  });
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 120));
}
