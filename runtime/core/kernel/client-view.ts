/**
 * What one client may take for granted, and so needn't ask: kernel's end. See `post-ring.ts` for how it ends.
 *
 * - Answers that it keeps: names and attributes that it looked up. Whoever changes them has the view expire.
 * - Directories that are leased to it: only it adds and takes names there, without being asked.
 * - Files that it writes without waiting, and space that was set aside for that.
 *
 * Leases end when anybody else changes a name by a call; what the client posted before is done first.
 */
import type { Posted, PostRing } from "../ipc/post-ring.ts";
import type { Dentry } from "../vfs/dentry.ts";
import { MemoryLink } from "../vfs/memory-link.ts";
import type { MemoryNode } from "../vfs/memory-node.ts";
import type { Space } from "../vfs/space.ts";

/** Set aside for posted writes at a time, and names for posted creates. */
const CREDIT_BYTES = 8 * 1024 * 1024;
const CREDIT_INODES = 1024;
/** What must be left for everybody else, so that small spaces are not all set aside. */
const KEPT_PARTS = 8;

export class ClientView {
  /** One of 31: several clients may have the same, and then expire together. */
  readonly bit: number;
  readonly client: number;
  readonly ring: PostRing;
  readonly #leased = new Set<MemoryLink>();
  readonly #written = new Set<MemoryNode>();
  #space: Space | undefined = undefined;
  #bytes = 0;
  #inodes = 0;

  constructor(client: number, ring: PostRing) {
    this.client = client;
    this.bit = 1 << (client % 31);
    this.ring = ring;
  }

  get number(): number {
    return this.ring.view;
  }

  /** May an answer be kept that came by way of these directories and ends at `found`? Then it is watched. */
  keep(trace: readonly Dentry[], found: Dentry | undefined): boolean {
    for (const directory of trace) {
      if (!(directory instanceof MemoryLink) || isHeldByOther(directory, this)) return false;
    }
    if (found !== undefined) {
      if (!(found instanceof MemoryLink) || isHeldByOther(found, this) || isHeldByOther(found.node, this))
        return false;
      found.watchers |= this.bit;
      found.node.watchers |= this.bit;
    }
    for (const directory of trace) (directory as MemoryLink).watchers |= this.bit;
    return true;
  }

  /** From now on nobody else keeps what they know of this directory. False when another has it. */
  lease(directory: MemoryLink): boolean {
    const { node } = directory;
    if (isHeldByOther(directory, this) || directory.isRemoved || !this.#setAside(directory.tree.space))
      return false;
    directory.holder = this;
    node.holder = this;
    this.#leased.add(directory);
    return true;
  }

  /** From now on the client may write to it by posts. */
  leaseFile(node: MemoryNode): boolean {
    if (isHeldByOther(node, this) || node.content === undefined || node.content.lower !== undefined)
      return false;
    if (!this.#setAside(node.owner.space)) return false;
    node.holder = this;
    this.#written.add(node);
    return true;
  }

  /** Of directories. */
  get hasLeases(): boolean {
    return this.#leased.size > 0;
  }

  isLeased(directory: MemoryLink): boolean {
    return directory.holder === this;
  }

  /** Tops up what is set aside; only one file system's. False when there is too little. */
  #setAside(space: Space): boolean {
    if (this.#space === undefined) this.#space = space;
    if (this.#space !== space) return false;
    const bytes = Math.min(CREDIT_BYTES - this.#bytes, space.freeBytes / KEPT_PARTS);
    const inodes = Math.min(CREDIT_INODES - this.#inodes, space.freeInodes / KEPT_PARTS);
    this.#take(Math.max(0, Math.floor(bytes)), Math.max(0, Math.floor(inodes)));
    return true;
  }

  #take(bytes: number, inodes: number): void {
    this.#bytes += bytes;
    this.#inodes += inodes;
    this.#space!.setAside(bytes, inodes);
  }

  /** What the client may still use of it. */
  get creditBytes(): number {
    return this.#bytes;
  }
  get creditInodes(): number {
    return this.#inodes;
  }

  /** A posted call is about to be done: what was set aside for it is free for it. */
  spend(bytes: number, inodes: number): void {
    // A client that keeps no rules posts what it was never allowed to.
    if (this.#space === undefined) return;
    this.#take(-Math.min(bytes, this.#bytes), -Math.min(inodes, this.#inodes));
  }

  /** Nobody relies on the client any more, and the client on nothing. */
  revoke(perform: (call: Posted) => void): void {
    if (this.#space === undefined && this.#leased.size === 0 && this.#written.size === 0) return;
    this.ring.revoke(perform);
    this.release();
  }

  /** Gives back what it holds; the client's view has expired, or it is gone. */
  release(): void {
    for (const directory of this.#leased) {
      directory.holder = undefined;
      directory.node.holder = undefined;
    }
    for (const node of this.#written) node.holder = undefined;
    this.#leased.clear();
    this.#written.clear();
    if (this.#space !== undefined) this.#take(-this.#bytes, -this.#inodes);
    this.#space = undefined;
  }

  /** An open description of it goes. */
  forget(node: MemoryNode): void {
    if (node.holder === this && node.openCount <= 1 && this.#written.delete(node)) node.holder = undefined;
  }
}

function isHeldByOther(item: { holder: object | undefined }, view: ClientView): boolean {
  return item.holder !== undefined && item.holder !== view;
}
