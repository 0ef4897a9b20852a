/** What is mounted where: a tree of file systems, joined at inodes. No path is ever compared as text. */
import type { DirectoryInode, Inode } from "./inode.ts";

export interface Mount {
  readonly root: Inode;
  readonly readOnly: boolean;
  /** The mount that it covers a file or directory of; undefined for the container's root. */
  readonly above: Mount | undefined;
  /** The inode that it covers, and the directory that has it: where `..` leads. */
  readonly covers: Inode | undefined;
  readonly coveredIn: DirectoryInode | undefined;
}

/** A place in the tree. */
export interface Place {
  readonly mount: Mount;
  readonly inode: Inode;
}

export function rootMount(root: DirectoryInode, readOnly: boolean): Mount {
  return { root, readOnly, above: undefined, covers: undefined, coveredIn: undefined };
}

/** Mounts a file system's root, or one file of it, over a file or directory that is there. */
export function mountOver(place: Place, directory: DirectoryInode, root: Inode, readOnly: boolean): Mount {
  const mount: Mount = { root, readOnly, above: place.mount, covers: place.inode, coveredIn: directory };
  place.inode.covered = mount;
  return mount;
}
