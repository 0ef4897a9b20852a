/** Memory as it is when others had it before: what reads what it hasn't written is found out. */
import type { ChunkMemory } from "../../../../runtime/core/vfs/chunk-memory.ts";

export const USED_MEMORY: ChunkMemory = {
  take: (sizeBytes) => new Uint8Array(sizeBytes).fill(0xa5),
  give(bytes) {
    bytes.fill(0x5a);
  },
};
