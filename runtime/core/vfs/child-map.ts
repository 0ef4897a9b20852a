/**
 * The names in a directory, in the order in which they came, so that a reader's cookie stays valid while others add
 * and remove: a cookie is the sequence number of an entry, and sequence numbers are never used twice.
 *
 * It is memfs's `children` too, which is a Map; a directory of an image layer fills itself at the first look.
 */
import { FileType } from "../../../shim/abi/filetype.ts";
import type { DirEntrySink } from "../../../shim/abi/system.ts";
import type { DirectoryReader } from "./dentry.ts";
import type { MemoryLink } from "./memory-link.ts";

const HOLES_MIN = 32;

export class ChildMap extends Map<string, MemoryLink | undefined> implements DirectoryReader {
  /** Fills the map; undefined when that was done, or there is nothing to fill. */
  pending: (() => void) | undefined = undefined;
  /** Names came or went, since the layers were merged. */
  changed = false;
  directoryCount = 0;
  /** In the order of their sequence numbers, with holes where names went. */
  #links: (MemoryLink | undefined)[] = [];
  #sequences: number[] = [];
  #nextSequence = 0;
  #holeCount = 0;

  load(): void {
    const fill = this.pending;
    if (fill === undefined) return;
    this.pending = undefined;
    fill();
  }

  /** `get` without the look at `pending`, for who has loaded already. */
  find(name: string): MemoryLink | undefined {
    return super.get(name);
  }

  insert(name: string, link: MemoryLink): void {
    super.set(name, link);
    link.slot = this.#links.length;
    this.#links.push(link);
    this.#sequences.push(this.#nextSequence++);
    if (link.node.type === FileType.directory) this.directoryCount++;
  }

  remove(name: string, link: MemoryLink): void {
    super.delete(name);
    this.#links[link.slot] = undefined;
    this.#holeCount++;
    if (link.node.type === FileType.directory) this.directoryCount--;
    if (this.#holeCount > HOLES_MIN && this.#holeCount * 2 > this.#links.length) this.#compact();
  }

  /** Another name in the same place: a reader sees the file once, under one of the two. */
  changeName(name: string, link: MemoryLink, toName: string): void {
    super.delete(name);
    super.set(toName, link);
  }

  /** The number that the next name gets. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  sequenceOf(link: MemoryLink): number {
    return this.#sequences[link.slot]!;
  }

  /** Restores the numbers that readers know: of some names, and of the next one. The others have theirs already. */
  restoreSequences(sequences: ReadonlyMap<MemoryLink, number>, next: number): void {
    const links = this.#links.filter((link) => link !== undefined);
    const known = new Map(links.map((link) => [link, sequences.get(link) ?? this.sequenceOf(link)]));
    links.sort((a, b) => known.get(a)! - known.get(b)!);
    this.#links = links;
    this.#sequences = links.map((link) => known.get(link)!);
    for (const [slot, link] of links.entries()) link.slot = slot;
    this.#holeCount = 0;
    this.#nextSequence = Math.max(next, this.#nextSequence);
  }

  #compact(): void {
    let to = 0;
    for (let from = 0; from < this.#links.length; from++) {
      const link = this.#links[from];
      if (link === undefined) continue;
      this.#links[to] = link;
      this.#sequences[to] = this.#sequences[from]!;
      link.slot = to++;
    }
    this.#links.length = to;
    this.#sequences.length = to;
    this.#holeCount = 0;
  }

  read(from: number, cookieBase: number, sink: DirEntrySink): number {
    this.load();
    const links = this.#links;
    for (let slot = this.#slotOf(from); slot < links.length; slot++) {
      const link = links[slot];
      if (link === undefined) continue;
      const node = link.node;
      if (!sink(cookieBase + this.#sequences[slot]! + 1, node.inode, node.type, link.name)) break;
    }
    return 0;
  }

  /** The first slot whose sequence number is not below `sequence`. */
  #slotOf(sequence: number): number {
    let low = 0;
    let high = this.#sequences.length;
    // Without holes before it, that is where it stands.
    if (sequence < high && this.#sequences[sequence] === sequence) return sequence;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sequences[middle]! < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  close(): void {}

  override get size(): number {
    this.load();
    return super.size;
  }
  override get(name: string): MemoryLink | undefined {
    this.load();
    return super.get(name);
  }
  override has(name: string): boolean {
    this.load();
    return super.has(name);
  }
  override keys(): MapIterator<string> {
    this.load();
    return super.keys();
  }
  override values(): MapIterator<MemoryLink | undefined> {
    this.load();
    return super.values();
  }
  override entries(): MapIterator<[string, MemoryLink | undefined]> {
    this.load();
    return super.entries();
  }
  override [Symbol.iterator](): MapIterator<[string, MemoryLink | undefined]> {
    return this.entries();
  }
  override forEach(
    visit: (link: MemoryLink | undefined, name: string, map: Map<string, MemoryLink | undefined>) => void,
  ): void {
    this.load();
    super.forEach(visit);
  }
}
