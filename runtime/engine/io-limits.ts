/** What somebody wants of reading, writing and room for files, judged. */
import { WpodError } from "../core/error.ts";
import type { IoLimits } from "../core/quota/io-page.ts";
import { DISK_BYTES_MAX, INODES_MAX } from "./limits.ts";
import type { Limits } from "./types.ts";

/** @throws WpodError USAGE */
export function ioLimitsOf(limits: Limits): IoLimits {
  const { readBps = 0, writeBps = 0, readIops = 0, writeIops = 0 } = limits;
  const { diskBytesMax = DISK_BYTES_MAX, inodesMax = INODES_MAX } = limits;
  const all = { readBps, writeBps, readIops, writeIops, diskBytesMax, inodesMax };
  for (const [name, value] of Object.entries(all)) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new WpodError("USAGE", `the limit ${name} of ${value} is no whole number from 0 on`);
  }
  return { readBps, writeBps, readIops, writeIops, diskBytesMax, diskInodesMax: inodesMax };
}
