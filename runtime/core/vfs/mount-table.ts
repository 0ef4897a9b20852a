/** What one container sees as its files: trees, mounted on one another. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { type Failure, isFailure, type OpenFile, type OpenOptions } from "../../../shim/abi/system.ts";
import { assert, WpodError } from "../error.ts";
import type { Credentials } from "./credentials.ts";
import type { Dentry, HeldFile, Tree } from "./dentry.ts";
import { DirectoryFile } from "./directory-file.ts";
import { Mount } from "./mount.ts";
import { PLAIN } from "./open-options.ts";
import { Follow, PathWalk } from "./path-walk.ts";

export interface MountSource {
  tree: Tree;
  /** What of the tree is mounted: a directory or a file of it. Default: its root. Links in it aren't followed out. */
  path?: string;
  readOnly?: boolean;
}

/** A place in the tree of one of a table's mounts, by its names from the root of that tree. */
export interface MountPlace {
  /** Index in `mounts`. */
  mount: number;
  names: string[];
  /** Of a directory or file of the host. */
  held: HeldFile | undefined;
}

function namesOf(dentry: Dentry): string[] {
  const names: string[] = [];
  const { root } = dentry.tree;
  for (let at = dentry; at !== root && at.up !== undefined; at = at.up) names.unshift(at.name);
  return names;
}

function dentryAt(tree: Tree, names: readonly string[]): Dentry | undefined {
  let at = tree.root;
  for (const name of names) {
    const next = at.lookUp(name);
    if (typeof next === "number") return undefined;
    at = next;
  }
  return at;
}

const SUPERUSER: Credentials = { uid: 0, gid: 0, groups: [], umask: 0 };
const MOUNT_POINT_MODE = 0o755;
const CREATED: OpenOptions = { ...PLAIN, write: true, nonblock: true, followLast: false };

export class MountTable {
  readonly root: Mount;
  /** In the order in which they were mounted, the root first. */
  readonly mounts: Mount[];
  /** Walks of one call; two for those that name two paths. */
  readonly walk: PathWalk;
  readonly walkTo: PathWalk;

  constructor(root: Tree, options: { readOnly?: boolean } = {}) {
    this.root = new Mount(root.root, options.readOnly ?? false, undefined, undefined);
    this.mounts = [this.root];
    this.walk = new PathWalk(this.root);
    this.walkTo = new PathWalk(this.root);
  }

  /**
   * Mounts over `target`, an absolute path; symbolic links in it are resolved inside the container.
   *
   * What is missing of it is made in the tree that it lies in, as docker does (a directory, or an empty file for a
   * file): it is seen in a `diff`, also with a read-only root, which hinders guests only.
   *
   * @param place where it stood in another table of the same trees, which a guest may have moved since
   * @throws WpodError MOUNT_INVALID: `..` or no absolute path, a file over a directory or the reverse, or no room
   */
  mount(target: string, source: MountSource, place?: MountPlace): void {
    const root = this.#sourceRoot(target, source);
    if (place !== undefined) {
      const found = this.at(place);
      if (found === undefined) throw invalid(target, "its mount point is gone");
      this.#add(found.mount, found.dentry, root, source);
      found.dentry.release();
      return;
    }
    const isDirectory = root.type === FileType.directory;
    const steps = target.split("/").filter((step) => step !== "" && step !== ".");
    if (!target.startsWith("/") || steps.includes(".."))
      throw invalid(target, "it must be an absolute path without ..");
    if (steps.length === 0) throw invalid(target, "nothing can be mounted over the root");
    this.makeDirectory(steps.slice(0, -1).join("/"), MOUNT_POINT_MODE);
    const walk = this.#walk(target, `/${steps.join("/")}`);
    if (walk.found === undefined) this.#make(target, walk, isDirectory, MOUNT_POINT_MODE);
    const point = walk.found!;
    if (point === walk.foundMount.root && walk.foundMount.parent === undefined) {
      throw invalid(target, "nothing can be mounted over the root");
    }
    if ((point.type === FileType.directory) !== isDirectory) {
      throw invalid(
        target,
        isDirectory ? "it is a file, and the source a directory" : "it is a directory, and the source a file",
      );
    }
    this.#add(walk.foundMount, point, root, source);
  }

  #add(parent: Mount, point: Dentry, root: Dentry, source: MountSource): void {
    const mount = new Mount(root, source.readOnly ?? false, parent, point);
    parent.add(mount);
    this.mounts.push(mount);
  }

  /** Its end. A tree of it may be in other tables. */
  unmountAll(): void {
    for (const mount of this.mounts) mount.clear();
  }

  /** Where a dentry that was found through this mount is. */
  placeOf(mount: Mount, dentry: Dentry): MountPlace {
    return { mount: this.mounts.indexOf(mount), names: namesOf(dentry), held: dentry.held };
  }

  /** The counterpart of `placeOf`. The dentry is held: whoever asks for it releases it. */
  at({ mount: index, names, held }: MountPlace): { mount: Mount; dentry: Dentry } | undefined {
    const mount = this.mounts[index];
    if (mount === undefined) return undefined;
    const { tree } = mount.root;
    const dentry =
      held !== undefined && tree.adopt !== undefined ? tree.adopt(held, names) : dentryAt(tree, names);
    if (dentry === undefined || typeof dentry === "number") return undefined;
    if (held === undefined && dentry.hold() < 0) return undefined;
    return { mount, dentry };
  }

  /**
   * Makes a directory that isn't there, with those above it (0755); one that is there stays as it is.
   * @throws WpodError MOUNT_INVALID
   */
  makeDirectory(path: string, mode: number): void {
    const steps = path.split("/").filter((step) => step !== "" && step !== ".");
    for (let count = 1; count < steps.length; count++) {
      this.#directory(path, `/${steps.slice(0, count).join("/")}`, MOUNT_POINT_MODE);
    }
    if (steps.length > 0) this.#directory(path, `/${steps.join("/")}`, mode);
  }

  #sourceRoot(target: string, source: MountSource): Dentry {
    if (source.path === undefined) return source.tree.root;
    const top = new Mount(source.tree.root, false, undefined, undefined);
    const walk = new PathWalk(top);
    const path = source.path.replace(/^\/+/, "") || ".";
    const failure = walk.run(top, top.root, path, Follow.always, SUPERUSER, true);
    if (failure < 0 || walk.found === undefined) throw invalid(target, `its source has no ${source.path}`);
    if ((source.tree.pin?.(walk.found) ?? 0) < 0) throw invalid(target, `${source.path} can't be opened`);
    return walk.found;
  }

  #directory(target: string, path: string, mode: number): void {
    const walk = this.#walk(target, path);
    if (walk.found === undefined) this.#make(target, walk, true, mode);
    else if (walk.found.type !== FileType.directory) throw invalid(target, `${path} is no directory`);
  }

  #walk(target: string, path: string): PathWalk {
    const failure = this.walk.run(this.root, this.root.root, path, Follow.always, SUPERUSER, false);
    if (failure < 0)
      throw invalid(target, failure === -Errno.ELOOP ? "it is a loop of links" : "it can't be reached");
    return this.walk;
  }

  #make(target: string, walk: PathWalk, isDirectory: boolean, mode: number): void {
    const parent = walk.directory;
    // A read-only root is the container's own; what somebody mounted read-only is left alone by everybody.
    if (walk.directoryMount.readOnly && walk.directoryMount !== this.root) {
      throw invalid(target, "its mount point is missing, and would lie in a read-only mount");
    }
    const made = isDirectory
      ? parent.makeDirectory(walk.name, mode, 0, 0)
      : parent.createFile(walk.name, mode & 0o666, 0, 0);
    if (typeof made === "number") throw invalid(target, "its mount point can't be made");
    if (!isDirectory) closeMade(made.openFile(CREATED, walk.directoryMount, SUPERUSER));
    walk.found = made;
    walk.foundMount = walk.directoryMount;
  }

  /** The root directory, open: `..` stays there, and absolute paths and links start there. */
  openRoot(credentials: Credentials): OpenFile {
    const root = this.root.root;
    assert(root.hold() === 0, "the root is a directory that can be opened");
    return new DirectoryFile(this, this.root, root, credentials, false);
  }

  /** @param path absolute, or seen from the root */
  open(path: string, options: OpenOptions, credentials: Credentials): OpenFile | Failure {
    const root = this.openRoot(credentials);
    const file = root.openAt(path, options);
    root.close();
    return file;
  }

  /**
   * A directory that a guest finds open. It is granted: nobody asks whether the guest could have walked there.
   * @param beneath a capability: it can't be left by `..`, by an absolute path or by a link (EPERM)
   */
  openPreopen(path: string, beneath: boolean, credentials: Credentials): OpenFile | Failure {
    const failure = this.walk.run(this.root, this.root.root, path, Follow.always, SUPERUSER, false);
    if (failure < 0) return failure;
    const found = this.walk.found;
    if (found === undefined) return -Errno.ENOENT;
    if (found.type !== FileType.directory) return -Errno.ENOTDIR;
    const mount = this.walk.foundMount;
    const held = found.hold();
    return held < 0 ? held : new DirectoryFile(this, mount, found, credentials, beneath);
  }
}

/** A tree may keep open what it made until it is opened. */
function closeMade(file: OpenFile | Failure): void {
  if (!isFailure(file)) file.close();
}

function invalid(target: string, why: string): WpodError {
  return new WpodError("MOUNT_INVALID", `can't mount on ${target}: ${why}`);
}
