/** A guest's descriptors by number. The lowest free number is taken, as POSIX wants it; WASI leaves it open. */
import { Errno } from "./abi/errno.ts";
import type { FileExchange, OpenFile, OpenFileCount } from "./abi/system.ts";
import type { Descriptor } from "./descriptor.ts";

/** What the functions of preview 1 do with a table. */
export interface Descriptors {
  get(fd: number): Descriptor | undefined;
  /** Whether `add` would find a number: ESUCCESS, EMFILE or ENFILE. Asked before a file is created or truncated. */
  refusal(): Errno;
  /** It is ESUCCESS. */
  hasRoom(): boolean;
  /** @returns the number, EMFILE: the program has as many as it may, or ENFILE: its container has */
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

  /** What is open beyond those is counted. */
  openFiles: OpenFileCount | undefined = undefined;
  readonly #counted = new Set<Descriptor>();

  /** @param countMax numbers from 0 to one less may be in use (`RLIMIT_NOFILE`) */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get(fd: number): Descriptor | undefined {
    // A number beyond the array must not become a look-up by name.
    return fd < this.#slots.length ? this.#slots[fd] : undefined;
  }

  hasRoom(): boolean {
    return this.refusal() === Errno.ESUCCESS;
  }

  refusal(): Errno {
    this.#findFree();
    if (this.#lowestFree >= this.#countMax) return Errno.EMFILE;
    return this.openFiles?.refusal ?? Errno.ESUCCESS;
  }

  add(descriptor: Descriptor): number {
    this.#findFree();
    if (this.#lowestFree >= this.#countMax) return -Errno.EMFILE;
    if (this.openFiles !== undefined) {
      const refused = this.openFiles.take();
      if (refused !== Errno.ESUCCESS) return -refused;
      this.#counted.add(descriptor);
    }
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
    if (this.#counted.delete(descriptor)) this.openFiles?.give();
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
