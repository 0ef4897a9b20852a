/**
 * A name in memory: memfs's Link as a dentry. Only what can't be judged above is decided here.
 *
 * A Link by its members, as `MemoryNode` is a Node. memfs computes paths when a link is made or moved, for a whole subtree;
 * here they are computed when asked for, so that renaming a directory costs the same whatever is in it.
 */
import type { Link } from "@jsonjoy.com/fs-core/lib/Link.js";
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Failure, OpenFile, OpenOptions, Stat, TimeChange } from "../../../shim/abi/system.ts";
import { assert } from "../error.ts";
import { ChildMap } from "./child-map.ts";
import type { Credentials } from "./credentials.ts";
import type { Dentry, DirectoryReader, MountFlags } from "./dentry.ts";
import type { FileSystem } from "./file-system.ts";
import type { LayerPlace } from "./layer-merge.ts";
import { MemoryFile } from "./memory-file.ts";
import { type MemoryNode, nodeError } from "./memory-node.ts";
import { Mode } from "./mode.ts";

/** As ext4's. It bounds how often one name can be charged to one inode. */
const LINK_COUNT_MAX = 65_000;

/** What files have in place of children: one for all. */
const NO_CHILDREN = new ChildMap();

/** What memfs's code may use of a link. */
type LinkMembers = Omit<
  Pick<Link, keyof Link>,
  | "changes"
  | "vol"
  | "node"
  | "parent"
  | "children"
  | "getNode"
  | "setNode"
  | "getChild"
  | "createChild"
  | "setChild"
  | "deleteChild"
>;

export class MemoryLink implements LinkMembers, Dentry {
  node: MemoryNode;
  parent: MemoryLink | undefined;
  readonly children: ChildMap;
  readonly tree: FileSystem;
  name: string;
  ino: number;
  /** memfs counts the children here; only its own `rmdir` asks, which we don't use. */
  length = 0;
  mountCount = 0;
  /** Where it stands in its parent's `ChildMap`. */
  slot = 0;
  /** A directory that layers have: where its entries come from. */
  places: readonly LayerPlace[] | undefined = undefined;
  /** It stands where the layers put it: under this parent, by this name. */
  origin: { parent: MemoryLink; name: string } | undefined = undefined;
  /** A directory that has no name any more. */
  isRemoved = false;
  /** Clients that take names in it for granted: a bit each. Kept by the kernel. */
  watchers = 0;
  /** Who may add and take names without being asked each time. Kept by the kernel. */
  holder: object | undefined = undefined;

  constructor(tree: FileSystem, parent: MemoryLink | undefined, name: string, node: MemoryNode) {
    this.tree = tree;
    this.parent = parent;
    this.name = name;
    this.node = node;
    this.ino = node.ino;
    this.children = node.type === FileType.directory ? new ChildMap() : NO_CHILDREN;
  }

  get up(): MemoryLink | undefined {
    return this.parent;
  }
  get type(): FileType {
    return this.node.type;
  }
  get inode(): bigint {
    return this.node.inode;
  }
  get mode(): number {
    return this.node.mode & Mode.permissions;
  }
  get uid(): number {
    return this.node.userId;
  }
  get gid(): number {
    return this.node.groupId;
  }

  isSameFile(other: Dentry): boolean {
    return other instanceof MemoryLink && other.node === this.node;
  }

  stat(into: Stat): number {
    return this.node.fillStat(into, this.linkCount());
  }

  linkCount(): number {
    if (this.node.type !== FileType.directory) return this.node.linkCount;
    if (this.isRemoved) return 0;
    this.children.load();
    return 2 + this.children.directoryCount;
  }

  setTimes(access: TimeChange, modify: TimeChange): number {
    return this.node.changeTimes(access, modify);
  }

  readTarget(): string {
    return this.node.symlink;
  }

  openFile(options: OpenOptions, mount: MountFlags, credentials: Credentials): OpenFile | Failure {
    const node = this.node;
    if (node.content !== undefined) {
      if (options.truncate) {
        node.content.truncate(0);
        node.touchModify();
      }
      return new MemoryFile(node, options, mount, credentials);
    }
    if (node.opener !== undefined) return node.opener(options, credentials);
    // A device of an image is inert, as on a mount with `nodev`; a FIFO has nobody at its other end.
    return node.type === FileType.unknown ? -Errno.ENXIO : -Errno.EACCES;
  }

  lookUp(name: string): MemoryLink | Failure {
    const children = this.children;
    if (children.pending !== undefined) children.load();
    return children.find(name) ?? -Errno.ENOENT;
  }

  /** Nothing to do: whoever has the link has the directory. */
  hold(): number {
    return 0;
  }
  release(): void {}

  openDirectory(): DirectoryReader {
    return this.children;
  }

  createFile(name: string, mode: number, uid: number, gid: number): MemoryLink | Failure {
    return this.#make(name, Mode.regular | mode, uid, gid);
  }

  makeDirectory(name: string, mode: number, uid: number, gid: number): MemoryLink | Failure {
    return this.#make(name, Mode.directory | mode, uid, gid);
  }

  makeSymlink(name: string, target: string, uid: number, gid: number): MemoryLink | Failure {
    return this.#make(name, Mode.symlink | 0o777, uid, gid, target);
  }

  #make(name: string, mode: number, uid: number, gid: number, target = ""): MemoryLink | Failure {
    if (this.isRemoved) return -Errno.ENOENT;
    const node = this.tree.makeNode(mode, uid, gid, target);
    return node === undefined ? -Errno.ENOSPC : this.attach(name, node);
  }

  /** Gives a node a name here, which is free. Touches both. */
  attach(name: string, node: MemoryNode): MemoryLink {
    this.children.load();
    const link = new MemoryLink(this.tree, this, name, node);
    node.linkCount++;
    this.children.insert(name, link);
    this.#touch();
    this.tree.observer?.linked(link);
    this.tree.watcher?.linked(link);
    return link;
  }

  addLink(name: string, file: Dentry): number {
    assert(file instanceof MemoryLink && file.tree === this.tree, "a hard link stays in its tree");
    if (this.isRemoved) return -Errno.ENOENT;
    const node = file.node;
    if (node.linkCount >= LINK_COUNT_MAX) return -Errno.EMLINK;
    if (!this.tree.space.takeInode()) return -Errno.ENOSPC;
    node.extraNames++;
    node.stampChange();
    this.attach(name, node);
    return 0;
  }

  unlink(name: string, child: Dentry): number {
    this.detach(name, child as MemoryLink);
    return 0;
  }

  removeDirectory(name: string, child: Dentry): number {
    const link = child as MemoryLink;
    if (link.children.size > 0) return -Errno.ENOTEMPTY;
    this.detach(name, link);
    return 0;
  }

  /** Takes a name away; what was an empty directory stays usable for who has it open. */
  detach(name: string, link: MemoryLink, isReplaced = false): void {
    this.children.remove(name, link);
    const { node } = link;
    if (node.type === FileType.directory) link.isRemoved = true;
    this.#touch();
    node.loseName();
    this.tree.observer?.unlinked(link, isReplaced);
    this.tree.watcher?.unlinked(link, isReplaced);
    node.freeIfUnused();
  }

  rename(name: string, child: Dentry, to: Dentry, toName: string, replaced: Dentry | undefined): number {
    const link = child as MemoryLink;
    const target = to as MemoryLink;
    if (target.isRemoved) return -Errno.ENOENT;
    if (replaced !== undefined) {
      const old = replaced as MemoryLink;
      if (old.node.type === FileType.directory && old.children.size > 0) return -Errno.ENOTEMPTY;
      target.detach(toName, old, true);
    }
    this.#move(name, link, target, toName);
    if (target !== this) target.#touch();
    link.node.stampChange();
    this.#touch();
    this.tree.observer?.renamed(link, this, name);
    this.tree.watcher?.renamed(link, this, name);
    return 0;
  }

  #move(name: string, link: MemoryLink, target: MemoryLink, toName: string): void {
    if (target === this) {
      this.children.changeName(name, link, toName);
    } else {
      target.children.load();
      this.children.remove(name, link);
      target.children.insert(toName, link);
      link.parent = target;
    }
    link.name = toName;
  }

  /** Restores from a journal: a name goes. Attributes are told apart. */
  lose(name: string, link: MemoryLink): void {
    this.children.remove(name, link);
    this.children.changed = true;
    if (link.node.type === FileType.directory) link.isRemoved = true;
  }

  /** Restores from a journal: a name goes elsewhere, where nothing has it. */
  transfer(name: string, link: MemoryLink, target: MemoryLink, toName: string): void {
    this.#move(name, link, target, toName);
    this.children.changed = true;
    target.children.changed = true;
  }

  /** Restores from a snapshot: a name that the layers have is not there. Counts and times are told apart. */
  forget(name: string): void {
    const link = this.children.get(name);
    if (link !== undefined) this.children.remove(name, link);
  }

  /** Restores from a snapshot: this name stands for this node. */
  show(name: string, node: MemoryNode): MemoryLink {
    const known = this.children.get(name);
    if (known !== undefined) {
      known.node = node;
      known.ino = node.ino;
      return known;
    }
    const link = new MemoryLink(this.tree, this, name, node);
    this.children.insert(name, link);
    return link;
  }

  #touch(): void {
    const now = this.tree.nowNs();
    this.node.modifyNs = now;
    this.node.changeNs = now;
    this.children.changed = true;
  }

  // From here on: memfs's own interface.

  get steps(): string[] {
    const steps: string[] = [];
    for (let link: MemoryLink | undefined = this; link !== undefined; link = link.parent)
      steps.push(link.name);
    return steps.reverse();
  }
  set steps(_steps: string[]) {}
  syncSteps(): void {}
  getName(): string {
    return this.name;
  }
  setNode(node: MemoryNode): void {
    this.node = node;
    this.ino = node.ino;
  }
  getNode(): MemoryNode {
    return this.node;
  }
  /** Unlike the base's, it leaves atime alone. */
  getPath(): string {
    return this.steps.join("/");
  }
  getParentPath(): string {
    return this.steps.slice(0, -1).join("/") || "/";
  }
  toJSON(): ReturnType<Link["toJSON"]> {
    return { steps: this.steps, ino: this.ino, children: [...this.children.keys()] };
  }
  getChild(name: string): MemoryLink | undefined {
    const child = this.lookUp(name);
    return typeof child === "number" ? undefined : child;
  }
  createChild(name: string, node?: MemoryNode): MemoryLink {
    const made = node ?? this.tree.makeNode(Mode.regular | 0o666, 0, 0);
    if (made === undefined) throw nodeError("ENOSPC", "open");
    return this.attach(name, made);
  }
  setChild(): never {
    throw new Error("wpod defect: names are set by createChild and rename");
  }
  deleteChild(link: MemoryLink): void {
    this.detach(link.name, link);
  }
}
