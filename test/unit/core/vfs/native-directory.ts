/** The native file system as an open directory: as thin as it can be, since it is the judge of the cases. */
import fs from "node:fs";
import { join } from "node:path";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { DirEntrySink, OpenFile, OpenOptions, Stat, TimeChange } from "../../../../shim/abi/system.ts";
import type { Planted } from "./case-file.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW } =
  fs.constants;

export class NativeFile implements OpenFile {
  readonly type: FileType;
  append = false;
  nonblock = false;
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
    this.type = fs.fstatSync(fd).isDirectory() ? FileType.directory : FileType.regularFile;
  }

  #path(path: string): string {
    return `/proc/self/fd/${this.fd}/${path}`;
  }

  setStatus(): number {
    return -Errno.ENOSYS;
  }
  read(target: Uint8Array): number {
    return call(() => fs.readSync(this.fd, target, 0, target.length, null));
  }
  write(source: Uint8Array): number {
    return call(() => fs.writeSync(this.fd, source, 0, source.length, null));
  }
  readAt(target: Uint8Array, offset: number): number {
    return call(() => fs.readSync(this.fd, target, 0, target.length, offset));
  }
  writeAt(source: Uint8Array, offset: number): number {
    return call(() => fs.writeSync(this.fd, source, 0, source.length, offset));
  }
  seek(): number {
    return -Errno.ENOSYS;
  }
  stat(into: Stat): number {
    return call(() => fill(into, fs.fstatSync(this.fd, { bigint: true })));
  }
  truncate(sizeBytes: number): number {
    return call(() => fs.ftruncateSync(this.fd, sizeBytes));
  }
  allocate(): number {
    return -Errno.ENOSYS;
  }
  setTimes(access: TimeChange, modify: TimeChange): number {
    return call(() => fs.futimesSync(this.fd, seconds(access), seconds(modify)));
  }
  sync(): number {
    return call(() => fs.fsyncSync(this.fd));
  }
  readDirectory(_cookie: number, sink: DirEntrySink): number {
    return call(() => {
      const names = fs.readdirSync(this.#path(""));
      let cookie = 0;
      for (const name of [".", "..", ...names]) sink(++cookie, 0n, FileType.unknown, name);
    });
  }
  readiness(wanted: number): number {
    return wanted;
  }
  readableBytes(): number {
    return 0;
  }
  close(): void {
    fs.closeSync(this.fd);
  }
  openAt(path: string, options: OpenOptions): OpenFile | number {
    let flags = options.write ? (options.read ? O_RDWR : O_WRONLY) : O_RDONLY;
    if (options.create) flags |= O_CREAT;
    if (options.exclusive) flags |= O_EXCL;
    if (options.truncate) flags |= O_TRUNC;
    if (options.append) flags |= O_APPEND;
    if (options.directory) flags |= O_DIRECTORY;
    if (!options.followLast) flags |= O_NOFOLLOW;
    let fd = -1;
    const failure = call(() => {
      fd = fs.openSync(this.#path(path), flags, options.mode);
    });
    return failure < 0 ? failure : new NativeFile(fd);
  }
  statAt(path: string, followLast: boolean, into: Stat): number {
    const stat = followLast ? fs.statSync : fs.lstatSync;
    return call(() => fill(into, stat(this.#path(path), { bigint: true }) as fs.BigIntStats));
  }
  setTimesAt(path: string, followLast: boolean, access: TimeChange, modify: TimeChange): number {
    const set = followLast ? fs.utimesSync : fs.lutimesSync;
    return call(() => set(this.#path(path), seconds(access), seconds(modify)));
  }
  makeDirectoryAt(path: string, mode: number): number {
    return call(() => void fs.mkdirSync(this.#path(path), mode));
  }
  removeDirectoryAt(path: string): number {
    return call(() => fs.rmdirSync(this.#path(path)));
  }
  unlinkAt(path: string): number {
    return call(() => fs.unlinkSync(this.#path(path)));
  }
  readLinkAt(path: string): string | number {
    let target = "";
    const failure = call(() => {
      target = fs.readlinkSync(this.#path(path));
    });
    return failure < 0 ? failure : target;
  }
  makeSymlinkAt(target: string, path: string): number {
    return call(() => fs.symlinkSync(target, this.#path(path)));
  }
  linkAt(path: string, _followLast: boolean, to: OpenFile, toPath: string): number {
    return call(() => fs.linkSync(this.#path(path), (to as NativeFile).#path(toPath)));
  }
  renameAt(path: string, to: OpenFile, toPath: string): number {
    return call(() => fs.renameSync(this.#path(path), (to as NativeFile).#path(toPath)));
  }
}

function call(run: () => unknown): number {
  try {
    const answer = run();
    return typeof answer === "number" ? answer : 0;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code as keyof typeof Errno;
    if (Errno[code] === undefined) throw error;
    return -Errno[code];
  }
}

function fill(into: Stat, stat: fs.BigIntStats): void {
  into.device = stat.dev;
  into.inode = stat.ino;
  into.type = stat.isFile()
    ? FileType.regularFile
    : stat.isDirectory()
      ? FileType.directory
      : stat.isSymbolicLink()
        ? FileType.symbolicLink
        : FileType.unknown;
  into.mode = Number(stat.mode & 0o7777n);
  into.uid = Number(stat.uid);
  into.gid = Number(stat.gid);
  into.linkCount = Number(stat.nlink);
  into.sizeBytes = Number(stat.size);
  // On a time before 1970 libuv's parts have to be put together by hand.
  into.atimeNs = stat.atimeNs;
  into.mtimeNs = stat.mtimeNs;
  into.ctimeNs = stat.ctimeNs;
}

/** node:fs takes a negative number for now, but no negative date. */
function seconds(change: TimeChange): number | Date {
  if (change.kind !== "set") throw new Error("the cases say where node:fs can't express a time");
  return change.ns < 0n ? new Date(Number(change.ns) / 1e6) : Number(change.ns) / 1e9;
}

/** Makes what a case wants to be there, in a directory of the host. */
export function plantNative(root: string, planted: readonly Planted[]): void {
  for (const one of planted) {
    const path = join(root, one.path);
    if (one.kind === "directory") fs.mkdirSync(path);
    else if (one.kind === "symlink") fs.symlinkSync(one.text, path);
    else if (one.kind === "link") fs.linkSync(join(root, one.text), path);
    else fs.writeFileSync(path, one.text);
  }
  for (const one of planted) {
    const path = join(root, one.path);
    if (one.kind === "symlink" || one.kind === "link") continue;
    fs.chownSync(path, one.uid, one.gid);
    fs.chmodSync(path, one.mode);
  }
  for (const one of [...planted].reverse()) {
    if (one.mtimeNs === undefined) continue;
    const time = Number(one.mtimeNs) / 1e9;
    fs.utimesSync(join(root, one.path), time, time);
  }
}
