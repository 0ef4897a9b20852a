/** Looks at a tree through an open directory, as a guest would. */
import { PLAIN } from "../../../../runtime/core/vfs/open-options.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type OpenOptions, type Stat } from "../../../../shim/abi/system.ts";

export const READ: OpenOptions = { ...PLAIN, read: true, mode: 0o644 };

export function openPath(root: OpenFile, path: string, options: Partial<OpenOptions> = {}): OpenFile {
  const opened = root.openAt(path, { ...READ, ...options });
  if (isFailure(opened)) throw new Error(`${path}: errno ${-opened}`);
  return opened;
}

export function readText(root: OpenFile, path: string): string {
  const opened = openPath(root, path);
  const stat = {} as Stat;
  opened.stat(stat);
  const buffer = new Uint8Array(stat.sizeBytes);
  const count = opened.read(buffer);
  opened.close();
  if (count < 0) throw new Error(`${path}: errno ${-count}`);
  return new TextDecoder().decode(buffer.subarray(0, count));
}

/** Names in a directory, `.` and `..` left out, with their types. */
export function list(root: OpenFile, path: string): [name: string, type: FileType][] {
  const opened = openPath(root, path, { directory: true });
  const names: [string, FileType][] = [];
  opened.readDirectory(2, (_cookie, _inode, type, name) => names.push([name, type]) > 0);
  opened.close();
  return names.sort();
}

/** Everything below the root: content of files, `-> target`, and directories with a slash. */
export function dump(root: OpenFile, path = "."): Record<string, string> {
  const seen: Record<string, string> = {};
  for (const [name, type] of list(root, path)) {
    const full = path === "." ? name : `${path}/${name}`;
    if (type === FileType.directory) Object.assign(seen, { [`${full}/`]: "" }, dump(root, full));
    else if (type === FileType.symbolicLink) seen[full] = `-> ${root.readLinkAt(full)}`;
    else if (type === FileType.regularFile) seen[full] = readText(root, full);
    else seen[full] = `type ${type}`;
  }
  return seen;
}
