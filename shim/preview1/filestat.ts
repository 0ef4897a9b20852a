/** `filestat`, as it goes out to the guest. */
import { FILESTAT, FILESTAT_UNSTABLE } from "../abi/layout.ts";
import type { Stat } from "../abi/system.ts";
import type { GuestMemory } from "../memory.ts";

/** Writes the whole struct, padding included, at a pointer that was checked. */
export type FilestatWriter = (memory: GuestMemory, ptr: number, stat: Stat) => void;

export function writeFilestat(memory: GuestMemory, ptr: number, stat: Stat): void {
  memory.setU64(ptr + FILESTAT.dev, stat.device);
  memory.setU64(ptr + FILESTAT.ino, stat.inode);
  memory.setSafeU64(ptr + FILESTAT.filetype, stat.type); // a u8 and 7 bytes of padding
  memory.setSafeU64(ptr + FILESTAT.nlink, stat.linkCount);
  memory.setSafeU64(ptr + FILESTAT.size, stat.sizeBytes);
  memory.setU64(ptr + FILESTAT.atim, timestamp(stat.atimeNs));
  memory.setU64(ptr + FILESTAT.mtim, timestamp(stat.mtimeNs));
  memory.setU64(ptr + FILESTAT.ctim, timestamp(stat.ctimeNs));
}

/** As `wasi_unstable` has it: a link count of 32 bits. */
export function writeFilestatUnstable(memory: GuestMemory, ptr: number, stat: Stat): void {
  memory.setU64(ptr + FILESTAT_UNSTABLE.dev, stat.device);
  memory.setU64(ptr + FILESTAT_UNSTABLE.ino, stat.inode);
  memory.setU32(ptr + FILESTAT_UNSTABLE.filetype, stat.type); // a u8 and 3 bytes of padding
  memory.setU32(ptr + FILESTAT_UNSTABLE.nlink, stat.linkCount);
  memory.setSafeU64(ptr + FILESTAT_UNSTABLE.size, stat.sizeBytes);
  memory.setU64(ptr + FILESTAT_UNSTABLE.atim, timestamp(stat.atimeNs));
  memory.setU64(ptr + FILESTAT_UNSTABLE.mtim, timestamp(stat.mtimeNs));
  memory.setU64(ptr + FILESTAT_UNSTABLE.ctim, timestamp(stat.ctimeNs));
}

/** A `timestamp` is unsigned: times before 1970 are shown as its beginning, which is also where wasi-libc clamps them. */
function timestamp(timeNs: bigint): bigint {
  return timeNs < 0n ? 0n : timeNs;
}
