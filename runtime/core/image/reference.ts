/**
 * Names of images: `[host[:port]/]path[:tag][@digest]`, in docker's grammar.
 *
 * A short name is completed as podman does for what was made here: `hello` is `localhost/hello:latest`. Looking up is
 * more generous (`lookupNames`): `hello` also finds `docker.io/library/hello:latest` from an archive of docker's.
 *
 * @see https://pkg.go.dev/github.com/distribution/reference
 */
import { WpodError } from "../error.ts";
import { type Digest, isDigest } from "./digest.ts";

export interface Reference {
  /** `localhost`, `docker.io`, `127.0.0.1:5000`; undefined when the name doesn't say. */
  domain: string | undefined;
  /** `library/hello`. */
  path: string;
  /** Undefined when there is none; see `normalize`. */
  tag: string | undefined;
  digest: Digest | undefined;
}

const LOCAL_DOMAIN = "localhost";
const DOCKER_DOMAIN = "docker.io";
const DEFAULT_TAG = "latest";
/** Bytes of domain and path together. */
const NAME_LENGTH_MAX = 255;

const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const HEX_ID = /^[0-9a-f]{64}$/;

/** @throws WpodError REFERENCE_INVALID */
export function parseReference(text: string): Reference {
  let rest = text;
  let digest: Digest | undefined;
  const at = rest.indexOf("@");
  if (at >= 0) {
    const given = rest.slice(at + 1);
    if (!isDigest(given)) throw refuse(text, "its digest is not sha256: and 64 hex digits");
    digest = given;
    rest = rest.slice(0, at);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(":");
  // A colon before the last slash belongs to a port.
  if (colon > rest.lastIndexOf("/")) {
    tag = rest.slice(colon + 1);
    rest = rest.slice(0, colon);
    if (!TAG.test(tag)) throw refuse(text, "its tag is not letters, digits and _ . -, at most 128");
  }
  // 64 hex digits are an id: as a name they would hide the image that has it.
  if (HEX_ID.test(rest)) throw refuse(text, "64 hex digits are an id, not a name");

  const { domain, path } = splitDomain(rest);
  if (!PATH.test(path)) {
    if (PATH.test(path.toLowerCase())) {
      throw new WpodError(
        "REFERENCE_INVALID",
        `invalid reference format: repository name (${rest}) must be lowercase`,
      );
    }
    throw refuse(text);
  }
  if (domain !== undefined && !DOMAIN.test(domain)) throw refuse(text);
  if (rest.length > NAME_LENGTH_MAX) throw refuse(text, `its name is over ${NAME_LENGTH_MAX} characters`);
  return { domain, path, tag, digest };
}

/** `localhost/hello:latest`: a domain always, and a tag unless there is a digest. */
export function normalizeReference(reference: Reference): string {
  return format({ ...reference, domain: reference.domain ?? LOCAL_DOMAIN });
}

/**
 * As docker completes a name: `hello` is `docker.io/library/hello:latest`. For the names in an archive of docker's,
 * which leaves out what is the default there.
 */
export function normalizeDockerReference(reference: Reference): string {
  const { domain, path } = reference;
  return format({
    ...reference,
    domain: domain ?? DOCKER_DOMAIN,
    path:
      (domain === undefined || domain === DOCKER_DOMAIN) && !path.includes("/") ? `library/${path}` : path,
  });
}

/** Normalised names that a person may mean by this reference, the likeliest first. Digest not included. */
export function lookupNames(reference: Reference): string[] {
  const plain = { ...reference, digest: undefined };
  if (reference.domain !== undefined && reference.domain !== DOCKER_DOMAIN) return [format(plain)];
  const docker = normalizeDockerReference(plain);
  if (reference.domain !== undefined) return [docker];
  return [normalizeReference(plain), docker];
}

/**
 * Whether what a person wrote means one of these normalised names.
 * @param text anything; what is no reference means none
 */
export function meansOneOf(text: string, names: readonly string[]): boolean {
  try {
    return lookupNames(parseReference(text)).some((name) => names.includes(name));
  } catch (error) {
    if (error instanceof WpodError) return false;
    throw error;
  }
}

/** The name without tag and digest. */
export function repositoryOf(normalized: string): string {
  const name = normalized.split("@", 1)[0] as string;
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}

function format({ domain, path, tag, digest }: Reference): string {
  const name = domain === undefined ? path : `${domain}/${path}`;
  const tagged =
    tag !== undefined ? `${name}:${tag}` : digest === undefined ? `${name}:${DEFAULT_TAG}` : name;
  return digest === undefined ? tagged : `${tagged}@${digest}`;
}

/** The first component is a domain when it looks like a host: it has a dot, a port or capitals, or is `localhost`. */
function splitDomain(name: string): { domain: string | undefined; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isDomain =
    slash > 0 && (/[.:[]/.test(first) || first === LOCAL_DOMAIN || first !== first.toLowerCase());
  if (!isDomain) return { domain: undefined, path: name };
  const domain = first === "index.docker.io" ? DOCKER_DOMAIN : first;
  return { domain, path: name.slice(slash + 1) };
}

function refuse(text: string, why?: string): WpodError {
  const shown = JSON.stringify(text.slice(0, 300));
  return new WpodError(
    "REFERENCE_INVALID",
    `invalid reference format: ${shown}${why === undefined ? "" : `: ${why}`}`,
    { hint: "a name looks like hello, hello:1.0 or localhost/team/hello:1.0" },
  );
}
