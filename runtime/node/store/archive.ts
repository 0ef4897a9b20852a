/**
 * Files of an image archive: an OCI layout in a directory, or in a tar, which is not unpacked for that. Content is read
 * where it lies.
 */
import type { FileHandle } from "node:fs/promises";
import { constants, open } from "node:fs/promises";
import { join } from "node:path";
import { WpodError } from "../../core/error.ts";
import { ARCHIVE_MEMBERS_MAX, DOCUMENT_BYTES_MAX } from "../../core/image/limits.ts";
import { type TarEntry, TarScanner } from "../../core/image/tar.ts";

/** Bytes that can be read at any place. */
export interface Member {
  readonly sizeBytes: number;
  /** Count of bytes read; 0 at the end. */
  read(target: Uint8Array, offsetBytes: number): Promise<number>;
  close(): Promise<void>;
}

export interface Archive {
  /** A file by its path in the archive, or undefined. Links inside the archive are followed, none leads out of it. */
  open(path: string): Promise<Member | undefined>;
  close(): Promise<void>;
}

/** Links from member to member. */
const LINK_HOPS_MAX = 8;
/** Headers are looked for in steps of this size. */
const SCAN_BYTES = 64 * 1024;

/** A whole file of the host as a member. */
export class FileMember implements Member {
  readonly sizeBytes: number;
  readonly #file: FileHandle;

  constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  async read(target: Uint8Array, offsetBytes: number): Promise<number> {
    const { bytesRead } = await this.#file.read(target, 0, target.length, offsetBytes);
    return bytesRead;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

export class DirectoryArchive implements Archive {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async open(path: string): Promise<Member | undefined> {
    const components = cleanComponents(path);
    return components === undefined ? undefined : await openFile(join(this.#path, ...components));
  }

  async close(): Promise<void> {}
}

/**
 * Opens a regular file of the host; undefined when there is none. Never waits: a FIFO is no file.
 */
export async function openFile(path: string): Promise<FileMember | undefined> {
  // O_NONBLOCK is not there on Windows, nor are FIFOs in folders.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  let file: FileHandle;
  try {
    file = await open(path, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR" || code === "ENXIO") return undefined;
    throw error;
  }
  const status = await file.stat();
  if (status.isFile()) return new FileMember(file, status.size);
  await file.close();
  return undefined;
}

/** A tar whose members are found by their headers alone. */
export class TarArchive implements Archive {
  readonly #file: Member;
  readonly #entries: Map<string, TarEntry>;

  private constructor(file: Member, entries: Map<string, TarEntry>) {
    this.#file = file;
    this.#entries = entries;
  }

  /**
   * @param file closed with the archive
   * @throws WpodError IMAGE_INVALID when it is no whole tar
   */
  static async scan(file: Member): Promise<TarArchive> {
    const entries = new Map<string, TarEntry>();
    const scanner = new TarScanner((entry) => {
      const path = cleanComponents(entry.path)?.join("/");
      if (path === undefined) return; // it would lie outside: nothing can name it
      if (entries.size >= ARCHIVE_MEMBERS_MAX) {
        throw new WpodError("IMAGE_INVALID", `the archive has more than ${ARCHIVE_MEMBERS_MAX} members`);
      }
      entries.set(path, entry);
    });
    const buffer = new Uint8Array(SCAN_BYTES);
    let offsetBytes = 0;
    while (!scanner.ended && offsetBytes < file.sizeBytes) {
      const skipBytes = Math.min(scanner.skippableBytes, file.sizeBytes - offsetBytes);
      if (skipBytes > SCAN_BYTES) {
        scanner.skip(skipBytes);
        offsetBytes += skipBytes;
        continue;
      }
      const count = await file.read(buffer, offsetBytes);
      if (count === 0) break;
      scanner.push(buffer.subarray(0, count));
      offsetBytes += count;
    }
    scanner.finish();
    return new TarArchive(file, entries);
  }

  async open(path: string): Promise<Member | undefined> {
    let components = cleanComponents(path);
    for (let hops = 0; components !== undefined && hops <= LINK_HOPS_MAX; hops++) {
      const entry = this.#entries.get(components.join("/"));
      switch (entry?.type) {
        case "file":
          return entry.pieces === undefined ? this.#slice(entry) : undefined;
        case "hard-link":
          components = cleanComponents(entry.linkPath);
          break;
        case "symlink":
          // Old `docker save` has `../<id>/layer.tar` for a layer that it has already written.
          components = entry.linkPath.startsWith("/")
            ? undefined
            : cleanComponents([...components.slice(0, -1), entry.linkPath].join("/"));
          break;
        default:
          return undefined;
      }
    }
    return undefined;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #slice({ offsetBytes: start, sizeBytes }: TarEntry): Member {
    const file = this.#file;
    return {
      sizeBytes,
      read(target, offsetBytes) {
        const rest = sizeBytes - offsetBytes;
        return rest <= 0 ? Promise.resolve(0) : file.read(target.subarray(0, rest), start + offsetBytes);
      },
      async close() {},
    };
  }
}

/**
 * A whole small document; undefined when it isn't there.
 * @throws WpodError IMAGE_INVALID when it is over 4 MiB
 */
export async function readDocument(archive: Archive, path: string): Promise<Uint8Array | undefined> {
  const member = await archive.open(path);
  if (member === undefined) return undefined;
  try {
    if (member.sizeBytes > DOCUMENT_BYTES_MAX) {
      throw new WpodError(
        "IMAGE_INVALID",
        `${JSON.stringify(path)} has ${member.sizeBytes} bytes; the most that is allowed is ${DOCUMENT_BYTES_MAX}`,
      );
    }
    const bytes = new Uint8Array(member.sizeBytes);
    let count = 0;
    while (count < bytes.length) {
      const step = await member.read(bytes.subarray(count), count);
      if (step === 0) break;
      count += step;
    }
    return bytes.subarray(0, count);
  } finally {
    await member.close();
  }
}

/** Components of a path that stays inside; undefined for one that doesn't. */
function cleanComponents(path: string): string[] | undefined {
  const components: string[] = [];
  for (const component of path.split("/")) {
    if (component === "" || component === ".") continue;
    if (component === "..") {
      if (components.pop() === undefined) return undefined;
      continue;
    }
    // Characters that mean something in paths of Windows.
    if (process.platform === "win32" && /[\\:]/.test(component)) return undefined;
    components.push(component);
  }
  return components;
}
