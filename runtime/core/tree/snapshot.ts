/**
 * What a file system holds, as data that goes to another thread: buffers are handed over, not copied.
 *
 * Directories that nobody has looked at stay what the layers say. Open files don't go with it.
 */
import { FileType } from "../../../shim/abi/filetype.ts";
import type { ContentState } from "./content.ts";
import { MemoryDirectory, type MemoryNode } from "./memory-directory.ts";
import type { MemoryFileSystem } from "./memory-file-system.ts";
import {
  type Attributes,
  MemoryDevice,
  MemoryFile,
  type MemoryInode,
  MemorySymlink,
} from "./memory-inode.ts";

interface NodeState {
  ino: number;
  type: FileType;
  attributes: Attributes;
  dirty: boolean;
  linkCount: number;
  /** Directories: their path in the layers, and the names they have (indexes of nodes) once they were looked at. */
  lowerPath: string | undefined;
  entries: [string, number][] | undefined;
  content: ContentState | undefined;
  target: string | undefined;
}

export interface FileSystemState {
  lastIno: number;
  usedInodes: number;
  /** The root comes first. */
  nodes: NodeState[];
}

/** Its buffers are the file system's own: it must not be used after they were posted (`buffersOf`). */
export function takeSnapshot(fileSystem: MemoryFileSystem): FileSystemState {
  const nodes: NodeState[] = [];
  const indexes = new Map<MemoryNode, number>();
  const pending: MemoryNode[] = [];
  const indexOf = (node: MemoryNode): number => {
    let index = indexes.get(node);
    if (index === undefined) {
      index = pending.push(node) - 1;
      indexes.set(node, index);
    }
    return index;
  };
  indexOf(fileSystem.root);
  // `pending` grows while it is walked: every node once, in the order of their indexes.
  for (const node of pending) {
    const state: NodeState = {
      ino: node.ino,
      type: node.type,
      attributes: node.attributes,
      dirty: node.dirty,
      linkCount: node instanceof MemoryDirectory ? 0 : node.linkCount,
      lowerPath: undefined,
      entries: undefined,
      content: undefined,
      target: undefined,
    };
    if (node instanceof MemoryDirectory) {
      state.lowerPath = node.lowerPath;
      if (node.loaded)
        state.entries = [...node.entries()].map(([name, entry]) => [name, indexOf(entry.inode)]);
    } else if (node instanceof MemoryFile) {
      state.content = node.content.toState();
    } else if (node instanceof MemorySymlink) {
      state.target = node.target;
    }
    nodes.push(state);
  }
  return { lastIno: fileSystem.lastIno, usedInodes: fileSystem.budget.usedInodes, nodes };
}

/** What goes with a state when it is posted. */
export function buffersOf(state: FileSystemState): ArrayBuffer[] {
  return state.nodes.flatMap(({ content }) => content?.chunks.flatMap((chunk) => chunk?.buffer ?? []) ?? []);
}

/** Into a new file system with the same layers and limits. */
export function restoreSnapshot(fileSystem: MemoryFileSystem, state: FileSystemState): void {
  const made: MemoryNode[] = [];
  for (const [index, node] of state.nodes.entries()) {
    made.push(index === 0 ? fileSystem.root : makeNode(fileSystem, node));
  }
  for (const [index, node] of state.nodes.entries()) {
    const inode = made[index]!;
    inode.dirty = node.dirty;
    if (!(inode instanceof MemoryDirectory)) continue;
    inode.restore(
      node.attributes,
      node.lowerPath,
      node.entries?.map(([name, child]) => [name, made[child]!]),
    );
  }
  fileSystem.resume(state.lastIno, state.usedInodes);
}

function makeNode(fileSystem: MemoryFileSystem, state: NodeState): MemoryNode {
  const { ino, attributes, linkCount, type } = state;
  if (type === FileType.directory) return new MemoryDirectory(fileSystem, ino, attributes, undefined);
  return makeLeaf(fileSystem, state, ino, attributes, linkCount, type);
}

function makeLeaf(
  fileSystem: MemoryFileSystem,
  state: NodeState,
  ino: number,
  attributes: Attributes,
  linkCount: number,
  type: FileType,
): MemoryInode {
  if (state.content !== undefined) {
    const lower = state.content.lower;
    const file = new MemoryFile(
      fileSystem,
      ino,
      attributes,
      linkCount,
      lower && { ...lower, blob: fileSystem.layers[lower.layer]!.blob },
    );
    file.content.restore(state.content);
    return file;
  }
  if (state.target !== undefined)
    return new MemorySymlink(fileSystem, ino, attributes, state.target, linkCount);
  return new MemoryDevice(type, fileSystem, ino, attributes, undefined, linkCount);
}
