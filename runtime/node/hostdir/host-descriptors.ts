/**
 * Descriptors of the host's directories that a bind mount walks through, kept for a while and bounded.
 *
 * Node has no `openat`. On Linux `/proc/self/fd/N/name` is the same: the directory is the one that was opened, whatever
 * its path leads to now, and with O_NOFOLLOW the last component is never a link.
 *
 * Elsewhere the path is used: every directory of it is looked at before and after, and what was opened is compared with
 * what was looked up before a byte passes. Who swaps directories at just the right moments, again and again, can have a
 * name made or removed where such a link of his leads; contents he doesn't get.
 */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import { FileType } from "../../../shim/abi/filetype.ts";

/** Directories open at a time, for one mount; those that a guest has open come on top. */
const OPEN_COUNT_MAX = 64;
/** A descriptor that is only a place: opening it waits for nobody, and needs no right to read. @see open(2) */
export const O_PATH = 0o10000000;
/** What a name must not be where it would mean more than a name. @see Microsoft's "Naming Files, Paths, and Namespaces" */
const MEANS_MORE = /[\\/:*?"<>|]|[. ]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** A directory or file by where it was found; `identity` says whether it is still the one. */
export interface HostPlace {
  readonly parent: HostPlace | undefined;
  readonly name: string;
  readonly identity: string;
  readonly type: FileType;
  /** Of the root alone. */
  readonly path: string;
  /** Its descriptor, while somebody holds it; else -1. */
  readonly heldFd: number;
}

export class HostDescriptors {
  /** Are there links of `/proc` to go by? */
  readonly isExact: boolean;
  /** Least recently used first. */
  readonly #open = new Map<HostPlace, number>();

  constructor(isExact: boolean) {
    this.isExact = isExact;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /**
   * A path that leads to `name` in this directory and nowhere else. Good until the next call but one.
   * @throws NodeJS.ErrnoException ESTALE when the directory is not where it was
   */
  pathOf(directory: HostPlace, name: string): string {
    if (this.isExact) return `/proc/self/fd/${this.#descriptor(directory)}/${name}`;
    if (process.platform === "win32" && MEANS_MORE.test(name)) {
      throw Object.assign(new Error("the host can't have such a name"), { code: "EINVAL" });
    }
    return `${checkedPath(directory)}/${name}`;
  }

  /** The directory itself, or the file that is held. */
  pathOfPlace(place: HostPlace): string {
    return this.isExact ? `/proc/self/fd/${this.#descriptor(place)}` : checkedPath(place);
  }

  /** What stands there; a link is not followed. */
  look(directory: HostPlace, name: string): BigIntStats {
    const stat = lstatSync(this.pathOf(directory, name), { bigint: true });
    if (this.isExact) return stat;
    const again = lstatSync(this.pathOf(directory, name), { bigint: true });
    if (identityOf(again) !== identityOf(stat)) throw stale();
    return again;
  }

  /** A descriptor that stays open until `closeSync`: the place is the one that was found, or ESTALE. -1: there is none. */
  open(place: HostPlace): number {
    if (!this.isExact) {
      checkedPath(place);
      return -1;
    }
    const known = this.#open.get(place);
    if (known !== undefined) {
      this.#open.delete(place);
      return known;
    }
    const { parent, name, path } = place;
    return openPlace(
      place,
      parent === undefined ? path : `/proc/self/fd/${this.#descriptor(parent)}/${name}`,
    );
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  /** Opens from the next directory above that is open, in a loop: a guest makes trees deeper than a stack. */
  #descriptor(place: HostPlace): number {
    const closed: HostPlace[] = [];
    let above: HostPlace | undefined = place;
    let fd = -1;
    for (; above !== undefined; above = above.parent) {
      fd = this.#openFd(above);
      if (fd >= 0) break;
      closed.push(above);
    }
    for (let next = closed.pop(); next !== undefined; next = closed.pop()) {
      fd = openPlace(next, fd < 0 ? next.path : `/proc/self/fd/${fd}/${next.name}`);
      this.#open.set(next, fd);
      if (this.#open.size > OPEN_COUNT_MAX) this.#evict();
    }
    return fd;
  }

  #openFd(place: HostPlace): number {
    if (place.heldFd >= 0) return place.heldFd;
    const known = this.#open.get(place);
    if (known === undefined) return -1;
    this.#open.delete(place);
    this.#open.set(place, known);
    return known;
  }

  #evict(): void {
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    this.#open.delete(oldest[0]);
    closeSync(oldest[1]);
  }
}

/** @throws NodeJS.ErrnoException ESTALE when another file is there now */
function openPlace(place: HostPlace, path: string): number {
  // A number of an inode is used again: what must be a directory is not taken on the number's word.
  const kind = place.type === FileType.directory ? constants.O_DIRECTORY : 0;
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW | kind);
  if (identityOf(fstatSync(fd, { bigint: true })) === place.identity) return fd;
  closeSync(fd);
  throw stale();
}

export function identityOf(stat: { dev: bigint; ino: bigint }): string {
  return `${stat.dev}:${stat.ino}`;
}

export function stale(): NodeJS.ErrnoException {
  return Object.assign(new Error("something else is there now"), { code: "ESTALE" });
}

/** Its path, when everything on the way is what was found there. */
function checkedPath(place: HostPlace): string {
  const places: HostPlace[] = [];
  let above: HostPlace | undefined = place;
  for (; above !== undefined; above = above.parent) places.push(above);
  let path = "";
  for (const next of places.reverse()) {
    path = next.parent === undefined ? next.path : `${path}/${next.name}`;
    if (identityOf(lstatSync(path, { bigint: true })) !== next.identity) throw stale();
  }
  return path;
}
