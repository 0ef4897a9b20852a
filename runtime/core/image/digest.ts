/**
 * Digests of content, as OCI spells them: `sha256:` and 64 lower-case hex digits.
 *
 * Only sha256 is taken: every registry and tool writes it, and one algorithm keeps file names and keys simple.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
 */
import { WpodError } from "../error.ts";

/** `sha256:<64 hex digits>`. */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const ANY_DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

export function isDigest(value: unknown): value is Digest {
  return typeof value === "string" && DIGEST.test(value);
}

/**
 * @param where what the digest was found in, for the message: "the manifest's layer 2"
 * @throws WpodError IMAGE_INVALID
 */
export function parseDigest(value: unknown, where: string): Digest {
  if (isDigest(value)) return value;
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : "nothing";
  if (typeof value === "string" && ANY_DIGEST.test(value) && !value.startsWith("sha256:")) {
    throw new WpodError("IMAGE_INVALID", `${where} has a digest of a kind that wpod doesn't know: ${shown}`, {
      hint: "wpod takes sha256 digests",
    });
  }
  throw new WpodError("IMAGE_INVALID", `${where} has an invalid digest: ${shown}`);
}

/** The 64 hex digits of a digest: what blobs are named after in an OCI layout. */
export function digestHex(digest: Digest): string {
  return digest.slice("sha256:".length);
}
