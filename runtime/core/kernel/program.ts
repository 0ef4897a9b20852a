/**
 * Finds what a container executes, as `execve` would: by name through PATH, by path, or an interpreter named in the
 * first line. A file is run by its content, not by its name or its mode: images of modules are mostly made without
 * execute bits.
 *
 * @see execve(2), environ(7)
 */
import { Errno } from "../../../shim/abi/errno.ts";
import { FileType } from "../../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type OpenOptions, type Stat } from "../../../shim/abi/system.ts";
import { WpodError } from "../error.ts";
import { PLAIN } from "../vfs/open-options.ts";
import { recogniseScript } from "../wasm/script.ts";
import { joinPath } from "./path.ts";

export interface Program {
  /** Absolute, as it was found; links in it aren't resolved. */
  path: string;
  /** What the program sees; an interpreter comes first. */
  argv: string[];
  /** The whole file; as long as the tree is there. */
  read(): Uint8Array;
  /** On which mount it was found. */
  device: bigint;
}

/** V8 takes no larger module. A sparse file of an image may claim any size. */
export const PROGRAM_BYTES_MAX = 1024 * 1024 * 1024;
/** Interpreters of interpreters; Linux stops at 4 too. */
const INTERPRETERS_MAX = 4;

/** Enough for what `recogniseScript` looks at. */
const FIRST_LINE_BYTES_MAX = 256;

const READ_ONLY: OpenOptions = { ...PLAIN, read: true, nonblock: true };

/**
 * @param root the container's root directory, opened with all rights
 * @throws WpodError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
 */
export function findProgram(
  root: OpenFile,
  argv: readonly string[],
  where: { searchPath: string; workdir: string },
): Program {
  let words = [...argv];
  for (let depth = 0; depth <= INTERPRETERS_MAX; depth++) {
    const name = words[0]!;
    const found = lookUp(root, name, where);
    const { path, sizeBytes, device } = found;
    const script = recogniseScript(readStart(root, path, Math.min(sizeBytes, FIRST_LINE_BYTES_MAX)));
    if (script === undefined || script.interpreter === "") {
      return { path, argv: words, read: () => readStart(root, path, sizeBytes), device };
    }
    words = [script.interpreter, ...script.args, found.path, ...words.slice(1)];
  }
  throw new WpodError("COMMAND_NOT_EXECUTABLE", `exec "${argv[0]}": too many levels of interpreters`);
}

interface Found {
  path: string;
  sizeBytes: number;
  device: bigint;
}

function lookUp(root: OpenFile, name: string, where: { searchPath: string; workdir: string }): Found {
  if (name === "") throw new WpodError("COMMAND_NOT_FOUND", 'exec: "": no command');
  if (name.includes("/")) {
    const found = probe(root, joinPath(where.workdir, name));
    if (typeof found === "object") return found;
    throw refusal(name, found);
  }
  const directories = where.searchPath
    .split(":")
    .map((directory) => (directory === "" ? where.workdir : directory));
  // Images of one module name it without a directory: `ENTRYPOINT ["app.wasm"]`.
  if (name.endsWith(".wasm")) directories.push(where.workdir, "/");
  let worst = -Errno.ENOENT;
  for (const directory of directories) {
    const found = probe(root, joinPath(directory, name));
    if (typeof found === "object") return found;
    if (found === -Errno.EACCES) worst = found;
  }
  if (worst === -Errno.EACCES) throw refusal(name, worst);
  throw new WpodError(
    "COMMAND_NOT_FOUND",
    `exec: "${name}": executable file not found in $PATH: No such file or directory`,
    {
      hint: `PATH in the container is ${where.searchPath || "empty"}`,
    },
  );
}

/** A regular file, or why not. */
function probe(root: OpenFile, path: string): Found | number {
  const stat = {} as Stat;
  const answer = root.statAt(relative(path), true, stat);
  if (answer < 0) return answer;
  if (stat.type === FileType.directory) return -Errno.EISDIR;
  if (stat.type !== FileType.regularFile) return -Errno.EACCES;
  return { path, sizeBytes: stat.sizeBytes, device: stat.device };
}

function refusal(name: string, failure: number): WpodError {
  switch (-failure) {
    case Errno.EISDIR:
      return new WpodError("COMMAND_NOT_EXECUTABLE", `exec: "${name}": is a directory: permission denied`);
    case Errno.ENOENT:
    case Errno.ENOTDIR:
      return new WpodError("COMMAND_NOT_FOUND", `exec: "${name}": stat ${name}: no such file or directory`);
    case Errno.ELOOP:
      return new WpodError("COMMAND_NOT_EXECUTABLE", `exec: "${name}": too many levels of symbolic links`);
    default:
      return new WpodError("COMMAND_NOT_EXECUTABLE", `exec: "${name}": permission denied`);
  }
}

function readStart(root: OpenFile, path: string, sizeBytes: number): Uint8Array {
  const file = root.openAt(relative(path), READ_ONLY);
  if (isFailure(file)) throw refusal(path, file);
  try {
    return readAll(file, sizeBytes, path);
  } finally {
    file.close();
  }
}

function readAll(file: OpenFile, sizeBytes: number, path: string): Uint8Array {
  if (sizeBytes > PROGRAM_BYTES_MAX) {
    throw new WpodError(
      "PROGRAM_INVALID",
      `${path} has ${sizeBytes} bytes; a program may have ${PROGRAM_BYTES_MAX}`,
    );
  }
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  while (at < sizeBytes) {
    const count = file.readAt(bytes.subarray(at), at);
    if (count < 0) throw new WpodError("COMMAND_NOT_EXECUTABLE", `exec: "${path}": it can't be read`);
    if (count === 0) break;
    at += count;
  }
  return bytes.subarray(0, at);
}

function relative(path: string): string {
  return path.replace(/^\/+/, "") || ".";
}

/** A small file of the container as text; undefined when there is none. */
export function readTextFile(root: OpenFile, path: string, bytesMax: number): string | undefined {
  const found = probe(root, path);
  if (typeof found === "number") return undefined;
  const file = root.openAt(relative(path), READ_ONLY);
  if (isFailure(file)) return undefined;
  try {
    return new TextDecoder().decode(readAll(file, Math.min(found.sizeBytes, bytesMax), path));
  } finally {
    file.close();
  }
}
