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

/** A directory by where it was found; `identity` says whether it is still the one. */
export interface HostPlace {
  readonly parent: HostPlace | undefined;
  readonly name: string;
  readonly identity: string;
  /** Of the root alone. */
  readonly path: string;
}

export class HostDescriptors {
  /** Least recently used first. */
  readonly #open = new Map<HostPlace, number>();

  /**
   * A path that leads to `name` in this directory and nowhere else. Good until the next call.
   * @throws NodeJS.ErrnoException ESTALE when the directory is not where it was
   */
  pathOf(directory: HostPlace, name: string): string {
    if (BY_DESCRIPTOR) return `/proc/self/fd/${this.#descriptor(directory)}/${name}`;
    return `${plainPath(directory)}/${name}`;
  }

  /** The directory itself. */
  directoryPath(directory: HostPlace): string {
    return BY_DESCRIPTOR ? `/proc/self/fd/${this.#descriptor(directory)}` : plainPath(directory);
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #descriptor(place: HostPlace): number {
    const known = this.#open.get(place);
    if (known !== undefined) {
      this.#open.delete(place);
      this.#open.set(place, known);
      return known;
    }
    const path =
      place.parent === undefined
        ? place.path
        : `/proc/self/fd/${this.#descriptor(place.parent)}/${place.name}`;
    // The mount's own source may be a link: whoever asked for the mount named it.
    const noFollow = place.parent === undefined ? 0 : constants.O_NOFOLLOW;
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK | noFollow);
    if (identityOf(fstatSync(fd, { bigint: true })) !== place.identity) {
      closeSync(fd);
      throw Object.assign(new Error("another directory is there now"), { code: "ESTALE" });
    }
    this.#open.set(place, fd);
    if (this.#open.size > OPEN_COUNT_MAX) this.#evict();
    return fd;
  }

  #evict(): void {
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    this.#open.delete(oldest[0]);
    closeSync(oldest[1]);
  }
}

export function identityOf(stat: { dev: bigint; ino: bigint }): string {
  return `${stat.dev}:${stat.ino}`;
}

function plainPath(place: HostPlace): string {
  return place.parent === undefined ? place.path : `${plainPath(place.parent)}/${place.name}`;
}
