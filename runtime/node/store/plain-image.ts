/** Images of one layer from what is no image yet: a root file system, or a module. */
import { basename } from "node:path";
import type { Digest } from "../../core/image/digest.ts";
import { MediaType } from "../../core/image/media-type.ts";
import { repositoryOf } from "../../core/image/reference.ts";
import { tarHeader, tarPaddingBytes } from "../../core/image/tar-header.ts";
import type { Member } from "./archive.ts";
import { type ImageCandidate, readConfig } from "./candidate.ts";
import { streamLayer } from "./layer-stream.ts";

export interface PlainInput {
  /** Uncompressed. */
  member: Member;
  /** Normalised name for the image. */
  tag: string | undefined;
  nowMs: number;
  signal: AbortSignal | undefined;
  /** As it was given. */
  path: string;
}

const WASM_PLATFORM = { architecture: "wasm", os: "wasi" };
/** End of an archive: two blocks of zeros. */
const END_BYTES = 1024;

/** The tar is the layer, as it is. */
export async function rootFileSystemImage(input: PlainInput): Promise<ImageCandidate> {
  return await layerImage(input, input.member, {});
}

/** The module becomes `/NAME.wasm`, after the image, or the file when the image has no name; it is the entry point. */
export async function moduleImage(input: PlainInput): Promise<ImageCandidate> {
  const { member, tag, path } = input;
  const stem = tag === undefined ? basename(path).replace(/\.wasm$/i, "") : basename(repositoryOf(tag));
  const name = `${stem.replaceAll(/[^A-Za-z0-9._-]/g, "_").slice(0, 80) || "program"}.wasm`;
  const header = tarHeader({ path: name, sizeBytes: member.sizeBytes, mode: 0o755 });
  return await layerImage(input, wrapped(header, member), { Entrypoint: [`/${name}`] });
}

async function layerImage(input: PlainInput, member: Member, config: object): Promise<ImageCandidate> {
  // Read twice, the first time only for its diffID: what was checked is what is written then.
  const { diffId } = await streamLayer(member, { what: `layer of ${input.path}`, signal: input.signal });
  const created = new Date(input.nowMs).toISOString();
  const bytes = new TextEncoder().encode(
    JSON.stringify({
      created,
      ...WASM_PLATFORM,
      config,
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ created, created_by: "wpod import", comment: `imported from ${basename(input.path)}` }],
    }),
  );
  return {
    config: readConfig(bytes, 1, undefined, input.path),
    layers: [
      {
        diffId: diffId as Digest,
        digest: undefined,
        mediaType: MediaType.ociLayer,
        what: `layer ${diffId}`,
        open: async () => ({
          sizeBytes: member.sizeBytes,
          read: (target, at) => member.read(target, at),
          async close() {},
        }),
      },
    ],
    manifest: undefined,
    indexes: [],
    names: input.tag === undefined ? [] : [input.tag],
  };
}

/** A tar of one file, made while it is read. */
function wrapped(header: Uint8Array, content: Member): Member {
  const contentEnd = header.length + content.sizeBytes;
  const sizeBytes = contentEnd + tarPaddingBytes(content.sizeBytes) + END_BYTES;
  return {
    sizeBytes,
    async read(target, at) {
      if (at < header.length) {
        const part = header.subarray(at, at + target.length);
        target.set(part);
        return part.length;
      }
      if (at < contentEnd) return await content.read(target.subarray(0, contentEnd - at), at - header.length);
      const count = Math.min(target.length, Math.max(0, sizeBytes - at));
      target.fill(0, 0, count);
      return count;
    },
    async close() {},
  };
}
