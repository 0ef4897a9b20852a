/** A guest's descriptors by number. The lowest free number is taken, as POSIX wants it; WASI leaves it open. */
import { Errno } from "./abi/errno.ts";
import type { FileExchange, OpenFile } from "./abi/system.ts";
import type { Descriptor } from "./descriptor.ts";

/** What the functions of preview 1 do with a table. */
export interface Descriptors {
  get(fd: number): Descriptor | undefined;
  /** Whether `add` would find a number. Asked before a file is created or truncated. */
  hasRoom(): boolean;
  /** @returns the number, or EMFILE */
  add(descriptor: Descriptor): number;
  close(fd: number): Errno;
  /** Gives `from` the number `to`, whose file is closed. Both have to be open. */
  renumber(from: number, to: number): Errno;
  closeAll(): void;
}

export class DescriptorTable implements Descriptors, FileExchange {
  readonly #slots: (Descriptor | undefined)[] = [];
  /** Below it nothing is free. */
  #lowestFree = 0;
  readonly #countMax: number;
  /** Files that had several numbers from the start: standard output and error may be one. */
  readonly #shared = new Set<OpenFile>();

  /** @param countMax numbers from 0 to one less may be in use (`RLIMIT_NOFILE`) */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get(fd: number): Descriptor | undefined {
    // A number beyond the array must not become a look-up by name.
    return fd < this.#slots.length ? this.#slots[fd] : undefined;
  }

  hasRoom(): boolean {
    this.#findFree();
    return this.#lowestFree < this.#countMax;
  }

  add(descriptor: Descriptor): number {
    if (!this.hasRoom()) return -Errno.EMFILE;
    const fd = this.#lowestFree;
    this.#slots[fd] = descriptor;
    return fd;
  }

  /** The file stands behind several numbers: only the last one to go closes it. */
  share(file: OpenFile): void {
    this.#shared.add(file);
  }

  close(fd: number): Errno {
    const descriptor = this.get(fd);
    if (descriptor === undefined) return Errno.EBADF;
    this.#slots[fd] = undefined;
    if (fd < this.#lowestFree) this.#lowestFree = fd;
    const file = descriptor.file;
    if (!this.#shared.has(file) || !this.#slots.some((other) => other?.file === file)) file.close();
    return Errno.ESUCCESS;
  }

  renumber(from: number, to: number): Errno {
    const descriptor = this.get(from);
    if (descriptor === undefined || this.get(to) === undefined) return Errno.EBADF;
    if (from === to) return Errno.ESUCCESS;
    this.close(to);
    this.#slots[from] = undefined;
    this.#slots[to] = descriptor;
    if (from < this.#lowestFree) this.#lowestFree = from;
    return Errno.ESUCCESS;
  }

  exchange(replace: (file: OpenFile) => OpenFile): void {
    const replaced = new Map<OpenFile, OpenFile>();
    for (const descriptor of this.#slots) {
      if (descriptor === undefined) continue;
      const { file } = descriptor;
      const other = replaced.get(file) ?? replace(file);
      replaced.set(file, other);
      descriptor.file = other;
      if (this.#shared.delete(file)) this.#shared.add(other);
    }
  }

  closeAll(): void {
    for (let fd = 0; fd < this.#slots.length; fd++) this.close(fd);
  }

  #findFree(): void {
    while (this.#lowestFree < this.#slots.length && this.#slots[this.#lowestFree] !== undefined)
      this.#lowestFree++;
  }
}
