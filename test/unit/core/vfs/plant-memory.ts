/** Makes what a case wants to be there in a tree in memory, past all rules of permission. */
import type { FileSystem } from "../../../../runtime/core/vfs/file-system.ts";
import { MemoryLink } from "../../../../runtime/core/vfs/memory-link.ts";
import type { Planted } from "./case-file.ts";

export function plantMemory(tree: FileSystem, planted: readonly Planted[]): void {
  const directories: [MemoryLink, bigint][] = [];
  for (const one of planted) {
    const slash = one.path.lastIndexOf("/");
    const parent = find(tree, slash < 0 ? "" : one.path.slice(0, slash));
    const name = one.path.slice(slash + 1);
    if (one.kind === "link") {
      parent.addLink(name, find(tree, one.text));
      continue;
    }
    const made =
      one.kind === "directory"
        ? parent.makeDirectory(name, one.mode, one.uid, one.gid)
        : one.kind === "symlink"
          ? parent.makeSymlink(name, one.text, one.uid, one.gid)
          : parent.createFile(name, one.mode, one.uid, one.gid);
    if (!(made instanceof MemoryLink)) throw new Error(`no room for ${one.path}`);
    if (one.kind === "file") made.node.content!.write(new TextEncoder().encode(one.text), 0);
    if (one.mtimeNs !== undefined) {
      made.node.modifyNs = one.mtimeNs;
      directories.push([made, one.mtimeNs]);
    }
  }
  for (const [link, timeNs] of directories) link.node.modifyNs = timeNs;
}

function find(tree: FileSystem, path: string): MemoryLink {
  let link = tree.root;
  for (const name of path.split("/")) {
    if (name === "") continue;
    const next = link.lookUp(name);
    if (!(next instanceof MemoryLink)) throw new Error(`${path} isn't there`);
    link = next;
  }
  return link;
}
