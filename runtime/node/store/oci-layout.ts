/**
 * Images of an OCI layout: a directory, or the same in a tar.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
import { WpodError } from "../../core/error.ts";
import { type Digest, digestHex } from "../../core/image/digest.ts";
import { parseDocument, stringField } from "../../core/image/document.ts";
import {
  type Descriptor,
  type ImageManifest,
  type IndexEntry,
  isAttestation,
  parseManifest,
} from "../../core/image/manifest.ts";
import { choosePlatform, type Platform } from "../../core/image/platform.ts";
import { meansOneOf } from "../../core/image/reference.ts";
import { type Archive, type Member, readDocument } from "./archive.ts";
import { imageNames } from "./archive-name.ts";
import { digestOf, type ImageCandidate, type LayerCandidate, offer, readConfig } from "./candidate.ts";

/** An index in an index in an index: no tool makes that. */
const NESTING_MAX = 4;

/** Images with one name, a platform each. */
interface Group {
  /** `org.opencontainers.image.ref.name`. */
  name: string | undefined;
  names: readonly string[];
  entries: IndexEntry[];
}

/** Where blobs lie, by digest. */
export type BlobPath = (digest: Digest) => string;

export interface LayoutOptions {
  platform: Platform | undefined;
  /** Take only the image that has this name in the index; undefined for all. */
  name: string | undefined;
  /** Names the layout in messages, and images that have only a tag: the path that was given. */
  path: string;
}

export async function isOciLayout(archive: Archive): Promise<boolean> {
  const member = await archive.open("index.json");
  await member?.close();
  return member !== undefined;
}

/** @throws WpodError IMAGE_INVALID, IMAGE_PLATFORM, BLOB_CORRUPT; IMAGE_NOT_KNOWN for a name that isn't there */
export async function readOciLayout(archive: Archive, options: LayoutOptions): Promise<ImageCandidate[]> {
  const marker = await readDocument(archive, "oci-layout");
  if (marker !== undefined) {
    const version = stringField(parseDocument(marker, '"oci-layout"'), "imageLayoutVersion", '"oci-layout"');
    if (version !== undefined && !version.startsWith("1.")) {
      throw new WpodError(
        "IMAGE_INVALID",
        `${options.path} is an OCI layout of the version ${JSON.stringify(version.slice(0, 20))}; wpod reads version 1`,
      );
    }
  }
  const bytes = (await readDocument(archive, "index.json")) ?? new Uint8Array();
  const index = parseManifest(bytes, undefined, '"index.json"');
  if (index.kind !== "index")
    throw new WpodError("IMAGE_INVALID", '"index.json" is no index, but a manifest');
  const all = groupByName(index.manifests, options.path);
  const groups =
    options.name === undefined ? all : all.filter((group) => fits(group, options.name as string));
  if (groups.length === 0) {
    const names = all.map((group) => group.name ?? "(without a name)");
    throw new WpodError(
      "IMAGE_NOT_KNOWN",
      options.name === undefined
        ? `${options.path} holds no image`
        : `${options.path} holds no image ${JSON.stringify(options.name)}: it holds ${names.slice(0, 20).join(", ")}`,
    );
  }
  const candidates: ImageCandidate[] = [];
  for (const group of groups) candidates.push(await readGroup(archive, group, options));
  return candidates;
}

/** One image whose manifest is at hand. */
export async function readImage(
  archive: Archive,
  manifest: ImageManifest,
  bytes: Uint8Array,
  blobPath: BlobPath,
  { path, platform }: LayoutOptions,
): Promise<Pick<ImageCandidate, "config" | "layers" | "manifest">> {
  const configBytes = await readBlob(archive, manifest.config, blobPath, "config");
  const config = readConfig(configBytes, manifest.layers.length, platform, path);
  const layers = manifest.layers.map((layer, index): LayerCandidate => {
    const what = `layer ${layer.digest}`;
    return {
      diffId: config.diffIds[index] as Digest,
      digest: layer.digest,
      mediaType: layer.mediaType,
      what,
      open: () => openBlob(archive, layer, blobPath, what),
    };
  });
  return { config, layers, manifest: { digest: digestOf(bytes), bytes } };
}

async function readGroup(archive: Archive, group: Group, options: LayoutOptions): Promise<ImageCandidate> {
  const indexes: Digest[] = [];
  let entries: readonly IndexEntry[] = group.entries;
  for (let depth = 0; depth < NESTING_MAX; depth++) {
    const images = entries.filter((entry) => !isAttestation(entry));
    const descriptor = choose(images, options);
    const bytes = await readBlob(archive, descriptor, ociPath, "manifest");
    const manifest = parseManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest}`);
    if (manifest.kind === "image") {
      return {
        ...(await readImage(archive, manifest, bytes, ociPath, options)),
        indexes,
        names: group.names,
      };
    }
    indexes.push(descriptor.digest);
    entries = manifest.manifests;
  }
  throw new WpodError("IMAGE_INVALID", `${options.path} has indexes nested over ${NESTING_MAX} deep`);
}

/** A single one needs no choice: what it is, its config says better. */
function choose(entries: readonly IndexEntry[], { platform, path }: LayoutOptions): IndexEntry {
  const [only] = entries;
  if (only !== undefined && entries.length === 1) return only;
  const { index } = choosePlatform(
    entries.map((entry) => offer(entry.platform)),
    platform,
    path,
  );
  return entries[index] as IndexEntry;
}

function groupByName(entries: readonly IndexEntry[], path: string): Group[] {
  const groups = new Map<string, Group>();
  for (const entry of entries) {
    const { name, names } = imageNames(entry.annotations, path);
    // Those without a name are variants of one image, if they differ in their platforms.
    const key = JSON.stringify([name, names]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { name, names, entries: [entry] });
    else group.entries.push(entry);
  }
  return [...groups.values()].filter((group) => group.entries.some((entry) => !isAttestation(entry)));
}

function fits(group: Group, name: string): boolean {
  return group.name === name || meansOneOf(name, group.names);
}

function ociPath(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

async function openBlob(
  archive: Archive,
  descriptor: Descriptor,
  blobPath: BlobPath,
  what: string,
): Promise<Member> {
  const member = await archive.open(blobPath(descriptor.digest));
  if (member === undefined) {
    throw new WpodError("IMAGE_INVALID", `${what} is missing from the archive`, {
      hint: "an image whose layers lie elsewhere has to be pulled by a tool that fetches them",
    });
  }
  if (member.sizeBytes === descriptor.sizeBytes) return member;
  await member.close();
  throw new WpodError(
    "BLOB_CORRUPT",
    `${what} is corrupt: it has ${member.sizeBytes} bytes, where ${descriptor.sizeBytes} were announced`,
    { hint: "copy or pull the image again; nothing was imported" },
  );
}

async function readBlob(
  archive: Archive,
  descriptor: Descriptor,
  blobPath: BlobPath,
  kind: string,
): Promise<Uint8Array> {
  const what = `${kind} ${descriptor.digest}`;
  const member = await openBlob(archive, descriptor, blobPath, what);
  await member.close();
  const bytes = (await readDocument(archive, blobPath(descriptor.digest))) as Uint8Array;
  const digest = digestOf(bytes);
  if (digest === descriptor.digest) return bytes;
  throw new WpodError("BLOB_CORRUPT", `${what} is corrupt: what came has the digest ${digest}`, {
    hint: "copy or pull the image again; nothing was imported",
  });
}
