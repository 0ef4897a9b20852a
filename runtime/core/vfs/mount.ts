/** One tree, or a part of one, put over a place of another. */
import type { Dentry, MountFlags } from "./dentry.ts";

export class Mount implements MountFlags {
  /** What is seen at the mount point: a directory, or one file. */
  readonly root: Dentry;
  readonly readOnly: boolean;
  /** Where it stands: undefined for the root of all. */
  readonly parent: Mount | undefined;
  readonly point: Dentry | undefined;
  readonly #children = new Map<Dentry, Mount>();

  constructor(root: Dentry, readOnly: boolean, parent: Mount | undefined, point: Dentry | undefined) {
    this.root = root;
    this.readOnly = readOnly || root.tree.readOnly;
    this.parent = parent;
    this.point = point;
  }

  /** What covers this place of this mount. The last one wins. */
  mountOn(dentry: Dentry): Mount | undefined {
    return this.#children.get(dentry);
  }

  /** Is this place still at the mount's root or below? Where a part of a tree is mounted, it may be moved out of it. */
  reaches(dentry: Dentry): boolean {
    if (this.root.up === undefined) return true;
    let above: Dentry | undefined = dentry;
    while (above !== undefined && above !== this.root) above = above.up;
    return above !== undefined;
  }

  add(mount: Mount): void {
    const point = mount.point!;
    if (!this.#children.has(point)) point.mountCount++;
    this.#children.set(point, mount);
  }

  /** Nothing is mounted on it any more: its places are plain ones again, for other tables too. */
  clear(): void {
    for (const point of this.#children.keys()) point.mountCount--;
    this.#children.clear();
  }
}
