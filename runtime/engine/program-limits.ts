/** What somebody wants of limits of each program (`setrlimit`), judged. */
import { WpodError } from "../core/error.ts";
import { LOCKS_MAX } from "../core/vfs/lock-table.ts";
import { DESCRIPTORS_MAX, DESCRIPTORS_WANTED_MAX } from "./limits.ts";
import type { Limits } from "./types.ts";

/** @throws WpodError USAGE */
export function programLimitsOf(limits: Limits): {
  descriptorsMax: number;
  fileBytesMax: number | undefined;
} {
  const { descriptorsMax = DESCRIPTORS_MAX, fileBytesMax, locksMax = LOCKS_MAX, threadsMax } = limits;
  check("descriptorsMax", descriptorsMax, DESCRIPTORS_WANTED_MAX);
  check("locksMax", locksMax, LOCKS_MAX);
  check("fileBytesMax", fileBytesMax ?? 0, Number.MAX_SAFE_INTEGER);
  check("threadsMax", threadsMax ?? 0, Number.MAX_SAFE_INTEGER);
  return { descriptorsMax, fileBytesMax };
}

function check(name: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= max) return;
  throw new WpodError("USAGE", `the limit ${name} of ${value} is no whole number from 0 to ${max}`);
}
