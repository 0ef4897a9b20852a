/** Runs the steps of one case against an open root directory, whatever stands behind it. */

import { expect } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import type { OpenFile, OpenOptions, Stat, TimeChange, Whence } from "../../../../shim/abi/system.ts";
import { expand, type FileCase, type TextSpec } from "./case-file.ts";

export interface CaseTarget {
  root: OpenFile;
  /** A directory as a capability. */
  preopen(path: string): OpenFile | number;
}

const TYPE_NAMES: Record<number, string> = {
  [FileType.regularFile]: "file",
  [FileType.directory]: "directory",
  [FileType.symbolicLink]: "symlink",
  [FileType.characterDevice]: "device",
};

export function runCase(one: FileCase, target: CaseTarget): void {
  const run = new CaseRun(target);
  try {
    for (const step of one.steps) run.step(step);
  } finally {
    run.end();
  }
}

class CaseRun {
  readonly #target: CaseTarget;
  readonly #handles = new Map<string, OpenFile>();

  constructor(target: CaseTarget) {
    this.#target = target;
  }

  end(): void {
    for (const file of this.#handles.values()) file.close();
  }

  step(step: unknown[]): void {
    const where = JSON.stringify(step).slice(0, 200);
    const [op, ...args] = step as [string, ...never[]];
    const method = this.#operations[op];
    if (method === undefined) throw new Error(`no such operation: ${where}`);
    method(where, ...args);
  }

  #file(handle: string): OpenFile {
    const file = this.#handles.get(handle);
    if (file === undefined) throw new Error(`no handle ${handle}`);
    return file;
  }

  /** `handle>path`, or a path from the root. */
  #at(spec: TextSpec): [OpenFile, string] {
    const text = expand(spec);
    const match = /^(\w)>(.*)$/s.exec(text);
    return match === null ? [this.#target.root, text] : [this.#file(match[1]!), match[2]!];
  }

  #open(spec: TextSpec, flags: string, mode = "644"): OpenFile | number {
    const [directory, path] = this.#at(spec);
    return directory.openAt(path, openOptions(flags, Number.parseInt(mode, 8)));
  }

  #stat(where: string, answer: number, stat: Stat, expected: string | Record<string, unknown>): void {
    same(where, answer, typeof expected === "string" ? expected : 0);
    if (typeof expected === "string") return;
    const seen: Record<string, unknown> = {
      type: TYPE_NAMES[stat.type] ?? "unknown",
      size: stat.sizeBytes,
      mode: stat.mode.toString(8),
      nlink: stat.linkCount,
      uid: stat.uid,
      gid: stat.gid,
      mtime: String(stat.mtimeNs),
      atime: String(stat.atimeNs),
    };
    for (const [key, value] of Object.entries(expected)) expect(seen[key], `${where}: ${key}`).toBe(value);
  }

  #statOf(spec: TextSpec, follow: boolean): { answer: number; stat: Stat } {
    const [directory, path] = this.#at(spec);
    const stat = {} as Stat;
    return { answer: directory.statAt(path, follow, stat), stat };
  }

  readonly #operations: Record<string, (where: string, ...args: never[]) => void> = {
    open: (where, handle: string, path: TextSpec, flags: string, expected: unknown, mode?: string) => {
      const file = this.#open(path, flags, mode);
      same(where, typeof file === "number" ? file : 0, expected);
      if (typeof file !== "number") {
        this.#handles.get(handle)?.close();
        this.#handles.set(handle, file);
      }
    },
    preopen: (where, handle: string, path: string, expected: unknown) => {
      const file = this.#target.preopen(path);
      same(where, typeof file === "number" ? file : 0, expected);
      if (typeof file !== "number") this.#handles.set(handle, file);
    },
    read: (where, handle: string, size: number, expected: TextSpec) => {
      const buffer = new Uint8Array(size);
      bytes(where, this.#file(handle).read(buffer), buffer, expected);
    },
    pread: (where, handle: string, size: number, offset: number, expected: TextSpec) => {
      const buffer = new Uint8Array(size);
      bytes(where, this.#file(handle).readAt(buffer, offset), buffer, expected);
    },
    write: (where, handle: string, text: TextSpec, expected: unknown) => {
      same(where, this.#file(handle).write(encode(text)), expected);
    },
    pwrite: (where, handle: string, text: TextSpec, offset: number, expected: unknown) => {
      same(where, this.#file(handle).writeAt(encode(text), offset), expected);
    },
    seek: (where, handle: string, offset: number, whence: Whence, expected: unknown) => {
      same(where, this.#file(handle).seek(offset, whence), expected);
    },
    truncate: (where, handle: string, size: number, expected: unknown) => {
      same(where, this.#file(handle).truncate(size), expected);
    },
    allocate: (where, handle: string, offset: number, length: number, expected: unknown) => {
      same(where, this.#file(handle).allocate(offset, length), expected);
    },
    status: (where, handle: string, flags: string, expected: unknown) => {
      same(where, this.#file(handle).setStatus(flags.includes("a"), false), expected);
    },
    sync: (where, handle: string, expected: unknown) => {
      same(where, this.#file(handle).sync(false), expected);
    },
    fstat: (where, handle: string, expected: string | Record<string, unknown>) => {
      const stat = {} as Stat;
      this.#stat(where, this.#file(handle).stat(stat), stat, expected);
    },
    stat: (where, path: TextSpec, expected: string | Record<string, unknown>) => {
      const { answer, stat } = this.#statOf(path, true);
      this.#stat(where, answer, stat, expected);
    },
    lstat: (where, path: TextSpec, expected: string | Record<string, unknown>) => {
      const { answer, stat } = this.#statOf(path, false);
      this.#stat(where, answer, stat, expected);
    },
    /** Two names of one file? */
    same: (where, first: string, second: string, expected: boolean) => {
      const one = this.#statOf(first, false).stat;
      const other = this.#statOf(second, false).stat;
      expect(one.inode === other.inode && one.device === other.device, where).toBe(expected);
    },
    /** Is a time later than those that the cases set? */
    changed: (where, path: string, which: "atime" | "mtime", expected: boolean) => {
      const { stat } = this.#statOf(path, true);
      const time = which === "atime" ? stat.atimeNs : stat.mtimeNs;
      expect(time > 1_000_000_000_000_000_000n, where).toBe(expected);
    },
    content: (where, path: TextSpec, expected: TextSpec) => {
      const file = this.#open(path, "r");
      if (typeof file === "number") return same(where, file, expected);
      const stat = {} as Stat;
      file.stat(stat);
      const buffer = new Uint8Array(stat.sizeBytes + 1);
      try {
        bytes(where, file.readAt(buffer, 0), buffer, expected);
      } finally {
        file.close();
      }
    },
    put: (where, path: TextSpec, text: TextSpec, expected: unknown) => {
      const file = this.#open(path, "wct");
      if (typeof file === "number") return same(where, file, expected);
      const source = encode(text);
      const count = file.write(source);
      file.close();
      same(where, count === source.length ? 0 : count, expected);
    },
    mkdir: (where, path: TextSpec, expected: unknown, mode = "755") => {
      const [directory, name] = this.#at(path);
      same(where, directory.makeDirectoryAt(name, Number.parseInt(mode, 8)), expected);
    },
    rmdir: (where, path: TextSpec, expected: unknown) => {
      const [directory, name] = this.#at(path);
      same(where, directory.removeDirectoryAt(name), expected);
    },
    unlink: (where, path: TextSpec, expected: unknown) => {
      const [directory, name] = this.#at(path);
      same(where, directory.unlinkAt(name), expected);
    },
    readlink: (where, path: TextSpec, expected: unknown) => {
      const [directory, name] = this.#at(path);
      const answer = directory.readLinkAt(name);
      if (typeof answer === "number") same(where, answer, expected);
      else expect(answer, where).toBe(expected);
    },
    symlink: (where, text: TextSpec, path: TextSpec, expected: unknown) => {
      const [directory, name] = this.#at(path);
      same(where, directory.makeSymlinkAt(expand(text), name), expected);
    },
    link: (where, from: TextSpec, to: TextSpec, expected: unknown) => {
      const [directory, name] = this.#at(from);
      const [toDirectory, toName] = this.#at(to);
      same(where, directory.linkAt(name, false, toDirectory, toName), expected);
    },
    rename: (where, from: TextSpec, to: TextSpec, expected: unknown) => {
      const [directory, name] = this.#at(from);
      const [toDirectory, toName] = this.#at(to);
      same(where, directory.renameAt(name, toDirectory, toName), expected);
    },
    readdir: (where, path: string, expected: unknown) => {
      const held = this.#handles.get(path);
      const directory = held ?? this.#open(path, "rd");
      if (typeof directory === "number") return same(where, directory, expected);
      const names: string[] = [];
      const answer = directory.readDirectory(0, (_cookie, _inode, _type, name) => names.push(name) > 0);
      if (held === undefined) directory.close();
      if (typeof expected === "string") return same(where, answer, expected);
      same(where, answer, 0);
      expect(names.slice(0, 2), where).toEqual([".", ".."]);
      expect(names.slice(2).sort(), where).toEqual([...(expected as string[])].sort());
    },
    utimes: (where, path: TextSpec, access: string, modify: string, expected: unknown) => {
      const [directory, name] = this.#at(path);
      same(where, directory.setTimesAt(name, true, timeChange(access), timeChange(modify)), expected);
    },
    lutimes: (where, path: TextSpec, access: string, modify: string, expected: unknown) => {
      const [directory, name] = this.#at(path);
      same(where, directory.setTimesAt(name, false, timeChange(access), timeChange(modify)), expected);
    },
    futimes: (where, handle: string, access: string, modify: string, expected: unknown) => {
      same(where, this.#file(handle).setTimes(timeChange(access), timeChange(modify)), expected);
    },
  } satisfies Record<string, (where: string, ...args: never[]) => void> as never;
}

function openOptions(flags: string, mode: number): OpenOptions {
  return {
    read: flags.includes("r"),
    write: flags.includes("w"),
    create: flags.includes("c"),
    exclusive: flags.includes("x"),
    truncate: flags.includes("t"),
    append: flags.includes("a"),
    directory: flags.includes("d"),
    followLast: !flags.includes("n"),
    nonblock: false,
    mode,
  };
}

function timeChange(text: string): TimeChange {
  return text === "keep" || text === "now" ? { kind: text } : { kind: "set", ns: BigInt(text) };
}

function encode(text: TextSpec): Uint8Array {
  return new TextEncoder().encode(expand(text));
}

export function errnoName(answer: number): string | number {
  if (answer >= 0) return answer;
  return Object.entries(Errno).find(([, value]) => value === -answer)?.[0] ?? answer;
}

function same(where: string, answer: number, expected: unknown): void {
  expect(errnoName(answer), where).toBe(expected);
}

function bytes(where: string, answer: number, buffer: Uint8Array, expected: TextSpec): void {
  if (answer < 0) {
    same(where, answer, expected);
    return;
  }
  // Compared before it is printed: a diff of a megabyte helps nobody.
  const seen = new TextDecoder().decode(buffer.subarray(0, answer));
  const wanted = expand(expected);
  if (seen === wanted) return;
  expect(seen.length > 500 ? `${seen.length} bytes` : seen, where).toBe(
    wanted.length > 500 ? `${wanted.length} bytes` : wanted,
  );
  expect.fail(`${where}: other bytes of the same count`);
}
