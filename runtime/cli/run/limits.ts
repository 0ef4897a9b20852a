/** What a container may use, from the flags that `run` and `update` share. */
import { WpodError } from "../../core/error.ts";
import type { Limits } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";

/** Most runs have none of them. */
const RARE_FLAGS = [
  "device-read-bps",
  "device-read-iops",
  "device-write-bps",
  "device-write-iops",
  "storage-opt",
];
const MEMORY_FLAGS = ["memory", "memory-reservation", "memory-swap", "memory-swappiness"];
const CPU_FLAGS = ["cpus", "cpu-quota", "cpu-period", "cpu-shares"];

/** @throws WpodError USAGE */
export async function parseLimits(flags: ParsedFlags): Promise<Limits> {
  const limits: Limits = {};
  if (MEMORY_FLAGS.some((flag) => flags.has(flag))) {
    const { parseMemory } = await import("./memory-limits.ts");
    Object.assign(limits, parseMemory(flags));
  }
  const pidsLimit = flags.text("pids-limit");
  if (pidsLimit !== undefined) Object.assign(limits, threadLimit(pidsLimit));
  if (CPU_FLAGS.some((flag) => flags.has(flag))) {
    const { parseCpuLimit } = await import("./cpu-limit.ts");
    Object.assign(limits, parseCpuLimit(flags));
  }
  if (hasRareLimits(flags)) {
    const { parseRates, parseStorage } = await import("./io-limits.ts");
    Object.assign(limits, parseRates(flags), parseStorage(flags.list("storage-opt")));
  }
  return limits;
}

/** What of them works otherwise than asked, in sentences. */
export async function limitWarnings(flags: ParsedFlags): Promise<string[]> {
  const warnings: string[] = [];
  if (MEMORY_FLAGS.some((flag) => flags.has(flag))) {
    const { memoryWarnings } = await import("./memory-limits.ts");
    warnings.push(...memoryWarnings(flags));
  }
  if (hasRareLimits(flags)) {
    const { rateWarnings } = await import("./io-limits.ts");
    warnings.push(...rateWarnings(flags));
  }
  return warnings;
}

function hasRareLimits(flags: ParsedFlags): boolean {
  return RARE_FLAGS.some((flag) => flags.has(flag));
}

/** As in docker: 0 and -1 are no limit, here as many as a kernel has room for. */
function threadLimit(text: string): { threadsMax: number } {
  const number = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(number) || number < -1) {
    throw new WpodError("USAGE", `invalid --pids-limit "${text}": not a number, or less than -1`);
  }
  return { threadsMax: number <= 0 ? Number.MAX_SAFE_INTEGER : number };
}
