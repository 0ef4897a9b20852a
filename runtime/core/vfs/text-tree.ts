/** A tree to be mounted read-only whose files are texts: each is made when it is opened, and stays so for who has it open. */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { Stat, Whence } from "../../../shim/abi/system.ts";
import { assert } from "../error.ts";
import { FileBase } from "./file-base.ts";
import { FILE_BYTES_MAX } from "./file-content.ts";
import { FileSystem } from "./file-system.ts";
import type { MemoryLink } from "./memory-link.ts";
import { Mode } from "./mode.ts";

/** Makes the text of a file, as of now. */
export type TextSource = () => string;

/** @param sources by path, as `self/cgroup`. The tree is made when somebody looks into it. */
export function textTree(
  options: { nowNs: () => bigint; device: bigint },
  sources: () => Iterable<readonly [path: string, source: TextSource]>,
): FileSystem {
  const tree = new FileSystem({ ...options, rootMode: 0o555 });
  tree.root.children.pending = () => {
    for (const [path, source] of sources()) addText(tree, path.split("/"), source);
  };
  return tree;
}

function addText(tree: FileSystem, steps: readonly string[], source: TextSource): void {
  let directory = tree.root;
  for (const step of steps.slice(0, -1)) directory = directoryIn(directory, step);
  const node = tree.makeNode(Mode.regular | 0o444, 0, 0);
  assert(node !== undefined, "a text fits");
  node.content = undefined;
  node.opener = () => {
    const stat = {} as Stat;
    node.fillStat(stat, node.linkCount);
    return new TextFile(new TextEncoder().encode(source()), stat);
  };
  directory.attach(steps.at(-1)!, node);
}

function directoryIn(parent: MemoryLink, name: string): MemoryLink {
  const known = parent.lookUp(name);
  if (typeof known !== "number") return known;
  const made = parent.makeDirectory(name, 0o555, 0, 0);
  assert(typeof made !== "number", "a directory fits");
  return made;
}

/** Only ever read: who mounts it lets nobody write. Its size is told as 0, as of all such files of Linux. */
export class TextFile extends FileBase {
  readonly type = FileType.regularFile;
  readonly bytes: Uint8Array;
  readonly status: Stat;
  position: number;

  /** @param position where it stands: of one that was open in another thread */
  constructor(bytes: Uint8Array, status: Stat, position = 0) {
    super();
    this.bytes = bytes;
    this.status = status;
    this.position = position;
  }

  read(target: Uint8Array): number {
    const count = this.readAt(target, this.position);
    if (count > 0) this.position += count;
    return count;
  }

  readAt(target: Uint8Array, offset: number): number {
    if (offset < 0) return -Errno.EINVAL;
    const part = this.bytes.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  }

  write(): number {
    return -Errno.EBADF;
  }
  writeAt(): number {
    return -Errno.EBADF;
  }

  seek(offset: number, whence: Whence): number {
    const base = whence === "set" ? 0 : whence === "current" ? this.position : this.bytes.length;
    const position = base + offset;
    if (position < 0) return -Errno.EINVAL;
    if (position > FILE_BYTES_MAX) return -Errno.EOVERFLOW;
    this.position = position;
    return position;
  }

  stat(into: Stat): number {
    Object.assign(into, this.status);
    return 0;
  }
  truncate(): number {
    return -Errno.EINVAL;
  }
  allocate(): number {
    return -Errno.EBADF;
  }
  setTimes(): number {
    return -Errno.EROFS;
  }
  sync(): number {
    return -Errno.EINVAL;
  }
  readableBytes(): number {
    return Math.max(0, this.bytes.length - this.position);
  }
  close(): void {}
}
