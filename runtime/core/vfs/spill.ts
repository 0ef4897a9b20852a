/**
 * Contents that don't fit into memory, of a file system that nobody wants to keep: one file with a place for each chunk that
 * went out, made when the first one does. Nothing is synced, and a place is used again.
 */
import type { Failure } from "../../../shim/abi/system.ts";
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
  #placeCount = 0;
  readonly #freePlaces: number[] = [];

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
    const used = new Set<number>();
    for (const { content } of nodes) {
      for (const [, chunk] of content?.written() ?? [])
        if (chunk.pieces.length > 0) used.add(placeOf(chunk.pieces)!);
    }
    for (const place of used) this.#placeCount = Math.max(this.#placeCount, place + 1);
    for (let place = 0; place < this.#placeCount; place++) if (!used.has(place)) this.#freePlaces.push(place);
    if (used.size > 0) this.#file = folder.open(name);
    for (const { content } of nodes) content?.enterPages(this.pages);
    fileSystem.space.pages = this.pages;
    fileSystem.keeper = this;
  }

  put(chunk: Chunk): number {
    const opened = this.#file ?? this.#create();
    if (typeof opened === "number") return opened;
    const known = placeOf(chunk.pieces);
    const place = known ?? this.#freePlaces.pop() ?? this.#placeCount++;
    const offsetBytes = place * CHUNK_BYTES;
    // Behind what it had there, somebody else's bytes may be.
    const from = known === undefined ? 0 : Math.min(chunk.dirtyFrom, chunk.pieces[0]!.sizeBytes);
    const to = known === undefined ? chunk.extent : chunk.dirtyTo;
    const failure = opened.write(chunk.bytes.subarray(from, to), offsetBytes + from);
    if (failure < 0) {
      if (known === undefined) this.#freePlaces.push(place);
      return failure;
    }
    chunk.dirtyTo = 0;
    chunk.pieces = [{ start: 0, sizeBytes: chunk.extent, file: 0, offsetBytes }];
    return 0;
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
    if (place !== undefined && chunk.pieces.length === 0) this.#freePlaces.push(place);
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

function placeOf(pieces: readonly Piece[]): number | undefined {
  return pieces.length === 0 ? undefined : pieces[0]!.offsetBytes / CHUNK_BYTES;
}
