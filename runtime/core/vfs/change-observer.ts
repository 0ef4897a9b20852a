/**
 * Who is told of every change of a file system, after it was made and in the order in which changes are made: what keeps
 * it on disk, and what tells other threads that they must look again. Without one, a change costs a test.
 *
 * When it is told, the operation is complete, but where `isReplaced` says that the rest follows. What a change does to the
 * times of the directories, and to the times and counts of the file, isn't told apart.
 */
import type { MemoryLink } from "./memory-link.ts";
import type { MemoryNode } from "./memory-node.ts";

export interface ChangeObserver {
  /** A name came: of a new node, or one more of a file. */
  linked(link: MemoryLink): void;
  /**
   * A name went; `link.node.linkCount` is what is left. Its content is freed only after this.
   * @param isReplaced by what is `renamed` next
   */
  unlinked(link: MemoryLink, isReplaced: boolean): void;
  /** `link` has its new parent and name; what it replaced was `unlinked` before. */
  renamed(link: MemoryLink, fromParent: MemoryLink, fromName: string): void;
  /** Owner, mode, times, size or content; also of a node that has no name (left). */
  changed(node: MemoryNode): void;
}
