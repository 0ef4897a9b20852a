/** Limits as a caller gives them, judged before anything is made or changed. */
import { WpodError } from "../core/error.ts";
import { cpuLimitsOf } from "./cpu-limit.ts";
import { ioLimitsOf } from "./io-limits.ts";
import type { Limits } from "./types.ts";

/** @throws WpodError USAGE */
export function checkLimits(limits: Limits): void {
  cpuLimitsOf(limits);
  ioLimitsOf(limits);
  const { memoryBytesMax = Infinity, threadsMax = Infinity } = limits;
  if (!(memoryBytesMax > 0)) {
    throw new WpodError("USAGE", `the limit of ${memoryBytesMax} bytes of memory is not more than 0`);
  }
  if (!(threadsMax >= 1)) throw new WpodError("USAGE", `the limit of ${threadsMax} threads is less than 1`);
}
