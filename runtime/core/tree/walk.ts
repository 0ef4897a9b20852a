/**
 * The one resolver: from a directory along a path to a place, component by component, over inodes.
 *
 * @see path_resolution(7)
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap04.html#tag_04_16
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { type Credentials, DirectoryInode, type Inode, PERMIT_EXECUTE, permits } from "./inode.ts";
import type { Mount, Place } from "./mount-table.ts";

/** Bytes of one name and of a whole path, as on Linux. Counted in UTF-8. */
export const NAME_BYTES_MAX = 255;
export const PATH_BYTES_MAX = 4096;
/** Symbolic links in one walk. */
export const LINKS_MAX = 40;

/** Where walks start and what they may not leave. */
export interface Base {
  readonly mount: Mount;
  readonly directory: DirectoryInode;
  /**
   * A capability: `..`, absolute paths and absolute links that would leave this directory are refused. Undefined for
   * the container's root, where they mean the root.
   */
  readonly ceiling: DirectoryInode | undefined;
  readonly root: Place;
  readonly who: Credentials;
}

/** What a walk found. One object, filled anew by each walk. */
export interface Walk {
  /** The mount that `directory` is on. */
  mount: Mount;
  /** The directory that has, or would have, the last component. */
  directory: DirectoryInode;
  /** The last component; "" when the path ends in `.`, `..` or at a root. */
  name: string;
  /** What stands there, with what is mounted over it; undefined when nothing does. */
  inode: Inode | undefined;
  /** The mount that `inode` is on. */
  inodeMount: Mount;
  /** The path ended in a slash: it has to be a directory. */
  slash: boolean;
}

/** What a path says without looking at the tree. */
function refusePath(path: string): number {
  if (path === "") return -Errno.ENOENT;
  // A character is at most three bytes for each unit of a JavaScript string.
  if (path.length * 3 < NAME_BYTES_MAX) return 0;
  if (utf8Length(path) >= PATH_BYTES_MAX) return -Errno.ENAMETOOLONG;
  return 0;
}

function utf8Length(text: string): number {
  let length = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x800 && (code < 0xd800 || code > 0xdfff)) length += 2;
    else if (code >= 0x80) length += 1;
  }
  return length;
}

/**
 * @param followLast a link in the last component leads on; with a slash behind it, it does anyway
 * @param into filled in when the answer is 0
 * @returns 0 also where the last component doesn't exist; else a negative `Errno`
 */
export function walk(base: Base, path: string, followLast: boolean, into: Walk): number {
  const refused = refusePath(path);
  if (refused < 0) return refused;
  let mount = base.mount;
  let directory = base.directory;
  let rest = path;
  let links = 0;
  let position = 0;

  if (rest.charCodeAt(0) === 47) {
    if (base.ceiling !== undefined) return -Errno.EPERM;
    mount = base.root.mount;
    directory = base.root.inode as DirectoryInode;
  }

  for (;;) {
    while (rest.charCodeAt(position) === 47) position++;
    let end = rest.indexOf("/", position);
    if (end < 0) end = rest.length;
    let next = end;
    while (next < rest.length && rest.charCodeAt(next) === 47) next++;
    const last = next >= rest.length;
    const slash = last && next > end;

    if (directory.removed && end > position) return -Errno.ENOENT;
    if (!permits(directory, base.who, PERMIT_EXECUTE)) return -Errno.EACCES;

    const length = end - position;
    const first = rest.charCodeAt(position);
    const dots =
      length === 0 || (length <= 2 && first === 46 && (length === 1 || rest.charCodeAt(position + 1) === 46));
    if (dots) {
      if (length === 2) {
        if (base.ceiling === directory) return -Errno.EPERM;
        // `..` of a mount's root is that of what it covers; of the container's root, the root.
        if (directory !== mount.root) {
          directory = directory.parent;
        } else if (mount.coveredIn !== undefined) {
          directory = mount.coveredIn;
          mount = mount.above!;
        }
      }
      if (last) return found(into, mount, directory, "", directory, mount, slash);
      position = next;
      continue;
    }

    const name = rest.slice(position, end);
    if (length * 3 > NAME_BYTES_MAX && utf8Length(name) > NAME_BYTES_MAX) return -Errno.ENAMETOOLONG;
    let inode = directory.lookup(name);
    if (typeof inode === "number") return inode;
    if (inode === undefined) {
      if (!last) return -Errno.ENOENT;
      return found(into, mount, directory, name, undefined, mount, slash);
    }
    let inodeMount = mount;
    while (inode.covered !== undefined) {
      inodeMount = inode.covered;
      inode = inodeMount.root;
    }
    if (inode.type === FileType.symbolicLink && (!last || followLast || slash)) {
      if (++links > LINKS_MAX) return -Errno.ELOOP;
      const target = inode.readLink();
      if (typeof target === "number") return target;
      if (target === "") return -Errno.ENOENT;
      if (target.charCodeAt(0) === 47) {
        if (base.ceiling !== undefined) return -Errno.EPERM;
        mount = base.root.mount;
        directory = base.root.inode as DirectoryInode;
      }
      // What follows the link, its slash included, follows its target.
      rest = end < rest.length ? `${target}${rest.slice(end)}` : target;
      position = 0;
      if (rest.length > PATH_BYTES_MAX) return -Errno.ENAMETOOLONG;
      continue;
    }
    if (last) return found(into, mount, directory, name, inode, inodeMount, slash);
    if (!(inode instanceof DirectoryInode)) return -Errno.ENOTDIR;
    mount = inodeMount;
    directory = inode;
    position = next;
  }
}

function found(
  into: Walk,
  mount: Mount,
  directory: DirectoryInode,
  name: string,
  inode: Inode | undefined,
  inodeMount: Mount,
  slash: boolean,
): number {
  into.mount = mount;
  into.directory = directory;
  into.name = name;
  into.inode = inode;
  into.inodeMount = inodeMount;
  into.slash = slash;
  return 0;
}
