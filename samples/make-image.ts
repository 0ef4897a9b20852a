/**
 * Makes the image of a sample: an OCI layout directory, as buildah and skopeo write them. The same sample gives the same bytes.
 *
 * usage: node samples/make-image.ts hello|files DIRECTORY
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { pack } from "tar-stream";
import { readSample, SAMPLES, type Sample, type SampleName, sampleDirectory } from "./sample.ts";

/** 2026-01-01T00:00:00Z: an image that says when it was made would be another one every time. */
const CREATED = new Date(Date.UTC(2026, 0, 1));

const MEDIA_TYPE = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};

/** @param directory of the layout; made when it isn't there */
export async function makeImage(name: SampleName, directory: string): Promise<Sample> {
  const sample = await readSample(name);
  await mkdir(join(directory, "blobs", "sha256"), { recursive: true });
  const addBlob = async (mediaType: string, content: Uint8Array) => {
    const hex = sha256(content);
    await writeFile(join(directory, "blobs", "sha256", hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };

  const tar = await layerOf(sample, sampleDirectory(name));
  const config = {
    created: CREATED.toISOString(),
    os: "wasi",
    architecture: "wasm",
    config: sample.config,
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(tar)}`] },
    history: [{ created: CREATED.toISOString(), created_by: `samples/make-image.ts ${name}` }],
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await addBlob(MEDIA_TYPE.config, json(config)),
    layers: [await addBlob(MEDIA_TYPE.layer, tar)],
  };
  const annotations = { "org.opencontainers.image.ref.name": sample.name };
  const manifests = [{ ...(await addBlob(MEDIA_TYPE.manifest, json(manifest))), annotations }];
  await writeFile(join(directory, "index.json"), json({ schemaVersion: 2, manifests }));
  await writeFile(join(directory, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  return sample;
}

/** The tar of the only layer, not compressed, since zlib's output depends on its version and platform: directories before what is in them, all in order of their paths. */
async function layerOf(sample: Sample, directory: string): Promise<Buffer> {
  const tar = pack();
  const common = { mtime: CREATED, uid: 0, gid: 0 };
  const paths = [...Object.keys(sample.files), ...Object.keys(sample.links)];
  for (const path of [...new Set(paths.flatMap(ancestors)), ...paths].sort()) {
    const name = path.slice(1);
    const file = sample.files[path];
    if (file !== undefined) {
      const mode = file.endsWith(".wasm") ? 0o755 : 0o644;
      tar.entry({ ...common, name, mode }, await readFile(join(directory, file)));
    } else if (path in sample.links) {
      tar.entry({ ...common, name, type: "symlink", mode: 0o777, linkname: sample.links[path]! });
    } else {
      tar.entry({ ...common, name: `${name}/`, type: "directory", mode: 0o755 });
    }
  }
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

/** Directories above a path, without the root. */
function ancestors(path: string): string[] {
  const parent = posix.dirname(path);
  return parent === "/" ? [] : [...ancestors(parent), parent];
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

if (import.meta.main) {
  const name = SAMPLES.find((sample) => sample === process.argv[2]);
  const directory = process.argv[3];
  if (name === undefined || directory === undefined) {
    console.error(`usage: node samples/make-image.ts ${SAMPLES.join("|")} DIRECTORY`);
    process.exitCode = 2;
  } else {
    await makeImage(name, directory);
  }
}
