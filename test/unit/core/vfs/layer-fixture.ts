/** A layer in memory: an index and a blob made from a list, so that the tree can be tested without a tar. */
import type {
  EntryType,
  LayerEntry,
  LayerIndex,
  SparsePiece,
} from "../../../../runtime/core/image/layer-index.ts";
import type { Layer } from "../../../../runtime/core/vfs/file-system.ts";
import type { BlobReader } from "../../../../shim/abi/system.ts";

export interface EntrySpec {
  /** Without leading or trailing slash; "" is the root. */
  path: string;
  type?: EntryType;
  content?: Uint8Array;
  target?: string;
  /** Path of another entry of this layer: a hard link to it. */
  hardLink?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtimeNs?: bigint;
  /** A sparse file's whole size, with its pieces in the content. */
  sparse?: { sizeBytes: number; pieces: { startBytes: number; sizeBytes: number }[] };
}

export interface LayerSpec {
  entries: EntrySpec[];
  /** Full paths, without `.wh.`. */
  whiteouts?: string[];
  opaque?: string[];
}

export interface CountingBlob extends BlobReader {
  readBytes: number;
}

export function makeLayer(spec: LayerSpec): Layer & { blob: CountingBlob } {
  return new LayerBuilder(spec).build();
}

interface Directory {
  children: Map<string, LayerEntry>;
  whiteouts: string[];
  opaque: boolean;
}

class LayerBuilder {
  readonly #directories = new Map<string, Directory>();
  readonly #contents: Uint8Array[] = [];
  #sizeBytes = 512;
  #inode = 1;
  #root: LayerEntry | undefined;
  readonly #spec: LayerSpec;

  constructor(spec: LayerSpec) {
    this.#spec = spec;
  }

  build(): Layer & { blob: CountingBlob } {
    this.#directory("");
    const links = new Map<string, number>();
    for (const entry of this.#spec.entries) {
      if (entry.hardLink !== undefined) links.set(entry.hardLink, (links.get(entry.hardLink) ?? 1) + 1);
    }
    const made = new Map<string, LayerEntry>();
    for (const entry of this.#spec.entries) made.set(entry.path, this.#add(entry, links, made));
    for (const path of this.#spec.whiteouts ?? [])
      this.#directory(parentOf(path)).whiteouts.push(nameOf(path));
    for (const path of this.#spec.opaque ?? []) this.#directory(path).opaque = true;
    const directories = this.#directories;
    const root = this.#root;
    const index: LayerIndex = {
      entryCount: this.#inode,
      children: (path) => [...(directories.get(path)?.children.values() ?? [])],
      root: () => root,
      whiteouts: (path) => directories.get(path)?.whiteouts ?? [],
      isOpaque: (path) => directories.get(path)?.opaque ?? false,
    };
    return { index, blob: this.#blob() };
  }

  #add(spec: EntrySpec, links: Map<string, number>, made: Map<string, LayerEntry>): LayerEntry {
    const entry =
      spec.hardLink === undefined
        ? this.#entry(spec, links.get(spec.path) ?? 1)
        : { ...made.get(spec.hardLink)!, name: nameOf(spec.path) };
    if (spec.path === "") {
      this.#root = entry;
      return entry;
    }
    this.#directory(parentOf(spec.path)).children.set(entry.name, entry);
    if (entry.type === "directory") this.#directory(spec.path);
    return entry;
  }

  #entry(spec: EntrySpec, linkCount: number): LayerEntry {
    const type = spec.type ?? (spec.target === undefined ? "file" : "symlink");
    const content = spec.content ?? new Uint8Array(0);
    const offsetBytes = this.#sizeBytes;
    if (type === "file") {
      this.#contents.push(content);
      this.#sizeBytes += content.length;
    }
    let pieces: SparsePiece[] | undefined;
    if (spec.sparse !== undefined) {
      let at = offsetBytes;
      pieces = spec.sparse.pieces.map((piece) => {
        const stored = { ...piece, offsetBytes: at };
        at += piece.sizeBytes;
        return stored;
      });
    }
    return {
      name: nameOf(spec.path),
      type,
      mode: spec.mode ?? (type === "directory" ? 0o755 : type === "symlink" ? 0o777 : 0o644),
      uid: spec.uid ?? 0,
      gid: spec.gid ?? 0,
      mtimeNs: spec.mtimeNs ?? 0n,
      sizeBytes: spec.sparse?.sizeBytes ?? (type === "file" ? content.length : 0),
      offsetBytes,
      target: spec.target ?? "",
      inode: this.#inode++,
      linkCount,
      pieces,
      deviceMajor: 0,
      deviceMinor: 0,
    };
  }

  /** Parents that the list doesn't name are implied. */
  #directory(path: string): Directory {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const directory: Directory = { children: new Map(), whiteouts: [], opaque: false };
    this.#directories.set(path, directory);
    if (path === "") return directory;
    const parent = this.#directory(parentOf(path));
    if (!parent.children.has(nameOf(path))) {
      parent.children.set(nameOf(path), { ...this.#entry({ path, type: "directory" }, 1), implied: true });
    }
    return directory;
  }

  #blob(): CountingBlob {
    const bytes = new Uint8Array(this.#sizeBytes).fill(0xee);
    let at = 512;
    for (const content of this.#contents) {
      bytes.set(content, at);
      at += content.length;
    }
    return {
      sizeBytes: bytes.length,
      readBytes: 0,
      read(target, offset) {
        const piece = bytes.subarray(offset, offset + target.length);
        target.set(piece);
        this.readBytes += piece.length;
        return piece.length;
      },
    };
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
