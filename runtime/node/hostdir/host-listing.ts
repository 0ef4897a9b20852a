/**
 * The entries of an open directory of the host, in the order in which the host tells them. A cookie is an index in that
 * order: the host doesn't keep places for us. So many names are kept that a reader which goes back a little finds them;
 * farther back, the directory is read again from its start. A directory of millions costs no more than a small one.
 */
import { type Dir, opendirSync } from "node:fs";
import type { DirEntrySink } from "../../../shim/abi/system.ts";
import type { DirectoryReader } from "../../core/vfs/dentry.ts";
import type { HostDentry } from "./host-dentry.ts";
import { attempt } from "./host-errno.ts";

/** Names that are kept, at least; twice as many at most. What a reader takes at a time are hundreds. */
const NAMES_KEPT = 4096;
/** Names that are asked of the host at a time. */
const BATCH_NAMES = 64;

export class HostListing implements DirectoryReader {
  readonly #directory: HostDentry;
  #open: Dir | undefined = undefined;
  #atEnd = false;
  /** The names from `#first` on. */
  #names: string[] = [];
  #first = 0;

  constructor(directory: HostDentry) {
    this.#directory = directory;
  }

  read(from: number, cookieBase: number, sink: DirEntrySink): number {
    return attempt(() => {
      if (from === 0 || from < this.#first) this.#rewind();
      for (let index = from; ; index++) {
        const name = this.#nameAt(index);
        if (name === undefined) return 0;
        const entry = this.#directory.lookUp(name);
        // It went away since its name was read.
        if (typeof entry === "number") continue;
        if (!sink(cookieBase + index + 1, entry.inode, entry.type, name)) return 0;
      }
    });
  }

  #rewind(): void {
    this.close();
    this.#atEnd = false;
    this.#names = [];
    this.#first = 0;
  }

  /** Undefined: there are no more. */
  #nameAt(index: number): string | undefined {
    while (index - this.#first >= this.#names.length) {
      const name = this.#next();
      if (name === undefined) return undefined;
      if (this.#names.length >= 2 * NAMES_KEPT) {
        this.#names = this.#names.slice(-NAMES_KEPT);
        this.#first += NAMES_KEPT;
      }
      this.#names.push(name);
    }
    return this.#names[index - this.#first];
  }

  #next(): string | undefined {
    if (this.#atEnd) return undefined;
    const name = this.#nextOfHost();
    // The next reader from the start opens it again: it needs no descriptor until then.
    if (name === undefined) {
      this.#atEnd = true;
      this.close();
    }
    return name;
  }

  /** A directory that was removed has no entries; the host says ENOENT. */
  #nextOfHost(): string | undefined {
    try {
      const { descriptors } = this.#directory.tree;
      this.#open ??= opendirSync(descriptors.pathOfPlace(this.#directory), { bufferSize: BATCH_NAMES });
      return this.#open.readSync()?.name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  close(): void {
    this.#open?.closeSync();
    this.#open = undefined;
  }
}
