/**
 * The folder of a writable layer or volume, through `node:fs`: plain files of this user, never through a link.
 *
 * Everything waits, and works in any thread. A name is one of wpod's own, so a path made of it stays in the folder.
 */
import fs from "node:fs";
import { dirname, join } from "node:path";
import { Errno } from "../../../shim/abi/errno.ts";
import type { Failure } from "../../../shim/abi/system.ts";
import { WpodError } from "../../core/error.ts";
import type { StoreFile, StoreFolder } from "../../core/vfs/store-folder.ts";
import { DURABLE_FLAGS, syncDurable } from "../host/descriptor-calls.ts";
import { isRestricted } from "../host/permission-flags.ts";
import { attempt, hostErrno } from "../hostdir/host-errno.ts";

const { O_RDWR, O_CREAT, O_TRUNC, O_EXCL } = fs.constants;
/** Not on Windows. */
const O_NOFOLLOW = fs.constants.O_NOFOLLOW ?? 0;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** `containers/ID/layer` under the root. */
const PARENT_COUNT_MAX = 2;

export class HostFolder implements StoreFolder {
  readonly #path: string;
  readonly #flags: number;

  /** @param isDurable its files are synced */
  constructor(path: string, isDurable = false) {
    this.#path = path;
    this.#flags = O_NOFOLLOW | (isDurable ? DURABLE_FLAGS : 0);
  }

  list(): string[] {
    try {
      return fs.readdirSync(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw unusable(this.#path, error);
    }
  }

  open(name: string): StoreFile | undefined {
    const path = join(this.#path, name);
    let fd: number;
    try {
      fd = fs.openSync(path, O_RDWR | this.#flags);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      if (code === "ELOOP")
        throw new WpodError("STORE_UNUSABLE", `"${path}" is a link, not a file of wpod's`);
      throw unusable(path, error);
    }
    const refused = refusal(path, fs.fstatSync(fd));
    if (refused === undefined) return new HostFile(fd);
    fs.closeSync(fd);
    throw refused;
  }

  create(name: string): StoreFile | Failure {
    const path = join(this.#path, name);
    try {
      return new HostFile(this.#create(path));
    } catch (error) {
      return -hostErrno(error) as Failure;
    }
  }

  #create(path: string): number {
    try {
      return fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | this.#flags, FILE_MODE);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") makeFolder(this.#path, PARENT_COUNT_MAX);
      // Not truncated in place: somebody else's, or a link, may have the name.
      else if (code === "EEXIST") fs.unlinkSync(path);
      else throw error;
    }
    return fs.openSync(path, O_RDWR | O_CREAT | O_TRUNC | O_EXCL | this.#flags, FILE_MODE);
  }

  rename(name: string, toName: string): number {
    return attempt(() => {
      fs.renameSync(join(this.#path, name), join(this.#path, toName));
      return 0;
    });
  }

  remove(name: string): number {
    return attempt(() => {
      fs.unlinkSync(join(this.#path, name));
      return 0;
    });
  }

  discard(name: string, file: StoreFile): void {
    // The last one to let go of it frees its bytes; a file that stays, since the process ended, is found at the next start.
    fs.unlink(join(this.#path, name), () => {});
    (file as HostFile).startClose();
  }

  sync(): number {
    // Windows knows no such thing, and a restricted process may not: a file system writes the name with a durable file.
    if (process.platform === "win32" || isRestricted()) return 0;
    return attempt(() => {
      const fd = fs.openSync(this.#path, fs.constants.O_RDONLY);
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      return 0;
    });
  }
}

/** Not `recursive`: below `/proc` Node would try for ever. */
function makeFolder(path: string, parentCount: number): void {
  try {
    fs.mkdirSync(path, { mode: FOLDER_MODE });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || parentCount === 0) throw error;
    makeFolder(dirname(path), parentCount - 1);
    fs.mkdirSync(path, { mode: FOLDER_MODE });
  }
}

class HostFile implements StoreFile {
  readonly fd: number;
  #sizeBytes: number;

  constructor(fd: number) {
    this.fd = fd;
    this.#sizeBytes = fs.fstatSync(fd).size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  read(target: Uint8Array, offsetBytes: number): number {
    return attempt(() => {
      let done = 0;
      while (done < target.length) {
        const count = fs.readSync(this.fd, target, done, target.length - done, offsetBytes + done);
        if (count === 0) return -Errno.EIO;
        done += count;
      }
      return 0;
    });
  }

  write(source: Uint8Array, offsetBytes: number): number {
    let done = 0;
    const failure = attempt(() => {
      while (done < source.length) {
        const count = fs.writeSync(this.fd, source, done, source.length - done, offsetBytes + done);
        if (count === 0) return -Errno.EIO;
        done += count;
      }
      return 0;
    });
    this.#sizeBytes = Math.max(this.#sizeBytes, done > 0 ? offsetBytes + done : 0);
    return failure;
  }

  truncate(sizeBytes: number): number {
    return attempt(() => {
      fs.ftruncateSync(this.fd, sizeBytes);
      this.#sizeBytes = sizeBytes;
      return 0;
    });
  }

  sync(): number {
    return attempt(() => {
      // It takes along what is needed to find the bytes again, and spares the disk the rest.
      syncDurable(this.fd);
      return 0;
    });
  }

  startSync(): void {
    // A thread of Node's does it, also while this one is busy with its guest. Whether it worked is for `sync` to say.
    if (!isRestricted()) fs.fdatasync(this.fd, () => {});
  }

  close(): void {
    fs.closeSync(this.fd);
  }

  startClose(): void {
    fs.close(this.fd, () => {});
  }
}

function refusal(path: string, stat: fs.Stats): WpodError | undefined {
  if (!stat.isFile()) return new WpodError("STORE_UNUSABLE", `"${path}" is no plain file`);
  const uid = process.getuid?.() ?? stat.uid;
  if (stat.uid !== uid) {
    return new WpodError("STORE_UNUSABLE", `"${path}" belongs to another user`, {
      hint: `it is owned by uid ${stat.uid}, and wpod runs as uid ${uid}`,
    });
  }
  return undefined;
}

function unusable(path: string, cause: unknown): WpodError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new WpodError("STORE_UNUSABLE", `"${path}" can't be opened: ${code ?? message}`, { cause });
}
