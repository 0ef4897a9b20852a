/**
 * Descriptors of the host's directories that a bind mount walks through, kept for a while and bounded.
 *
 * Node has no `openat`. On Linux `/proc/self/fd/N/name` is the same: the directory is the one that was opened, whatever
 * its path leads to now, and with O_NOFOLLOW the last component is never a link. Elsewhere the path is used, and what
 * was opened is compared with what was looked up before a byte passes.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";

/** Directories open at a time, for one mount; those that a guest has open come on top. */
const OPEN_COUNT_MAX = 64;
const BY_DESCRIPTOR = process.platform === "linux";
/** A descriptor that is only a place: opening it waits for nobody, and needs no right to read. @see open(2) */
const O_PATH = 0o10000000;
/** What a name must not have where it would mean more than a name. */
const MEANS_MORE = /[\\/:*?"<>|]/;

/** A directory or file by where it was found; `identity` says whether it is still the one. */
export interface HostPlace {
  readonly parent: HostPlace | undefined;
  readonly name: string;
  readonly identity: string;
  /** Of the root alone. */
  readonly path: string;
  /** Its descriptor, while somebody holds it; else -1. */
  readonly heldFd: number;
}

export class HostDescriptors {
  /** Least recently used first. */
  readonly #open = new Map<HostPlace, number>();

  get openCount(): number {
    return this.#open.size;
  }

  /**
   * A path that leads to `name` in this directory and nowhere else. Good until the next call but one.
   * @throws NodeJS.ErrnoException ESTALE when the directory is not where it was
   */
  pathOf(directory: HostPlace, name: string): string {
    if (BY_DESCRIPTOR) return `/proc/self/fd/${this.#descriptor(directory)}/${name}`;
    if (process.platform === "win32" && MEANS_MORE.test(name)) {
      throw Object.assign(new Error("the host can't have such a name"), { code: "EINVAL" });
    }
    return `${plainPath(directory)}/${name}`;
  }

  /** The directory itself, or the file that is held. */
  pathOfPlace(place: HostPlace): string {
    return BY_DESCRIPTOR ? `/proc/self/fd/${this.#descriptor(place)}` : plainPath(place);
  }

  /** A descriptor that stays open until `closeSync`: the place is the one that was found, or ESTALE. */
  open(place: HostPlace): number {
    if (!BY_DESCRIPTOR) return -1;
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
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  if (identityOf(fstatSync(fd, { bigint: true })) === place.identity) return fd;
  closeSync(fd);
  throw Object.assign(new Error("something else is there now"), { code: "ESTALE" });
}

export function identityOf(stat: { dev: bigint; ino: bigint }): string {
  return `${stat.dev}:${stat.ino}`;
}

function plainPath(place: HostPlace): string {
  const names: string[] = [];
  let above = place;
  for (; above.parent !== undefined; above = above.parent) names.push(above.name);
  return [above.path, ...names.reverse()].join("/");
}
