/**
 * Makes the tree of one layer from the entries of its tar, in their order, by the rules that docker and containerd
 * unpack with: later entries replace earlier ones, directories merge, links are followed inside the layer only.
 *
 * Nothing can leave the layer: a path that climbs over the root is refused, and links are resolved against the layer's
 * own root, as in a chroot.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md
 */
import { WpodError } from "../error.ts";
import { type IndexDirectory, type IndexNode, writeIndex } from "./index-writer.ts";
import { LAYER_ENTRIES_MAX, LAYER_METADATA_BYTES_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX } from "./limits.ts";
import type { TarEntry } from "./tar.ts";

const WHITEOUT_PREFIX = ".wh.";
const OPAQUE_NAME = ".wh..wh..opq";
/** Files of aufs' own that old archives still have; hard links may lead into its `.wh..wh.plnk`. */
const AUFS_PREFIX = ".wh..wh.";
/** Links on the way to one entry: ELOOP after that, as on Linux. */
const LINK_HOPS_MAX = 40;
/** Components looked at for a whole layer: what a maze of links can cost. A million deep paths need a tenth of it. */
const STEPS_MAX = 100_000_000;
const IMPLIED_MODE = 0o755;
/** What an entry costs beside its texts. */
const ENTRY_METADATA_BYTES = 64;
const PIECE_METADATA_BYTES = 24;

/** A directory that knows the way back: it has one name only, and is never moved. */
interface Directory extends IndexDirectory {
  readonly parent: Directory | undefined;
  /** Bytes of its path, about. */
  readonly pathBytes: number;
}

/** A hard link whose target had not come yet: it is looked for at the end. */
interface LateLink {
  directory: Directory;
  name: string;
  /** Stands in its place until then. */
  node: IndexNode;
  entry: TarEntry;
}

export class LayerIndexBuilder {
  readonly #root: IndexNode = newDirectory(undefined, 0);
  readonly #aufs = new Map<string, IndexNode>();
  readonly #late = new Map<IndexNode, LateLink>();
  #entries = 0;
  #metadataBytes = 0;
  #steps = 0;

  /** @throws WpodError IMAGE_INVALID for what no layer may hold */
  add(entry: TarEntry): void {
    const components = cleanPath(entry.path, entry.path);
    const name = components.pop();
    if (name === undefined) {
      if (entry.type !== "directory") throw refuse(entry.path, "is the layer's root, but not a directory");
      setAttributes(this.#root, entry);
      return;
    }
    const first = components[0] ?? name;
    if (first.startsWith(AUFS_PREFIX) && (components.length > 0 || name !== OPAQUE_NAME)) {
      this.#addAufs([...components, name].join("/"), entry);
      return;
    }
    const directory = this.#walk(components, entry.path);
    if (name.startsWith(WHITEOUT_PREFIX)) this.#addWhiteout(directory, name, entry.path);
    else this.#addEntry(directory, name, entry);
  }

  /**
   * @param tarBytes of the whole uncompressed archive
   * @throws WpodError IMAGE_INVALID for a hard link to what the layer doesn't hold
   */
  finish(tarBytes: number): Uint8Array<ArrayBuffer> {
    for (const late of this.#late.values()) this.#resolveLate(late);
    return writeIndex(this.#root, tarBytes);
  }

  #addWhiteout(directory: Directory, name: string, path: string): void {
    if (name === OPAQUE_NAME) {
      directory.opaque = true;
      return;
    }
    const hidden = name.slice(WHITEOUT_PREFIX.length);
    // `.wh.` would hide the directory itself, `.wh...` its parent.
    if (hidden === "" || hidden === "." || hidden === "..") throw refuse(path, "is not a valid whiteout");
    this.#charge(name.length);
    directory.whiteouts.add(hidden);
  }

  #addEntry(directory: Directory, name: string, entry: TarEntry): void {
    if (entry.type === "hard-link") {
      this.#addHardLink(directory, name, entry);
      return;
    }
    const existing = directory.children.get(name);
    if (entry.type === "directory") {
      if (existing?.directory !== undefined) setAttributes(existing, entry);
      else setAttributes(this.#addDirectory(directory, name), entry);
      return;
    }
    if (entry.type === "symlink") checkTarget(entry);
    this.#charge(name.length + entry.linkPath.length + (entry.pieces?.length ?? 0) * PIECE_METADATA_BYTES);
    put(directory, name, newNode(entry));
  }

  #addHardLink(directory: Directory, name: string, entry: TarEntry): void {
    checkTarget(entry);
    this.#charge(name.length + entry.linkPath.length);
    const found = this.#find(entry);
    // GNU tar writes a name that it was given twice as a link to itself: then this changes nothing.
    if (found !== undefined && !this.#late.has(found)) {
      put(directory, name, linkable(found, entry));
      return;
    }
    const node = newNode(entry);
    this.#late.set(node, { directory, name, node, entry });
    put(directory, name, node);
  }

  /** Follows links to links to their end, and settles all of them: each is looked at once. */
  #resolveLate(first: LateLink): void {
    const chain = new Set<LateLink>();
    let late = first;
    let target: IndexNode;
    for (;;) {
      chain.add(late);
      const found = this.#find(late.entry);
      const next = found === undefined ? undefined : this.#late.get(found);
      if (found === undefined || (next !== undefined && chain.has(next))) {
        throw refuse(
          late.entry.path,
          `is a hard link to ${show(late.entry.linkPath)}, which is not in the layer`,
        );
      }
      if (next === undefined) {
        target = linkable(found, late.entry);
        break;
      }
      late = next;
    }
    for (const { directory, name, node } of chain) {
      // A later entry of the same name has taken its place.
      if (directory.children.get(name) === node) directory.children.set(name, target);
      this.#late.delete(node);
    }
  }

  /** The target of a hard link: links on the way are followed, the last component is not. */
  #find(entry: TarEntry): IndexNode | undefined {
    const components = cleanPath(entry.linkPath, entry.path);
    const aufs = this.#aufs.get(components.join("/"));
    if (aufs !== undefined) return aufs;
    const name = components.pop();
    if (name === undefined) return this.#root;
    return this.#look(components, entry.path, false)?.children.get(name);
  }

  #walk(components: readonly string[], path: string): Directory {
    return this.#look(components, path, true) as Directory;
  }

  /** Walks to a directory, through links; makes those that are missing, or answers undefined. */
  #look(components: readonly string[], path: string, create: boolean): Directory | undefined {
    let directory = this.#root.directory as Directory;
    const waiting = components.toReversed();
    let hops = 0;
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (++this.#steps > STEPS_MAX) throw refuse(path, "comes after too many links: the layer is a maze");
      if (name === "" || name === ".") continue;
      if (name === "..") {
        directory = directory.parent ?? directory;
        continue;
      }
      const child = directory.children.get(name);
      if (child?.directory !== undefined) {
        directory = child.directory as Directory;
      } else if (child?.type === "symlink") {
        if (++hops > LINK_HOPS_MAX) throw refuse(path, "lies behind a loop of symbolic links");
        if (child.target.startsWith("/")) directory = this.#root.directory as Directory;
        for (const component of child.target.split("/").reverse()) waiting.push(component);
      } else if (!create) {
        return undefined;
      } else if (child !== undefined) {
        throw refuse(path, `lies under ${show(name)}, which is not a directory`);
      } else {
        checkName(name, path);
        if (name.startsWith(WHITEOUT_PREFIX)) throw refuse(path, "lies under a whiteout");
        directory = this.#addDirectory(directory, name).directory as Directory;
      }
    }
    return directory;
  }

  #addDirectory(parent: Directory, name: string): IndexNode {
    const node = newDirectory(parent, parent.pathBytes + 1 + name.length);
    // Its path stands in the index once more.
    this.#charge(name.length + (node.directory as Directory).pathBytes);
    put(parent, name, node);
    return node;
  }

  #addAufs(path: string, entry: TarEntry): void {
    if (entry.type !== "file") return;
    this.#charge(path.length);
    this.#aufs.set(path, newNode(entry));
  }

  #charge(textBytes: number): void {
    this.#metadataBytes += ENTRY_METADATA_BYTES + textBytes;
    if (++this.#entries > LAYER_ENTRIES_MAX) {
      throw new WpodError("IMAGE_INVALID", `the layer has more than ${LAYER_ENTRIES_MAX} entries`);
    }
    if (this.#metadataBytes > LAYER_METADATA_BYTES_MAX) {
      throw new WpodError("IMAGE_INVALID", "the names in the layer need too much memory");
    }
  }
}

function put(directory: Directory, name: string, node: IndexNode): void {
  directory.children.set(name, node);
}

function linkable(found: IndexNode, entry: TarEntry): IndexNode {
  if (found.directory === undefined) return found;
  throw refuse(entry.path, `is a hard link to a directory, ${show(entry.linkPath)}`);
}

/** `.` and `//` are dropped, `..` goes back: to nothing, and no higher. */
function cleanPath(text: string, path: string): string[] {
  if (isLonger(text, PATH_BYTES_MAX)) throw refuse(path.slice(0, 100), "is too long a path");
  const components: string[] = [];
  for (const component of text.split("/")) {
    if (component === "" || component === ".") continue;
    if (component === "..") {
      if (components.pop() === undefined)
        throw refuse(path, `leads out of the layer${text === path ? "" : `: ${show(text)}`}`);
      continue;
    }
    checkName(component, path);
    components.push(component);
  }
  return components;
}

function checkName(name: string, path: string): void {
  if (isLonger(name, NAME_BYTES_MAX)) throw refuse(path.slice(0, 100), "has a component over 255 bytes");
}

function checkTarget({ path, linkPath }: TarEntry): void {
  if (linkPath === "") throw refuse(path, "is a link to nothing");
  if (isLonger(linkPath, PATH_BYTES_MAX)) throw refuse(path, "is a link to too long a path");
}

const encoder = new TextEncoder();

/** In UTF-8, where a unit of UTF-16 has at most three bytes. */
function isLonger(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return false;
  return text.length > bytesMax || encoder.encode(text).length > bytesMax;
}

function newNode(entry: TarEntry): IndexNode {
  return {
    // A hard link's node only stands in until its target is found.
    type: entry.type === "hard-link" ? "file" : entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeNs: entry.mtimeNs,
    sizeBytes: entry.sizeBytes,
    offsetBytes: entry.offsetBytes,
    target: entry.type === "symlink" ? entry.linkPath : "",
    pieces: entry.pieces,
    deviceMajor: entry.deviceMajor,
    deviceMinor: entry.deviceMinor,
    implied: false,
    linkCount: 0,
    inode: 0,
    directory: undefined,
  };
}

function newDirectory(parent: Directory | undefined, pathBytes: number): IndexNode {
  const directory: Directory = {
    children: new Map(),
    whiteouts: new Set(),
    opaque: false,
    parent,
    pathBytes,
  };
  return {
    type: "directory",
    mode: IMPLIED_MODE,
    uid: 0,
    gid: 0,
    mtimeNs: 0n,
    sizeBytes: 0,
    offsetBytes: 0,
    target: "",
    pieces: undefined,
    deviceMajor: 0,
    deviceMinor: 0,
    implied: true,
    linkCount: 0,
    inode: 0,
    directory,
  };
}

function setAttributes(node: IndexNode, entry: TarEntry): void {
  node.mode = entry.mode;
  node.uid = entry.uid;
  node.gid = entry.gid;
  node.mtimeNs = entry.mtimeNs;
  node.implied = false;
}

function refuse(path: string, why: string): WpodError {
  return new WpodError("IMAGE_INVALID", `${show(path)} ${why}`);
}

function show(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text);
}
