/** Limits that few runs have: of files, of single programs, of the log. */
import type { Limits } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";
import { parseRates, parseStorage, rateWarnings } from "./io-limits.ts";
import { parseLogOptions } from "./log-options.ts";
import { parseUlimits, ulimitWarnings } from "./ulimits.ts";

/**
 * @param before those of other flags
 * @throws WpodError USAGE, UNSUPPORTED
 */
export function parseResources(flags: ParsedFlags, before: Limits = {}): Limits {
  const limits: Limits = {
    ...before,
    ...parseRates(flags),
    ...parseStorage(flags.list("storage-opt")),
    ...parseLogOptions(flags.list("log-opt")),
    ...parseUlimits(flags.list("ulimit")),
  };
  // Of two flags for the same the stricter one holds.
  const { threadsMax } = before;
  if (threadsMax !== undefined) limits.threadsMax = Math.min(threadsMax, limits.threadsMax ?? threadsMax);
  return limits;
}

/** What of them works otherwise than asked, in sentences. */
export function resourceWarnings(flags: ParsedFlags): string[] {
  return [...rateWarnings(flags), ...ulimitWarnings(flags.list("ulimit"))];
}
