/**
 * Contents that don't fit into memory, of a file system that nobody wants to keep: one file with a place for each chunk that
 * went out, as large as the chunk is, made when the first one does. Nothing is synced, and a place is used again.
 */
import type { Failure } from "../../../shim/abi/system.ts";
import { BuddySpace, orderOf, type Place, placeBytes } from "./buddy-space.ts";
import { CHUNK_BYTES, type Chunk, type Piece } from "./chunk.ts";
import type { FileSystem } from "./file-system.ts";
import type { Keeper } from "./keeper.ts";
import type { MemoryNode } from "./memory-node.ts";
import { type ChunkStore, PageCache } from "./page-cache.ts";
import type { StoreFile, StoreFolder } from "./store-folder.ts";

export interface SpillOptions {
  /** Of the file, in its folder. */
  name: string;
  residentBytesMax: number;
}

export class Spill implements ChunkStore, Keeper {
  readonly lasts = false;
  readonly pages: PageCache;
  readonly #folder: StoreFolder;
  readonly #name: string;
  #file: StoreFile | undefined = undefined;
  #space: BuddySpace;
  /** For what goes in one write. */
  #scratch: Uint8Array | undefined = undefined;

  /** @param nodes what the file system has already: some of it may be in the file, from another thread */
  constructor(
    fileSystem: FileSystem,
    folder: StoreFolder,
    { name, residentBytesMax }: SpillOptions,
    nodes: Iterable<MemoryNode> = [],
  ) {
    this.#folder = folder;
    this.#name = name;
    this.pages = new PageCache(this, residentBytesMax, false);
    const used: Place[] = [];
    for (const { content } of nodes) {
      for (const [, { pieces }] of content?.written() ?? [])
        if (pieces.length > 0) used.push(placeOf(pieces)!);
    }
    this.#space = new BuddySpace(used);
    if (used.length > 0) this.#file = folder.open(name);
    for (const { content } of nodes) content?.enterPages(this.pages);
    fileSystem.space.pages = this.pages;
    fileSystem.keeper = this;
  }

  put(chunks: readonly Chunk[]): number {
    const file = this.#file ?? this.#create();
    if (typeof file === "number") return file;
    let run: Outgoing[] = [];
    for (const chunk of chunks) {
      const next = this.#plan(chunk);
      if (!continues(run, next)) {
        const failure = this.#write(file, run);
        if (failure < 0) {
          this.#abandon(next);
          return failure;
        }
        run = [];
      }
      run.push(next);
    }
    return this.#write(file, run);
  }

  /** Where what is dirty goes. A chunk that has outgrown its place gets another. */
  #plan(chunk: Chunk): Outgoing {
    const known = placeOf(chunk.pieces);
    if (known !== undefined && chunk.extent <= placeBytes(known.order)) {
      // Behind what it had there, somebody else's bytes may be.
      const from = Math.min(chunk.dirtyFrom, chunk.pieces[0]!.sizeBytes);
      return { chunk, place: known, from, to: chunk.dirtyTo };
    }
    return { chunk, place: this.#space.take(orderOf(chunk.extent)), from: 0, to: chunk.extent };
  }

  #abandon({ chunk, place }: Outgoing): void {
    if (placeOf(chunk.pieces)?.offsetBytes !== place.offsetBytes) this.#space.give(place);
  }

  /** In one call what lies side by side. */
  #write(file: StoreFile, run: readonly Outgoing[]): number {
    const [first] = run;
    if (first === undefined) return 0;
    const offsetBytes = first.place.offsetBytes + first.from;
    const failure = file.write(
      run.length === 1 ? bytesOf(first) : this.#gather(run, offsetBytes),
      offsetBytes,
    );
    for (const one of run) {
      if (failure < 0) this.#abandon(one);
      else this.#settle(one);
    }
    return failure;
  }

  #gather(run: readonly Outgoing[], offsetBytes: number): Uint8Array {
    this.#scratch ??= new Uint8Array(CHUNK_BYTES);
    let end = 0;
    for (const one of run) {
      const at = one.place.offsetBytes + one.from - offsetBytes;
      const bytes = bytesOf(one);
      this.#scratch.fill(0, end, at).set(bytes, at);
      end = at + bytes.length;
    }
    return this.#scratch.subarray(0, end);
  }

  #settle({ chunk, place }: Outgoing): void {
    const before = placeOf(chunk.pieces);
    if (before !== undefined && before.offsetBytes !== place.offsetBytes) this.#space.give(before);
    chunk.dirtyTo = 0;
    const { offsetBytes, order } = place;
    chunk.pieces = [{ start: 0, sizeBytes: chunk.extent, file: order, offsetBytes }];
  }

  #create(): StoreFile | Failure {
    const file = this.#folder.create(this.#name);
    if (typeof file !== "number") this.#file = file;
    return file;
  }

  fetch(chunk: Chunk, target: Uint8Array): number {
    const [piece] = chunk.pieces;
    return piece === undefined ? 0 : this.#file!.read(target.subarray(0, piece.sizeBytes), piece.offsetBytes);
  }

  moved(chunk: Chunk, before: readonly Piece[]): void {
    const place = placeOf(before);
    if (place !== undefined && chunk.pieces.length === 0) this.#space.give(place);
  }

  /** Nothing of it is to be there after a loss of power. */
  sync(): number {
    return 0;
  }

  flush(): number {
    return 0;
  }

  settle(): void {}

  release(): boolean {
    this.close();
    return true;
  }

  close(): number {
    this.#file?.close();
    this.#file = undefined;
    return 0;
  }
}

/** On its way to its place. */
interface Outgoing {
  chunk: Chunk;
  place: Place;
  /** Of its bytes. */
  from: number;
  to: number;
}

function bytesOf({ chunk, from, to }: Outgoing): Uint8Array {
  return chunk.bytes.subarray(from, to);
}

/** It begins where the place before it ends, and all of them are one write. */
function continues(run: readonly Outgoing[], { place, from, to }: Outgoing): boolean {
  const [first] = run;
  if (first === undefined) return true;
  const last = run.at(-1)!.place;
  const end = place.offsetBytes + to - (first.place.offsetBytes + first.from);
  return from === 0 && place.offsetBytes === last.offsetBytes + placeBytes(last.order) && end <= CHUNK_BYTES;
}

/** A chunk has one piece here, and the order of its place stands where others have the number of a file. */
function placeOf(pieces: readonly Piece[]): Place | undefined {
  const [piece] = pieces;
  return piece && { offsetBytes: piece.offsetBytes, order: piece.file };
}
