/**
 * Flags for a Node process that may touch what it is given, and little else.
 *
 * Defence in depth, not a boundary: `node:sqlite` asks nobody, links out of a grant are followed, what is open already may be
 * used, and Node 24 leaves the network open.
 * @see https://nodejs.org/api/permissions.html
 */

export interface Grants {
  /** Files, or folders with all that is in them. They have to be there. */
  readonly read: readonly string[];
  readonly write: readonly string[];
}

const WANTED = ["--permission", "--allow-worker"];
/** Node 24 has no such flag: a thread that is busy in its own code is interrupted through it. */
const OPTIONAL = ["--allow-inspector"];

const NO_WARNING = "--disable-warning=SecurityWarning";

/** This process has them. */
export function isRestricted(): boolean {
  return process.permission !== undefined;
}

export function permissionFlags({ read, write }: Grants): string[] {
  const known = process.allowedNodeEnvironmentFlags;
  return [
    ...WANTED,
    ...OPTIONAL.filter((flag) => known.has(flag)),
    ...[...new Set([...read, ...write])].map((path) => `--allow-fs-read=${path}`),
    ...[...new Set(write)].map((path) => `--allow-fs-write=${path}`),
    // Nobody can do anything about it: threads are what this is for, and they get the same flags.
    NO_WARNING,
  ];
}

/** Those of this process, for its threads: they would have every right without. */
export function inheritedPermissionFlags(): string[] {
  if (!isRestricted()) return [];
  return process.execArgv.filter((flag) => flag === NO_WARNING || /^--(permission$|allow-)/.test(flag));
}
