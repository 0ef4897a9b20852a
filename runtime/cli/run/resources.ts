/** Limits that few runs have: of files, of single programs, of the log. */
import type { Limits } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";
import { parseRates, parseStorage, rateWarnings } from "./io-limits.ts";

/** @throws WpodError USAGE, UNSUPPORTED */
export function parseResources(flags: ParsedFlags): Limits {
  return { ...parseRates(flags), ...parseStorage(flags.list("storage-opt")) };
}

/** What of them works otherwise than asked, in sentences. */
export function resourceWarnings(flags: ParsedFlags): string[] {
  return rateWarnings(flags);
}
