/** Where the process that hosts a container listens for commands: only its user comes there. */
import { lstatSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { WpodError } from "../../core/error.ts";

/** Of `sockaddr_un` on the systems that have the least, with its NUL. @see unix(7) */
const SOCKET_PATH_BYTES_MAX = 104;
/** Of a name: as many as make two the same by accident never. */
const ID_LENGTH = 24;

/** @param id of the container */
export function controlPath(root: string, id: string): string {
  const name = id.slice(0, ID_LENGTH);
  if (process.platform === "win32") return `\\\\.\\pipe\\wpod-${name}`;
  const path = join(root, "run", `${name}.sock`);
  if (Buffer.byteLength(path) < SOCKET_PATH_BYTES_MAX) return path;
  // The root is too deep for a socket in it.
  // Not imports: few roots are, and they take part of every start.
  const { createHash } = process.getBuiltinModule("node:crypto");
  const { tmpdir } = process.getBuiltinModule("node:os");
  const place = createHash("sha256").update(root).digest("hex").slice(0, ID_LENGTH);
  return join(tmpdir(), `wpod-${process.getuid?.() ?? 0}-${place}`, `${name}.sock`);
}

/** Makes its folder. @throws WpodError STORE_UNUSABLE where that is somebody else's */
export function makeControlFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  const isOurs = uid === process.getuid?.() && (mode & 0o077) === 0 && lstatSync(folder).isDirectory();
  if (!isOurs) {
    throw new WpodError("STORE_UNUSABLE", `${folder} belongs to somebody else, or others may enter it`);
  }
}
