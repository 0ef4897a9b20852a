/**
 * What an image has at the place of a new, empty volume goes into the volume, as in docker: names, content, owners, modes and
 * times, and those of the directory itself. What is mounted in it doesn't.
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import type { FileSystem } from "./file-system.ts";
import type { MemoryLink } from "./memory-link.ts";
import type { MemoryNode } from "./memory-node.ts";

const BUFFER_BYTES = 256 * 1024;

/** Nobody has put anything into it. */
export function isEmpty(fileSystem: FileSystem): boolean {
  return fileSystem.root.children.size === 0;
}

/**
 * @param from a directory of another file system
 * @returns 0, or a negative `Errno`: ENOSPC when it doesn't fit, EIO when a layer can't be read; what was copied stays
 */
export function populate(volume: FileSystem, from: MemoryLink): number {
  // Directories of both, side by side. Without recursion: an image may nest deep.
  const pending: [from: MemoryLink, to: MemoryLink][] = [[from, volume.root]];
  const copies = new Map<MemoryNode, MemoryLink>();
  for (const [source, target] of pending) {
    for (const child of [...source.children.values()]) {
      const known = copies.get(child!.node);
      const copy = known === undefined ? makeCopy(child!, target) : target.addLink(child!.name, known);
      if (typeof copy === "number") {
        if (copy < 0) return copy;
        continue;
      }
      if (child!.node.type === FileType.directory) pending.push([child!, copy]);
      else if (child!.node.linkCount > 1) copies.set(child!.node, copy);
    }
  }
  // Times last: each new name has touched its directory. The deepest first is not needed, since nothing reads.
  for (const [source, target] of pending) copyAttributes(source.node, target.node);
  return 0;
}

function makeCopy(source: MemoryLink, parent: MemoryLink): MemoryLink | number {
  const { node } = source;
  const made = parent.tree.makeNode(node.mode, node.userId, node.groupId, node.symlink);
  if (made === undefined) return -Errno.ENOSPC;
  const link = parent.attach(source.name, made);
  const failure = copyContent(node, made);
  if (failure < 0) return failure;
  if (node.type !== FileType.directory) copyAttributes(node, made);
  return link;
}

function copyContent(from: MemoryNode, to: MemoryNode): number {
  const { content } = from;
  if (content === undefined || to.content === undefined) return 0;
  // A sparse file may be larger than anything: its zeros would be read, all of them.
  if (content.sizeBytes > to.owner.space.bytesMax) return -Errno.ENOSPC;
  const buffer = new Uint8Array(Math.min(BUFFER_BYTES, content.sizeBytes));
  for (let at = 0; at < content.sizeBytes; ) {
    const count = content.read(buffer, at);
    if (count < 0) return count;
    const piece = buffer.subarray(0, count);
    const written = to.content.write(piece, at);
    if (written < count) return written < 0 ? written : -Errno.ENOSPC;
    at += count;
  }
  return 0;
}

function copyAttributes(from: MemoryNode, to: MemoryNode): void {
  to.mode = from.mode;
  to.userId = from.userId;
  to.groupId = from.groupId;
  to.changeTimes({ kind: "set", ns: from.accessNs }, { kind: "set", ns: from.modifyNs });
}
