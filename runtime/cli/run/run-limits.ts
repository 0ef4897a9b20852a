/** Limits that only `run` takes, and few runs have: of single programs, and of the log. */
import type { Limits } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";
import { parseLogOptions } from "./log-options.ts";
import { parseUlimits } from "./ulimits.ts";

/**
 * @param before those of other flags
 * @throws WpodError USAGE, UNSUPPORTED
 */
export function parseRunLimits(flags: ParsedFlags, before: Limits): Limits {
  const limits: Limits = {
    ...before,
    ...parseLogOptions(flags.list("log-opt")),
    ...parseUlimits(flags.list("ulimit")),
  };
  // Of two flags for the same the stricter one holds.
  const { threadsMax } = before;
  if (threadsMax !== undefined) limits.threadsMax = Math.min(threadsMax, limits.threadsMax ?? threadsMax);
  return limits;
}
