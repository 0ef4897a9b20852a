/** Who asks: what a process shows when it touches a file. */

export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** Permission bits that new files never get. */
  readonly umask: number;
}

/** Bits of a permission that is asked for, as in `access(2)`. */
export const Access = { execute: 1, write: 2, read: 4 } as const;

/** What a permission check looks at. */
export interface Owned {
  /** `0o7777`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The one class of bits that counts is the first that fits: owner, group, others. uid 0 passes always: whether a file
 * has an execute bit matters nowhere here, since programs are run by their content.
 *
 * @see path_resolution(7)
 */
export function isPermitted(file: Owned, credentials: Credentials, wanted: number): boolean {
  if (credentials.uid === 0) return true;
  const mode = file.mode;
  if (file.uid === credentials.uid) return ((mode >> 6) & wanted) === wanted;
  if (isMember(credentials, file.gid)) return ((mode >> 3) & wanted) === wanted;
  return (mode & wanted) === wanted;
}

function isMember(credentials: Credentials, gid: number): boolean {
  return credentials.gid === gid || credentials.groups.includes(gid);
}

/** Sticky directories: only the owner of the file or of the directory may take a name out of it. */
export function isHeldBySticky(directory: Owned, file: Owned, credentials: Credentials): boolean {
  if ((directory.mode & 0o1000) === 0 || credentials.uid === 0) return false;
  return file.uid !== credentials.uid && directory.uid !== credentials.uid;
}
