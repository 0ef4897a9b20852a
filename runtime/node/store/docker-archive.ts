/**
 * Images of `docker save`: a tar with a `manifest.json` that names configs and layers. They have no manifest of a
 * registry: what layers must be, only the configs' diffIDs say.
 */
import { WpodError } from "../../core/error.ts";
import type { Digest } from "../../core/image/digest.ts";
import { arrayField, isObject, parseJson, stringField, stringsField } from "../../core/image/document.ts";
import { LAYERS_MAX } from "../../core/image/limits.ts";
import { MediaType } from "../../core/image/media-type.ts";
import type { Platform } from "../../core/image/platform.ts";
import { meansOneOf } from "../../core/image/reference.ts";
import { type Archive, readDocument } from "./archive.ts";
import { dockerNames } from "./archive-name.ts";
import { digestOf, type ImageCandidate, type LayerCandidate, readConfig } from "./candidate.ts";

export interface DockerArchiveOptions {
  platform: Platform | undefined;
  /** Take only the image that has this name; undefined for all. */
  name: string | undefined;
  /** Names the archive in messages. */
  path: string;
}

const DOCUMENT = '"manifest.json"';

export async function isDockerArchive(archive: Archive): Promise<boolean> {
  const member = await archive.open("manifest.json");
  await member?.close();
  return member !== undefined;
}

/** @throws WpodError IMAGE_INVALID, IMAGE_PLATFORM, BLOB_CORRUPT; IMAGE_NOT_KNOWN for a name that isn't there */
export async function readDockerArchive(
  archive: Archive,
  options: DockerArchiveOptions,
): Promise<ImageCandidate[]> {
  const bytes = (await readDocument(archive, "manifest.json")) ?? new Uint8Array();
  const list = parseJson(bytes, DOCUMENT);
  if (!Array.isArray(list)) throw new WpodError("IMAGE_INVALID", `${DOCUMENT} is not a list`);
  const found: string[] = [];
  const candidates: ImageCandidate[] = [];
  for (const [index, item] of list.entries()) {
    const where = `image ${index + 1} of ${DOCUMENT}`;
    if (!isObject(item)) throw new WpodError("IMAGE_INVALID", `${where} is not an object`);
    const tags = stringsField(item, "RepoTags", where) ?? [];
    const names = dockerNames(tags);
    found.push(...tags);
    if (options.name !== undefined && !tags.includes(options.name) && !meansOneOf(options.name, names))
      continue;
    const config = stringField(item, "Config", where);
    if (config === undefined) throw new WpodError("IMAGE_INVALID", `${where} has no Config`);
    const layers = arrayField(item, "Layers", where) ?? [];
    if (layers.length > LAYERS_MAX || !layers.every((path) => typeof path === "string")) {
      throw new WpodError("IMAGE_INVALID", `${where} has no valid list of layers`);
    }
    candidates.push(await readImage(archive, config, layers, names, options));
  }
  if (candidates.length > 0) return candidates;
  throw new WpodError(
    "IMAGE_NOT_KNOWN",
    options.name === undefined
      ? `${options.path} holds no image`
      : `${options.path} holds no image ${JSON.stringify(options.name)}: it holds ${found.slice(0, 20).join(", ")}`,
  );
}

async function readImage(
  archive: Archive,
  configPath: string,
  layerPaths: readonly string[],
  names: readonly string[],
  { platform, path }: DockerArchiveOptions,
): Promise<ImageCandidate> {
  const bytes = await readDocument(archive, configPath);
  if (bytes === undefined) {
    throw new WpodError(
      "IMAGE_INVALID",
      `config ${JSON.stringify(configPath.slice(0, 200))} is missing from the archive`,
    );
  }
  checkConfigName(configPath, digestOf(bytes));
  const config = readConfig(bytes, layerPaths.length, platform, path);
  const layers = layerPaths.map((layerPath, index): LayerCandidate => {
    const diffId = config.diffIds[index] as Digest;
    const what = `layer ${diffId}`;
    return {
      diffId,
      digest: undefined,
      mediaType: MediaType.ociLayer,
      what,
      async open() {
        const member = await archive.open(layerPath);
        if (member !== undefined) return member;
        throw new WpodError("IMAGE_INVALID", `${what} is missing from the archive`);
      },
    };
  });
  return { config, layers, manifest: undefined, indexes: [], names };
}

/** Configs are named after their digest: `<hex>.json`, `blobs/sha256/<hex>`. */
function checkConfigName(path: string, digest: Digest): void {
  const named = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
  if (named === undefined || digest === `sha256:${named}`) return;
  throw new WpodError(
    "BLOB_CORRUPT",
    `config sha256:${named} is corrupt: what came has the digest ${digest}`,
    {
      hint: "save the image again; nothing was imported",
    },
  );
}
