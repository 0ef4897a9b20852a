/**
 * memfs's superblock over a file system of ours: what stands under a `Volume`. Paths are walked by our resolver, and
 * names change by the same operations as a guest's, as uid 0; memfs does the rest, on our nodes.
 *
 * memfs's own walk takes `link/..` for text, and its rename moves the target of a link, replaces directories that are
 * not empty and allows a directory to be moved into itself (4.80.1).
 */
import { createError, createStatError } from "@jsonjoy.com/fs-core/lib/errors.js";
import type { File } from "@jsonjoy.com/fs-core/lib/File.js";
import { Link } from "@jsonjoy.com/fs-core/lib/Link.js";
import { Node } from "@jsonjoy.com/fs-core/lib/Node.js";
import type { IProcess } from "@jsonjoy.com/fs-core/lib/process.js";
import { Err, Ok, type Result } from "@jsonjoy.com/fs-core/lib/result.js";
import { Superblock } from "@jsonjoy.com/fs-core/lib/Superblock.js";
import type { StatError } from "@jsonjoy.com/fs-core/lib/types.js";
import { FsEvent, type FsEventType } from "@jsonjoy.com/fs-core/lib/watch/FsEvent.js";
import { Errno } from "../../../shim/abi/errno.ts";
import type { OpenFile } from "../../../shim/abi/system.ts";
import type { FileSystem } from "../../core/vfs/file-system.ts";
import { MemoryLink } from "../../core/vfs/memory-link.ts";
import { MemoryNode } from "../../core/vfs/memory-node.ts";
import { MountTable } from "../../core/vfs/mount-table.ts";
import { Follow } from "../../core/vfs/path-walk.ts";

const SUPERUSER = { uid: 0, gid: 0, groups: [], umask: 0o022 };
/** The host's uid and working directory say nothing about a container's files. */
const PROCESS: IProcess = {
  getuid: () => 0,
  getgid: () => 0,
  cwd: () => "/",
  platform: "linux",
  emitWarning: () => {},
  env: {},
};
/** memfs declares these as a `const enum`, of which nothing is left at run time. */
const Event = { create: 0, remove: 1, move: 4 } as const;
const ERRNO_NAMES = new Map(Object.entries(Errno).map(([name, value]) => [value as number, name]));

export class VolumeCore extends Superblock {
  /** Undefined while the base's constructor runs, which makes a root of its own. */
  readonly #files: FileSystem | undefined;
  readonly #table: MountTable;
  readonly #top: OpenFile;

  constructor(files: FileSystem) {
    super({ process: PROCESS });
    this.#files = files;
    this.#table = new MountTable(files);
    this.#top = this.#table.openRoot(SUPERUSER);
    this.root = asLink(files.root);
  }

  override createNode(mode: number): Node {
    // Before the constructor has run to its end there are no private fields to ask.
    if (!(#files in this) || this.#files === undefined) return super.createNode(mode);
    const node = this.#files.makeNode(mode, 0, 0);
    if (node === undefined) throw createError("ENOSPC", "open");
    return asNode(node);
  }

  /** Nodes go when nobody has a name or a description of them: they count themselves. */
  override deleteNode(_node: Node): void {}

  override walk(
    target: string | string[] | Link,
    resolveSymlinks = false,
    checkExistence = false,
    _checkAccess = false,
    funcName = "open",
    _budget?: { hops: number },
    // biome-ignore lint/suspicious/noExplicitAny: the base has three overloads of one implementation
  ): any {
    const path = pathOf(target);
    const found = this.#find(path, resolveSymlinks);
    if (typeof found !== "number") return Ok(found);
    if (!checkExistence && found === -Errno.ENOENT) return Ok(null);
    return Err(createStatError(codeOf(found), funcName, path)) satisfies Result<Link | null, StatError>;
  }

  #find(path: string, follow: boolean): MemoryLink | number {
    const walk = this.#table.walk;
    const mount = this.#table.root;
    const failure = walk.run(
      mount,
      mount.root,
      path,
      follow ? Follow.always : Follow.beforeSlash,
      SUPERUSER,
      false,
    );
    if (failure < 0) return failure;
    return (walk.found as MemoryLink | undefined) ?? -Errno.ENOENT;
  }

  /** An open file holds its node, also when its last name goes. */
  override openLink(link: Link, flags: number, resolveSymlinks?: boolean, filename?: string): File {
    const file = super.openLink(link, flags, resolveSymlinks, filename);
    if (isOurs(file.node)) file.node.hold();
    return file;
  }

  protected override closeFile(file: File): void {
    const isOpen = this.fds[file.fd] !== undefined;
    super.closeFile(file);
    if (isOpen && isOurs(file.node)) file.node.drop();
  }

  override readonly link = (from: string, to: string): void => {
    this.#check(this.#top.linkAt(absolute(from), false, this.#top, absolute(to)), "link", from, to);
    this.#tell(Event.create, to);
  };

  override readonly unlink = (path: string): void => {
    const found = this.#find(absolute(path), false);
    this.#check(this.#top.unlinkAt(absolute(path)), "unlink", path);
    this.#tellRemoved(found);
  };

  override readonly rename = (from: string, to: string): void => {
    const moved = this.#find(absolute(from), false);
    const steps = typeof moved === "number" ? [] : moved.steps;
    this.#check(this.#top.renameAt(absolute(from), this.#top, absolute(to)), "rename", from, to);
    if (typeof moved !== "number") this.#emitFor(Event.move, moved, steps);
  };

  override readonly rmdir = (path: string, recursive = false): void => {
    const found = this.#find(absolute(path), false);
    if (recursive && typeof found !== "number" && found.node.isDirectory()) this.#empty(found);
    this.#check(this.#top.removeDirectoryAt(absolute(path)), "rmdir", path);
    this.#tellRemoved(found);
  };

  override readonly rm = (path: string, force = false, recursive = false): void => {
    const found = this.#find(absolute(path), false);
    if (typeof found === "number") {
      if (!force || found !== -Errno.ENOENT) this.#check(found, "rm", path);
      return;
    }
    const isDirectory = found.node.isDirectory();
    if (isDirectory && !recursive) throw createError("ERR_FS_EISDIR", "rm", path);
    if (isDirectory) this.rmdir(path, true);
    else this.unlink(path);
  };

  /** Without recursion: a guest may have nested as deep as it has inodes. */
  #empty(root: MemoryLink): void {
    const directories = [root];
    for (const directory of directories) {
      for (const child of [...directory.children.values()]) {
        if (child!.node.isDirectory()) directories.push(child!);
        else directory.unlink(child!.name, child!);
      }
    }
    for (const directory of directories.reverse()) {
      if (directory !== root) directory.parent!.removeDirectory(directory.name, directory);
    }
  }

  #check(answer: number, call: string, path: string, dest?: string): void {
    if (answer < 0) throw createError(codeOf(answer), call, path, dest);
  }

  #tell(type: number, path: string): void {
    const link = this.#find(absolute(path), false);
    if (typeof link !== "number") this.#emitFor(type, link);
  }

  #tellRemoved(link: MemoryLink | number): void {
    if (typeof link !== "number") this.#emitFor(Event.remove, link);
  }

  #emitFor(type: number, link: MemoryLink, stepsBefore?: string[]): void {
    this.emit(new FsEvent(type as FsEventType, link.steps, asNode(link.node), asLink(link), stepsBefore));
  }
}

// Our nodes and links have all members of memfs's; from here on they are what `instanceof` asks for, too.
Object.setPrototypeOf(MemoryNode.prototype, Node.prototype);
Object.setPrototypeOf(MemoryLink.prototype, Link.prototype);

function asNode(node: MemoryNode): Node {
  return node as unknown as Node;
}

function asLink(link: MemoryLink): Link {
  return link as unknown as Link;
}

function isOurs(node: object): node is MemoryNode {
  return node instanceof MemoryNode;
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** memfs counts a path from the root's own name, which is "". */
function pathOf(target: string | string[] | Link): string {
  if (typeof target === "string") return absolute(target);
  if (Array.isArray(target)) return `/${target.join("/")}`;
  return `/${target.steps.slice(1).join("/")}`;
}

function codeOf(answer: number): string {
  return ERRNO_NAMES.get(-answer) ?? "EIO";
}
