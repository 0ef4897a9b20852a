/** What an image from an archive is called. */
import { basename } from "node:path";
import { WpodError } from "../../core/error.ts";
import { normalizeDockerReference, normalizeReference, parseReference } from "../../core/image/reference.ts";

/** Written by docker and containerd: the whole name. */
const CONTAINERD_NAME = "io.containerd.image.name";
/** Written by everybody else: by the specification only what follows the name, in practice often all of it. */
const REF_NAME = "org.opencontainers.image.ref.name";

/** A word that nobody would call an image: skopeo and umoci put the tag alone there. */
const PLAIN_TAG = /^(?:latest|v?[0-9][A-Za-z0-9_.-]*)$/;

/**
 * Names from an entry of an OCI index. As podman takes them, a word is the name of an image (`hello` is
 * `localhost/hello:latest`); except that one which reads as a tag is the tag of an image called as the archive is.
 *
 * @param path of the archive, as it was given
 * @returns `name` as it stands there, and the normalised names; none when what stands there can't be one
 */
export function imageNames(
  annotations: Readonly<Record<string, string>>,
  path: string,
): { name: string | undefined; names: string[] } {
  const own = (key: string) => (Object.hasOwn(annotations, key) ? annotations[key] : undefined);
  const refName = own(REF_NAME);
  const whole = own(CONTAINERD_NAME);
  if (whole !== undefined) return { name: refName ?? whole, names: attempt(() => dockerName(whole)) };
  if (refName === undefined) return { name: undefined, names: [] };
  const text = PLAIN_TAG.test(refName) ? `${archiveName(path)}:${refName}` : refName;
  return { name: refName, names: attempt(() => normalizeReference(parseReference(text))) };
}

/** Names from the `RepoTags` of a docker-archive. */
export function dockerNames(tags: readonly string[]): string[] {
  return tags.flatMap((tag) => attempt(() => dockerName(tag)));
}

function dockerName(text: string): string {
  return normalizeDockerReference(parseReference(text));
}

/** The file's or folder's name, as far as it can be one of an image. */
function archiveName(path: string): string {
  const name = basename(path).toLowerCase();
  const stem = name.replace(/\.(?:tar|oci|tgz|gz|zst|tar\.gz|tar\.zst)$/, "").replace(/\.(?:tar|oci)$/, "");
  return stem.replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "") || "image";
}

/** A name that can't be one is no reason to refuse the image. */
function attempt(name: () => string): string[] {
  try {
    const normalized = name();
    return normalized.includes("@") ? [] : [normalized];
  } catch (error) {
    if (error instanceof WpodError) return [];
    throw error;
  }
}
