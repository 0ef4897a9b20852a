/**
 * Keeps a file system on disk: contents in data files, everything else in a journal of what changed.
 *
 * Changes are gathered, and written as one record that holds whole or not at all: a journal that is cut anywhere gives a
 * state that existed. Contents are written before the record that speaks of them. `sync` answers when both are durable;
 * without it, a record is written when enough was gathered or some time has passed. When the journal has grown, or most
 * of the data isn't needed any more, a new journal that starts with the whole state takes its place.
 */
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { WpodError } from "../../error.ts";
import type { ChangeObserver } from "../change-observer.ts";
import type { FileSystem } from "../file-system.ts";
import type { Keeper } from "../keeper.ts";
import type { MemoryLink } from "../memory-link.ts";
import type { MemoryNode } from "../memory-node.ts";
import { PageCache } from "../page-cache.ts";
import type { StoreFile, StoreFolder } from "../store-folder.ts";
import { ByteReader, damaged } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { DataLog, dataName, dataNumber, isDataFile } from "./data-log.ts";
import { decodeFrame, decodeHeader, encodeFrame, encodeHeader } from "./frame.ts";
import { NameChange, Replay, writeChanges, writeCheckpoint } from "./transaction.ts";

export interface JournalOptions {
  /** Which layers the file system stands on, in words of the caller: it is only compared. */
  identity: string;
  /** What of contents may be in memory at once. */
  residentBytesMax: number;
  /** Data is moved to a new file when so much of it, and more than half, isn't needed any more. */
  deadBytesMin?: number;
  /** The journal is made anew when so much, and more than its first record, stands behind that. */
  growthBytesMin?: number;
}

const JOURNAL = "journal";
const NEXT_JOURNAL = "journal.new";
/** So much of changes of names is written without being asked for. */
const GATHERED_BYTES_MAX = 256 * 1024;
/** While the disk refuses, so much is kept; beyond it, the next record is the whole state. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;
/** A record is written so long after the last one, if anything changes. */
const PERIOD_NS = 1_000_000_000n;
const DEAD_BYTES_MIN = 8 * 1024 * 1024;
const GROWTH_BYTES_MIN = 4 * 1024 * 1024;
/** The journal's file is made longer by so much: syncing it is several times faster when its size and place don't change. */
const ROOM_BYTES = 256 * 1024;
/** One step of moving data: what a guest's call may take longer for it. */
const STEP_BYTES = 512 * 1024;
/** So many steps, and then the rest at once. */
const STEP_COUNT_MAX = 256;

/** What a file system has already, which is not just what its layers say. */
export interface Arrival {
  nodes: Iterable<MemoryNode>;
  /** The folder has all of it: another thread wrote it, and let go. Else what the folder has is replaced. */
  isWritten: boolean;
}

/**
 * Brings a new file system, as its layers have it, to the state that the folder has, and keeps it there from now on; or
 * goes on with one that has its state. Nothing is written before something changes.
 * @throws WpodError STORE_UNUSABLE: of another version, over other layers, damaged, or somebody else's
 */
export function openJournal(
  fileSystem: FileSystem,
  folder: StoreFolder,
  options: JournalOptions,
  arrival?: Arrival,
): Journal {
  return new Journal(fileSystem, folder, options, arrival);
}

export class Journal implements ChangeObserver, Keeper {
  readonly lasts = true;
  readonly pages: PageCache;
  readonly #fileSystem: FileSystem;
  readonly #folder: StoreFolder;
  readonly #identity: string;
  readonly #data: DataLog;
  readonly #growthBytesMin: number;
  #file: StoreFile | undefined = undefined;
  /** Where the next record goes. */
  #end = 0;
  /** Where the first one ended. */
  #firstEnd = 0;
  #number = 0;
  readonly #names = new ByteWriter();
  readonly #record = new ByteWriter(64 * 1024);
  /** What changed since the last record. */
  readonly #dirty = new Set<MemoryNode>();
  /** Directories that records have named. */
  readonly #named = new Set<number>();
  #lastNs: bigint;
  #writtenAtNameBytes = 0;
  /** Something was written since the last sync. */
  #isUnsynced = false;
  #isFolderChanged = false;
  /** The changes of names were too many to keep: only the whole state will do. */
  #needsCheckpoint = false;
  /** After a failure of what can be tried again later. */
  #waitsUntilNs = 0n;
  /** Behind the last record there is something that is none; a later one that fits to the next would come to life. */
  #hasTail = false;
  #stepCount = 0;
  /** All that changed would be done again. */
  #isQuiet = false;
  #isClosed = false;
  #isBroken = false;

  constructor(fileSystem: FileSystem, folder: StoreFolder, options: JournalOptions, arrival?: Arrival) {
    this.#fileSystem = fileSystem;
    this.#folder = folder;
    this.#identity = options.identity;
    this.#data = new DataLog(folder, options.deadBytesMin ?? DEAD_BYTES_MIN);
    this.#growthBytesMin = options.growthBytesMin ?? GROWTH_BYTES_MIN;
    this.pages = new PageCache(this.#data, options.residentBytesMax, true);
    this.#lastNs = fileSystem.nowNs();
    this.#named.add(fileSystem.root.node.ino);
    this.#open(arrival);
    fileSystem.observer = this;
    fileSystem.keeper = this;
  }

  #open(arrival: Arrival | undefined): void {
    const names = this.#folder.list();
    if (names.includes(NEXT_JOURNAL)) this.#folder.remove(NEXT_JOURNAL);
    this.#openData(names);
    const { space } = this.#fileSystem;
    if (arrival !== undefined) {
      if (names.includes(JOURNAL)) this.#read(undefined);
      space.pages = this.pages;
      for (const node of arrival.nodes) {
        node.content?.enterPages(this.pages);
        if (!arrival.isWritten) this.#dirty.add(node);
      }
      this.#needsCheckpoint = !arrival.isWritten;
      return;
    }
    const replay = new Replay(this.#fileSystem, (number, end) => this.#data.has(number, end));
    if (names.includes(JOURNAL)) this.#fileSystem.rememberAll(() => this.#read(replay));
    let inodes = 0;
    space.pages = this.pages;
    for (const node of replay.nodes()) {
      if (node.linkCount === 0) continue;
      inodes += (node.isCharged ? 1 : 0) + node.extraNames;
      node.content?.enterPages(this.pages);
    }
    space.inodes = inodes;
  }

  #openData(names: readonly string[]): void {
    const numbers = names.map(dataNumber).filter((number) => number !== undefined);
    for (const number of numbers.sort((a, b) => a - b)) {
      const name = dataName(number);
      const file = this.#folder.open(name);
      if (file === undefined) continue;
      if (!isDataFile(file, number)) throw damaged(`${name} is no data file of this version`);
      if (file.sizeBytes === 0) {
        // Its beginning was never written: nothing can speak of it.
        file.close();
        this.#folder.remove(name);
      } else {
        this.#data.adopt(number, file);
      }
    }
  }

  /** @param replay undefined: only where the last record ends */
  #read(replay: Replay | undefined): void {
    const file = this.#folder.open(JOURNAL);
    if (file === undefined) return;
    const bytes = new Uint8Array(file.sizeBytes);
    if (file.read(bytes, 0) < 0) throw damaged("it can't be read");
    const header = decodeHeader(bytes);
    this.#file = file;
    this.#isUnsynced = true;
    if (header === undefined) return;
    if (header.identity !== this.#identity) {
      throw new WpodError("STORE_UNUSABLE", "a writable layer belongs to another image", {
        hint: "its files can't be shown over the layers of this one",
      });
    }
    this.#end = header.sizeBytes;
    for (;;) {
      const frame = decodeFrame(bytes, this.#end, this.#number);
      if (frame === undefined) break;
      if (replay?.apply(new ByteReader(frame.payload), this.#number === 0) === false) break;
      this.#end = frame.end;
      this.#number++;
      if (this.#number === 1) this.#firstEnd = frame.end;
    }
    this.#hasTail = bytes.length > this.#end;
    if (header.hasCheckpoint && this.#number === 0) throw damaged("its checkpoint is not whole");
  }

  // What the file system tells.

  linked(link: MemoryLink): void {
    const { node } = link;
    const parent = link.parent!;
    this.#isQuiet = false;
    this.#name(parent);
    const names = this.#names;
    names.u8(NameChange.link);
    names.f64(parent.node.ino);
    names.text(link.name);
    names.f64(node.ino);
    names.u32(node.mode);
    if (node.type === FileType.directory) this.#named.add(node.ino);
    this.#dirty.add(node);
    this.#dirty.add(parent.node);
    this.#pause();
  }

  unlinked(link: MemoryLink, isReplaced: boolean): void {
    const { node } = link;
    const parent = link.parent!;
    this.#isQuiet = false;
    this.#name(parent);
    const names = this.#names;
    names.u8(NameChange.unlink);
    names.f64(parent.node.ino);
    names.text(link.name);
    if (node.linkCount > 0) {
      this.#dirty.add(node);
    } else {
      names.u8(NameChange.gone);
      names.f64(node.ino);
      this.#dirty.delete(node);
      this.#named.delete(node.ino);
    }
    this.#dirty.add(parent.node);
    if (!isReplaced) this.#pause();
  }

  renamed(link: MemoryLink, fromParent: MemoryLink, fromName: string): void {
    const parent = link.parent!;
    this.#isQuiet = false;
    this.#name(fromParent);
    this.#name(parent);
    const names = this.#names;
    names.u8(NameChange.rename);
    names.f64(fromParent.node.ino);
    names.text(fromName);
    names.f64(parent.node.ino);
    names.text(link.name);
    this.#dirty.add(link.node);
    this.#dirty.add(fromParent.node);
    this.#dirty.add(parent.node);
    this.#pause();
  }

  changed(node: MemoryNode): void {
    if (node.linkCount === 0 && node !== this.#fileSystem.root.node) return;
    this.#isQuiet = false;
    this.#dirty.add(node);
    if (node.changeNs - this.#lastNs > PERIOD_NS || this.#data.isWasteful) this.#pause();
  }

  /** Says where a directory is, when no record has: up to one that they know. */
  #name(directory: MemoryLink): void {
    const unnamed: MemoryLink[] = [];
    let known = directory;
    while (!this.#named.has(known.node.ino)) {
      unnamed.push(known);
      known = known.parent!;
    }
    for (const link of unnamed.reverse()) {
      this.#names.u8(NameChange.walk);
      this.#names.f64(link.parent!.node.ino);
      this.#names.text(link.name);
      this.#names.f64(link.node.ino);
      this.#named.add(link.node.ino);
    }
  }

  /** Between two operations: the state is one that may be written. */
  #pause(): void {
    if (this.#names.sizeBytes - this.#writtenAtNameBytes > GATHERED_BYTES_MAX) {
      this.flush();
    } else {
      const now = this.#fileSystem.nowNs();
      if (now - this.#lastNs > PERIOD_NS) {
        // Whatever the disk says, the record is tried; meanwhile the guest goes on.
        if (this.#storeSome() !== 1) this.flush();
      } else if (this.#data.isWasteful && now >= this.#waitsUntilNs) this.#compact();
    }
  }

  /**
   * Writes what changed. It survives the end of the process, not yet that of the machine.
   * @returns 0, or what the disk said; what was not written is kept, and tried again
   */
  flush(): number {
    if (this.#isClosed) return -Errno.EIO;
    if (this.#isBroken) return -Errno.EIO;
    const failure = this.#write(false);
    this.#lastNs = this.#fileSystem.nowNs();
    this.#writtenAtNameBytes = this.#names.sizeBytes;
    if (failure < 0) {
      if (this.#names.sizeBytes > KEPT_BYTES_MAX) {
        this.#needsCheckpoint = true;
        this.#names.clear();
        this.#writtenAtNameBytes = 0;
      }
      return failure;
    }
    this.#tidy();
    return 0;
  }

  sync(): number {
    if (this.#isClosed || this.#isBroken) return -Errno.EIO;
    let failure = this.#write(true);
    this.#lastNs = this.#fileSystem.nowNs();
    if (failure === 0 && this.#isUnsynced) {
      failure = this.#data.sync();
      if (failure === 0) failure = this.#file?.sync() ?? 0;
      if (failure === 0 && (this.#isFolderChanged || this.#data.isFolderChanged))
        failure = this.#folder.sync();
      // What a failed sync leaves is unknown: the kernel may have thrown the pages away, and says so only once.
      if (failure < 0 && failure !== -Errno.ENOSPC) this.#isBroken = true;
      if (failure < 0) return failure;
      this.#isFolderChanged = false;
      this.#data.isFolderChanged = false;
      this.#isUnsynced = false;
    }
    if (failure === 0) this.#tidy();
    return failure;
  }

  settle(): void {
    this.#isQuiet = this.#number === 0 && !this.#needsCheckpoint;
  }

  release(): boolean {
    this.#isQuiet = false;
    return this.close() === 0;
  }

  /** Without waiting for the disk. The file system may be read from no more. */
  close(): number {
    if (this.#isClosed) return 0;
    const failure = this.#isBroken ? -Errno.EIO : this.#write(false);
    this.#isClosed = true;
    this.#fileSystem.observer = undefined;
    this.#fileSystem.keeper = undefined;
    if (this.#file !== undefined && this.#number > 0 && this.#file.sizeBytes > this.#end) {
      this.#file.truncate(this.#end);
    }
    this.#file?.close();
    this.#data.close();
    return failure;
  }

  /** One record, or a whole new journal where there is none to go on with. */
  #write(isDurable: boolean): number {
    if (this.#needsCheckpoint) return this.#startAnew();
    if (this.#isQuiet || (this.#dirty.size === 0 && this.#names.sizeBytes === 0)) return 0;
    const unstored = this.#store();
    if (unstored < 0) return unstored;
    if (isDurable) {
      const unsynced = this.#data.sync();
      if (unsynced < 0) return unsynced;
    }
    const unopened = this.#begin();
    if (unopened < 0) return unopened;
    const nodes = [...this.#dirty].filter((node) => node.linkCount > 0);
    const record = encodeFrame(this.#record, this.#number, (writer) =>
      writeChanges(writer, this.#fileSystem.nextInode, this.#data.ends(), nodes, this.#names.written()),
    );
    const unmade = isDurable ? this.#makeRoom(record.length) : 0;
    const failure = unmade || this.#file!.write(record, this.#end);
    if (failure < 0) return failure;
    this.#end += record.length;
    this.#number++;
    if (this.#number === 1) this.#firstEnd = this.#end;
    this.#forgetChanges();
    this.#isUnsynced = true;
    return 0;
  }

  /** All that is dirty goes to the data files. */
  #store(): number {
    for (const node of this.#dirty) {
      const { content } = node;
      if (content?.changes === undefined || node.linkCount === 0) continue;
      for (const index of content.changes.indexes) {
        const chunk = content.chunkAt(index);
        const failure = chunk === undefined ? 0 : this.pages.put(chunk);
        if (failure < 0) return failure;
      }
    }
    return this.#data.flush();
  }

  /**
   * Some of what is dirty goes to the data files, so that a record has little to wait for.
   * @returns 1 when there is more, 0 when not, or a negative `Errno`
   */
  #storeSome(): number {
    // A guest that writes more than a step at a time isn't overtaken: then it waits.
    if (++this.#stepCount > STEP_COUNT_MAX) return 0;
    let left = STEP_BYTES;
    for (const node of this.#dirty) {
      const { content } = node;
      if (content?.changes === undefined || node.linkCount === 0) continue;
      for (const index of content.changes.indexes) {
        const chunk = content.chunkAt(index);
        if (chunk === undefined || chunk.dirtyTo === 0) continue;
        left -= chunk.dirtyTo - chunk.dirtyFrom;
        if (left < 0) return 1;
        const failure = this.pages.put(chunk);
        if (failure < 0) return failure;
      }
    }
    return 0;
  }

  #forgetChanges(): void {
    for (const node of this.#dirty) node.content?.forgetChanges();
    this.#dirty.clear();
    this.#stepCount = 0;
    this.#names.clear();
    this.#writtenAtNameBytes = 0;
  }

  /** There is a journal, and the next record goes behind the last that is whole. */
  #begin(): number {
    if (this.#number > 0) {
      if (!this.#hasTail) return 0;
      const failure = this.#file!.truncate(this.#end);
      if (failure === 0) this.#hasTail = false;
      return failure;
    }
    const header = encodeHeader({ identity: this.#identity, hasCheckpoint: false });
    this.#file?.close();
    this.#file = undefined;
    const made = this.#folder.create(JOURNAL);
    if (typeof made === "number") return made;
    this.#file = made;
    this.#isFolderChanged = true;
    const failure = made.write(header, 0);
    this.#end = header.length;
    return failure;
  }

  /** Zeros behind the last record, when one that is synced for itself is likely to be followed by more. */
  #makeRoom(sizeBytes: number): number {
    const file = this.#file!;
    const needed = this.#end + sizeBytes;
    if (needed <= file.sizeBytes) return 0;
    const from = Math.max(file.sizeBytes, this.#end);
    return file.write(new Uint8Array(needed + ROOM_BYTES - from), from);
  }

  // Making room.

  #tidy(): void {
    if (this.#fileSystem.nowNs() < this.#waitsUntilNs) return;
    if (this.#data.isWasteful) this.#compact();
    else if (this.#end - this.#firstEnd > Math.max(this.#growthBytesMin, this.#firstEnd)) {
      if (this.#startAnew() < 0) this.#wait();
    }
  }

  #wait(): void {
    this.#waitsUntilNs = this.#fileSystem.nowNs() + PERIOD_NS;
  }

  #compact(): void {
    if (!this.#data.hasOld && typeof this.#data.begin() === "number") {
      this.#wait();
      return;
    }
    const done = this.#data.moveSome(STEP_BYTES);
    if (done === 0 || (done === 1 && this.#storeSome() === 1)) return;
    if (done < 0 || this.#startAnew() < 0) this.#wait();
  }

  /** The whole state as the first record of a new journal, which takes the place of the other when it is durable. */
  #startAnew(): number {
    const unstored = this.#store();
    if (unstored < 0) return unstored;
    const unsynced = this.#data.sync();
    if (unsynced < 0) return unsynced;
    const made = this.#folder.create(NEXT_JOURNAL);
    if (typeof made === "number") return made;
    const header = encodeHeader({ identity: this.#identity, hasCheckpoint: true });
    const record = encodeFrame(this.#record, 0, (writer) =>
      writeCheckpoint(writer, this.#fileSystem, this.#data.ends()),
    );
    const failure =
      made.write(header, 0) ||
      made.write(record, header.length) ||
      made.sync() ||
      this.#folder.sync() ||
      this.#folder.rename(NEXT_JOURNAL, JOURNAL);
    if (failure < 0) {
      made.close();
      this.#folder.remove(NEXT_JOURNAL);
      return failure;
    }
    this.#file?.close();
    this.#file = made;
    this.#end = header.length + record.length;
    this.#firstEnd = this.#end;
    this.#number = 1;
    this.#needsCheckpoint = false;
    this.#forgetChanges();
    this.#named.clear();
    this.#named.add(this.#fileSystem.root.node.ino);
    // Until the new name is durable, the old journal may come back, and needs what it speaks of.
    const unnamed = this.#folder.sync();
    if (unnamed < 0) return unnamed;
    this.#data.removeOld();
    this.#isUnsynced = false;
    return 0;
  }
}
