/** Where the bytes of chunks are that are in memory: this thread's own, or what several threads see. */

export interface ChunkMemory {
  /** Whatever it held before: clearing what is about to be written costs as much as writing it. */
  take(sizeBytes: number): Uint8Array;
  /** Nobody here looks at it any more. */
  give(bytes: Uint8Array): void;
}

export const OWN_MEMORY: ChunkMemory = {
  take: (sizeBytes) => new Uint8Array(sizeBytes),
  give() {},
};
