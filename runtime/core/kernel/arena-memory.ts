/**
 * Whole chunks of files in shared memory, so that clients read them where they are. A slot that a client knows of isn't given
 * to another file before the client's view has expired.
 */
import { assert } from "../error.ts";
import { CHUNK_BYTES } from "../vfs/chunk.ts";
import type { ChunkMemory } from "../vfs/chunk-memory.ts";

/** Of one arena; it goes to a client once. */
const SLOT_COUNT = 64;
/**
 * Arenas that are kept for the next files: the first touch of a page costs the host several times what it takes to write to one that
 * was used. As much as one file system has in memory.
 */
const SPARE_COUNT_MAX = 4;
/** As many as the module of `memory-copier.ts` says. */
const ARENA_PAGES = (SLOT_COUNT * CHUNK_BYTES) / 65_536;

interface Arena {
  readonly id: number;
  readonly memory: WebAssembly.Memory;
  readonly free: number[];
  /** By slot: clients that know of it, a bit each. */
  readonly watchers: Int32Array;
}

/** Where a chunk is in shared memory. */
export interface ArenaPlace {
  readonly id: number;
  readonly memory: WebAssembly.Memory;
  readonly offsetBytes: number;
}

export class ArenaMemory implements ChunkMemory {
  readonly #arenas = new Map<ArrayBufferLike, Arena>();
  readonly #expire: (watchers: number) => void;
  #open: Arena | undefined = undefined;
  #nextId = 0;
  #spareCount = 0;

  /** @param expire has the views of these clients expire */
  constructor(expire: (watchers: number) => void) {
    this.#expire = expire;
  }

  /** What is not a whole chunk is this thread's own: it is small, or about to grow. */
  take(sizeBytes: number): Uint8Array {
    if (sizeBytes !== CHUNK_BYTES) return new Uint8Array(sizeBytes);
    const arena = this.#withRoom();
    if (arena.free.length === SLOT_COUNT) this.#spareCount--;
    const slot = arena.free.pop()!;
    return new Uint8Array(arena.memory.buffer, slot * CHUNK_BYTES, CHUNK_BYTES);
  }

  #withRoom(): Arena {
    if (this.#open !== undefined && this.#open.free.length > 0) return this.#open;
    for (const arena of this.#arenas.values()) {
      if (arena.free.length === 0) continue;
      this.#open = arena;
      return arena;
    }
    const arena: Arena = {
      id: this.#nextId++,
      memory: new WebAssembly.Memory({ initial: ARENA_PAGES, maximum: ARENA_PAGES, shared: true }),
      free: Array.from({ length: SLOT_COUNT }, (_, index) => SLOT_COUNT - 1 - index),
      watchers: new Int32Array(SLOT_COUNT),
    };
    this.#arenas.set(arena.memory.buffer, arena);
    this.#open = arena;
    this.#spareCount++;
    return arena;
  }

  give(bytes: Uint8Array): void {
    const arena = this.#arenas.get(bytes.buffer);
    if (arena === undefined) return;
    const slot = bytes.byteOffset / CHUNK_BYTES;
    assert(!arena.free.includes(slot), "a slot is given back once");
    const watchers = arena.watchers[slot]!;
    if (watchers !== 0) {
      arena.watchers[slot] = 0;
      this.#expire(watchers);
    }
    arena.free.push(slot);
    if (arena.free.length === SLOT_COUNT && ++this.#spareCount > SPARE_COUNT_MAX) this.#drop(arena);
  }

  #drop(arena: Arena): void {
    this.#spareCount--;
    this.#arenas.delete(arena.memory.buffer);
    if (arena === this.#open) this.#open = undefined;
  }

  /** Arenas that nothing is in. */
  get spareCount(): number {
    return this.#spareCount;
  }

  /** Lets go of those; their memory is the host's again when their clients have gone, too. */
  trim(): void {
    for (const arena of this.#arenas.values()) if (arena.free.length === SLOT_COUNT) this.#drop(arena);
  }

  /** Where a client may read these bytes, from now on until its view expires. Undefined: nowhere. */
  show(bytes: Uint8Array, watcher: number): ArenaPlace | undefined {
    const arena = this.#arenas.get(bytes.buffer);
    if (arena === undefined) return undefined;
    arena.watchers[bytes.byteOffset / CHUNK_BYTES]! |= watcher;
    return { id: arena.id, memory: arena.memory, offsetBytes: bytes.byteOffset };
  }
}
