/**
 * The resolver: one component after the other, over inodes, for every path of guests, mounts and helpers. No text is
 * compared with the start of another.
 *
 * One object is used again and again: a walk leaves its result in the fields, and allocates nothing.
 * @see path_resolution(7)
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { Access, type Credentials, isPermitted } from "./credentials.ts";
import type { Dentry } from "./dentry.ts";
import type { Mount } from "./mount.ts";
import { utf8Length } from "./utf8.ts";

const NAME_BYTES_MAX = 255;
/** Linux counts the NUL that ends a path; WASI has none, so one byte less. */
export const PATH_BYTES_MAX = 4095;
const SYMLINKS_MAX = 40;

/** What becomes of a symbolic link in the last component. */
export const Follow = {
  /** Never: the name itself is made, removed or moved, whatever slash stands behind it. */
  never: 0,
  /** Only when a slash follows it: `lstat`. */
  beforeSlash: 1,
  always: 2,
  /** Always, but for a name with a slash behind it: `open` with O_CREAT refuses that without looking at it. */
  toCreate: 3,
} as const;
export type Follow = (typeof Follow)[keyof typeof Follow];

/** What the last component was. Only a name can be made, removed or moved. */
export const Last = { name: 0, dot: 1, dotdot: 2, root: 3 } as const;
export type Last = (typeof Last)[keyof typeof Last];

const SLASH = 47;
const DOT = 46;
/** A UTF-16 unit makes 3 bytes at most: shorter texts need no counting. */
const NAME_UNITS_SAFE = Math.floor(NAME_BYTES_MAX / 3);
const PATH_UNITS_SAFE = Math.floor(PATH_BYTES_MAX / 3);

export class PathWalk {
  /** Gets the directories in which names are looked up, where somebody wants to know. */
  trace: Dentry[] | undefined = undefined;
  readonly #root: Mount;
  /** Undefined: the last name isn't there, all before it is. */
  found: Dentry | undefined = undefined;
  foundMount: Mount;
  /** The directory that the last component was looked up in. */
  directory: Dentry;
  directoryMount: Mount;
  name = "";
  last: Last = Last.root;
  /** A slash stood behind the last component. */
  slash = false;
  /** The directory that must not be left, while a walk goes on. */
  #bound: Dentry | undefined = undefined;
  #boundMount: Mount;

  constructor(root: Mount) {
    this.#root = root;
    this.foundMount = root;
    this.directory = root.root;
    this.directoryMount = root;
    this.#boundMount = root;
  }

  /**
   * @param beneath the start must not be left, by `..`, an absolute path or a link: EPERM
   * @returns 0, or a negative `Errno`: ENOENT (a directory on the way isn't there, or the path is empty), ENOTDIR,
   *   EACCES (no search permission), ELOOP (more than 40 links), ENAMETOOLONG, EPERM
   */
  run(
    mount: Mount,
    start: Dentry,
    path: string,
    follow: Follow,
    credentials: Credentials,
    beneath: boolean,
  ): number {
    if (path.length === 0) return -Errno.ENOENT;
    if (path.length > PATH_UNITS_SAFE && utf8Length(path) > PATH_BYTES_MAX) return -Errno.ENAMETOOLONG;
    this.#bound = beneath ? start : undefined;
    this.#boundMount = mount;
    this.directory = start;
    this.directoryMount = mount;
    this.last = Last.root;
    this.slash = false;
    let rest = path;
    let at = 0;
    let linkCount = 0;
    if (rest.charCodeAt(0) === SLASH) {
      if (beneath) return -Errno.EPERM;
      this.#toRoot();
      at = skipSlashes(rest, 0);
      if (at === rest.length) return this.#endHere(Last.root, true);
    }
    for (;;) {
      const slashAt = rest.indexOf("/", at);
      const end = slashAt < 0 ? rest.length : slashAt;
      const next = slashAt < 0 ? end : skipSlashes(rest, slashAt);
      const isLast = next === rest.length;
      const slash = isLast && slashAt >= 0;
      const directory = this.directory;
      if (directory.type !== FileType.directory) return -Errno.ENOTDIR;
      if (credentials.uid !== 0 && !isPermitted(directory, credentials, Access.execute)) return -Errno.EACCES;

      if (
        rest.charCodeAt(at) === DOT &&
        end - at <= 2 &&
        (end - at === 1 || rest.charCodeAt(at + 1) === DOT)
      ) {
        const isParent = end - at === 2;
        if (isParent) {
          const refused = this.#climb();
          if (refused < 0) return refused;
        }
        if (isLast) return this.#endHere(isParent ? Last.dotdot : Last.dot, slash);
        at = next;
        continue;
      }

      const name = at === 0 && end === rest.length ? rest : rest.slice(at, end);
      if (name.length > NAME_UNITS_SAFE && utf8Length(name) > NAME_BYTES_MAX) return -Errno.ENAMETOOLONG;
      this.trace?.push(directory);
      let child = directory.lookUp(name);
      if (typeof child === "number") {
        if (child !== -Errno.ENOENT || !isLast) return child;
        this.found = undefined;
        this.name = name;
        this.last = Last.name;
        this.slash = slash;
        return 0;
      }
      let childMount = this.directoryMount;
      while (child.mountCount > 0) {
        const covering: Mount | undefined = childMount.mountOn(child);
        if (covering === undefined) break;
        childMount = covering;
        child = covering.root;
      }
      if (child.type === FileType.symbolicLink && (!isLast || follows(follow, slash))) {
        if (++linkCount > SYMLINKS_MAX) return -Errno.ELOOP;
        const target = child.readTarget();
        if (typeof target === "number") return target;
        if (target.length === 0) return -Errno.ENOENT;
        rest = end === rest.length ? target : target + rest.slice(end);
        at = 0;
        if (target.charCodeAt(0) === SLASH) {
          if (beneath) return -Errno.EPERM;
          this.#toRoot();
          at = skipSlashes(rest, 0);
          if (at === rest.length) return this.#endHere(Last.root, true);
        }
        continue;
      }
      if (isLast) {
        if (slash && follows(follow, slash) && child.type !== FileType.directory) return -Errno.ENOTDIR;
        this.found = child;
        this.foundMount = childMount;
        this.name = name;
        this.last = Last.name;
        this.slash = slash;
        return 0;
      }
      this.directory = child;
      this.directoryMount = childMount;
      at = next;
    }
  }

  #endHere(last: Last, slash: boolean): number {
    this.found = this.directory;
    this.foundMount = this.directoryMount;
    this.name = "";
    this.last = last;
    this.slash = slash;
    return 0;
  }

  #toRoot(): void {
    this.directory = this.#root.root;
    this.directoryMount = this.#root;
  }

  /**
   * One up; the root of all is its own parent. EPERM at the directory that must not be left. ENOENT where a part of a
   * tree is mounted, and the directory was moved out of that part: above it is what nobody has mounted.
   */
  #climb(): number {
    let mount = this.directoryMount;
    let dentry = this.directory;
    if (dentry === this.#bound && mount === this.#boundMount) return -Errno.EPERM;
    while (dentry === mount.root) {
      if (mount.parent === undefined) return 0;
      dentry = mount.point!;
      mount = mount.parent;
    }
    if (!mount.reaches(dentry)) return -Errno.ENOENT;
    dentry = dentry.up ?? dentry;
    while (dentry.mountCount > 0) {
      const covering = mount.mountOn(dentry);
      if (covering === undefined) break;
      mount = covering;
      dentry = covering.root;
    }
    this.directory = dentry;
    this.directoryMount = mount;
    return 0;
  }
}

/** Is a link in the last component followed, and so taken for a directory if a slash stands behind it? */
function follows(follow: Follow, slash: boolean): boolean {
  return follow === Follow.always || (slash ? follow === Follow.beforeSlash : follow === Follow.toCreate);
}

function skipSlashes(path: string, from: number): number {
  let at = from;
  while (path.charCodeAt(at) === SLASH) at++;
  return at;
}
