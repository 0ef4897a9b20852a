/**
 * The entries of an open directory of the host: the names as they were when the reader was at the start, since the host
 * doesn't keep places for us. A cookie is an index among them.
 */
import { readdirSync } from "node:fs";
import type { DirEntrySink } from "../../../shim/abi/system.ts";
import type { DirectoryReader } from "../../core/vfs/dentry.ts";
import type { HostDentry } from "./host-dentry.ts";
import { attempt } from "./host-errno.ts";

export class HostListing implements DirectoryReader {
  readonly #directory: HostDentry;
  #names: string[] | undefined = undefined;

  constructor(directory: HostDentry) {
    this.#directory = directory;
  }

  read(from: number, cookieBase: number, sink: DirEntrySink): number {
    return attempt(() => {
      if (from === 0 || this.#names === undefined) this.#names = this.#list();
      for (let index = from; index < this.#names.length; index++) {
        const name = this.#names[index]!;
        const entry = this.#directory.lookUp(name);
        // It went away since the listing began.
        if (typeof entry === "number") continue;
        if (!sink(cookieBase + index + 1, entry.inode, entry.type, name)) break;
      }
      return 0;
    });
  }

  /** A directory that was removed has no entries; the host says ENOENT. */
  #list(): string[] {
    try {
      return readdirSync(this.#directory.tree.descriptors.pathOfPlace(this.#directory));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  close(): void {
    this.#names = undefined;
  }
}
