/**
 * A guest's descriptors by number, for a program with threads: numbers in shared memory, which every thread looks at through a
 * table of its own. Nobody waits for anybody: a thread that is ended anywhere leaves a table that the others can use.
 *
 * Whoever takes a record out of its slot (by an atomic exchange) owns it, and nobody else finds it there. Handles aren't used
 * again, so a reader that saw the same handle before and after has read what belongs to that file.
 */
import { Field, RECORD_SLOTS } from "./abi/descriptor-records.ts";
import { Errno } from "./abi/errno.ts";
import type { FileType } from "./abi/filetype.ts";
import { FdFlags } from "./abi/flags.ts";
import type { Rights } from "./abi/rights.ts";
import type { SharedFile, SharedFiles } from "./abi/shared-files.ts";
import type { OpenFileCount } from "./abi/system.ts";
import { Descriptor, SYNC_FLAGS } from "./descriptor.ts";
import type { Descriptors } from "./descriptor-table.ts";
import { encodeUtf8 } from "./memory.ts";

const FREE = 0;
const NO_HANDLE = -1;

export class SharedDescriptorTable implements Descriptors {
  readonly #slots: Int32Array<SharedArrayBuffer>;
  readonly #countMax: number;
  readonly #recordCount: number;
  readonly #files: SharedFiles;
  readonly #preopenNames: readonly Uint8Array[];
  /** What this thread has made of each number. */
  readonly #met: (SharedDescriptor | undefined)[] = [];
  /** What is opened is counted. */
  openFiles: OpenFileCount | undefined = undefined;

  /** @param countMax the same number that the buffer was made for */
  constructor(buffer: SharedArrayBuffer, countMax: number, files: SharedFiles) {
    this.#slots = new Int32Array(buffer);
    this.#countMax = countMax;
    this.#recordCount = (this.#slots.length - countMax) / RECORD_SLOTS;
    this.#files = files;
    this.#preopenNames = files.preopenNames.map(encodeUtf8);
  }

  get(fd: number): Descriptor | undefined {
    if (fd >= this.#countMax) return undefined;
    for (;;) {
      const token = Atomics.load(this.#slots, fd);
      if (token === FREE) return undefined;
      const descriptor = this.#read(fd, token);
      // The record went to somebody else while it was read: so the slot has changed too.
      if (descriptor !== undefined) return descriptor;
    }
  }

  #read(fd: number, token: number): SharedDescriptor | undefined {
    const slots = this.#slots;
    const record = this.#placeOf(token);
    const handle = Atomics.load(slots, record + Field.handle);
    if (handle === NO_HANDLE) return undefined;
    const met = this.#met[fd];
    if (met !== undefined && met.handle === handle && met.record === record) {
      met.refresh();
      return Atomics.load(slots, record + Field.handle) === handle ? met : undefined;
    }
    const type = Atomics.load(slots, record + Field.type) as FileType;
    const preopen = Atomics.load(slots, record + Field.preopen);
    const descriptor = new SharedDescriptor(
      this.#files.fileOf(handle, type),
      slots,
      record,
      handle,
      preopen === 0 ? undefined : this.#preopenNames[preopen - 1],
    );
    descriptor.refresh();
    if (Atomics.load(slots, record + Field.handle) !== handle) return undefined;
    this.#met[fd] = descriptor;
    return descriptor;
  }

  hasRoom(): boolean {
    return this.refusal() === Errno.ESUCCESS;
  }

  /** What `add` would answer now. Other threads may be quicker. */
  refusal(): Errno {
    if (this.#findFree(0) >= this.#countMax) return Errno.EMFILE;
    return this.openFiles?.refusal ?? Errno.ESUCCESS;
  }

  add(descriptor: Descriptor): number {
    const isFoundOpen =
      descriptor.preopenName !== undefined || this.#files.handleOf(descriptor.file) < this.#files.keptMax;
    const isCounted = this.openFiles !== undefined && !isFoundOpen;
    const refused = isCounted ? this.openFiles!.take() : Errno.ESUCCESS;
    if (refused !== Errno.ESUCCESS) return -refused;
    const fd = this.#add(descriptor);
    if (isCounted && fd < 0) this.openFiles!.give();
    return fd;
  }

  #add(descriptor: Descriptor): number {
    let fd = this.#findFree(0);
    const record = fd < this.#countMax ? this.#takeRecord() : undefined;
    if (record === undefined) return -Errno.EMFILE;
    this.#fill(record, descriptor);
    const token = this.#tokenOf(record);
    while (fd < this.#countMax) {
      if (Atomics.compareExchange(this.#slots, fd, FREE, token) === FREE) return fd;
      fd = this.#findFree(fd + 1);
    }
    this.#giveRecord(record);
    return -Errno.EMFILE;
  }

  close(fd: number): Errno {
    if (fd >= this.#countMax) return Errno.EBADF;
    const token = Atomics.exchange(this.#slots, fd, FREE);
    if (token === FREE) return Errno.EBADF;
    this.#drop(token);
    return Errno.ESUCCESS;
  }

  /** Gives `from` the number `to`, whose file is closed. Both have to be open. */
  renumber(from: number, to: number): Errno {
    if (this.get(from) === undefined || this.get(to) === undefined) return Errno.EBADF;
    if (from === to) return Errno.ESUCCESS;
    const token = Atomics.exchange(this.#slots, from, FREE);
    if (token === FREE) return Errno.EBADF;
    // Nobody sees `to` closed in between, as with dup2(2).
    const replaced = Atomics.exchange(this.#slots, to, token);
    if (replaced !== FREE) this.#drop(replaced);
    return Errno.ESUCCESS;
  }

  /** The kernel does it when the last thread has gone. */
  closeAll(): void {}

  #findFree(from: number): number {
    let fd = from;
    while (fd < this.#countMax && Atomics.load(this.#slots, fd) !== FREE) fd++;
    return fd;
  }

  /** Closes what stood in a slot, and is in none any more. */
  #drop(token: number): void {
    const record = this.#placeOf(token);
    const handle = Atomics.load(this.#slots, record + Field.handle);
    const type = Atomics.load(this.#slots, record + Field.type) as FileType;
    const isPreopen = Atomics.load(this.#slots, record + Field.preopen) !== 0;
    this.#giveRecord(record);
    if (handle < this.#files.keptMax) return;
    if (!isPreopen) this.openFiles?.give();
    this.#files.fileOf(handle, type).close();
  }

  #takeRecord(): number | undefined {
    for (let index = 0; index < this.#recordCount; index++) {
      const record = this.#countMax + index * RECORD_SLOTS;
      if (Atomics.load(this.#slots, record + Field.taken) !== 0) continue;
      if (Atomics.compareExchange(this.#slots, record + Field.taken, 0, 1) === 0) return record;
    }
    return undefined;
  }

  #fill(record: number, descriptor: Descriptor): void {
    const slots = this.#slots;
    const name = descriptor.preopenName;
    Atomics.store(slots, record + Field.type, descriptor.file.type);
    Atomics.store(slots, record + Field.rightsBase, descriptor.rightsBase);
    Atomics.store(slots, record + Field.rightsInheriting, descriptor.rightsInheriting);
    Atomics.store(slots, record + Field.flags, descriptor.flags);
    Atomics.store(
      slots,
      record + Field.preopen,
      name === undefined ? 0 : this.#preopenNames.findIndex((known) => sameBytes(known, name)) + 1,
    );
    Atomics.store(slots, record + Field.handle, this.#files.handleOf(descriptor.file));
  }

  #giveRecord(record: number): void {
    Atomics.store(this.#slots, record + Field.handle, NO_HANDLE);
    Atomics.store(this.#slots, record + Field.taken, 0);
  }

  #placeOf(token: number): number {
    return this.#countMax + (token - 1) * RECORD_SLOTS;
  }

  #tokenOf(record: number): number {
    return (record - this.#countMax) / RECORD_SLOTS + 1;
  }
}

/** What is true of it for all threads stands in its record; what is here was true at the last look. */
class SharedDescriptor extends Descriptor {
  readonly handle: number;
  readonly record: number;
  readonly #slots: Int32Array<SharedArrayBuffer>;
  readonly #file: SharedFile;

  constructor(
    file: SharedFile,
    slots: Int32Array<SharedArrayBuffer>,
    record: number,
    handle: number,
    preopenName: Uint8Array | undefined,
  ) {
    super(file, 0, 0, 0, preopenName);
    this.#file = file;
    this.#slots = slots;
    this.record = record;
    this.handle = handle;
  }

  refresh(): void {
    this.rightsBase = Atomics.load(this.#slots, this.record + Field.rightsBase);
    this.rightsInheriting = Atomics.load(this.#slots, this.record + Field.rightsInheriting);
    const flags = Atomics.load(this.#slots, this.record + Field.flags);
    this.syncFlags = flags & SYNC_FLAGS;
    this.#file.adoptStatus((flags & FdFlags.APPEND) !== 0, (flags & FdFlags.NONBLOCK) !== 0);
  }

  override setFlags(flags: number): number {
    const answer = super.setFlags(flags);
    if (answer >= 0) Atomics.store(this.#slots, this.record + Field.flags, flags);
    return answer;
  }

  /** What another thread gave away meanwhile doesn't come back. */
  override setRights(base: Rights, inheriting: Rights): void {
    Atomics.and(this.#slots, this.record + Field.rightsBase, base);
    Atomics.and(this.#slots, this.record + Field.rightsInheriting, inheriting);
    this.refresh();
  }
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
