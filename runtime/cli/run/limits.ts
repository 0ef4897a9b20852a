/** What a container may use, from the flags that `run` and `update` share. */
import { WpodError } from "../../core/error.ts";
import { parseSize } from "../../core/format/size.ts";
import type { Limits } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";

/** A page of WebAssembly memory: less than that is none. */
const MEMORY_BYTES_MIN = 65_536;
/** Most runs have none of them. */
const RARE_FLAGS = [
  "device-read-bps",
  "device-read-iops",
  "device-write-bps",
  "device-write-iops",
  "storage-opt",
];
const CPU_FLAGS = ["cpus", "cpu-quota", "cpu-period", "cpu-shares"];

/** @throws WpodError USAGE */
export async function parseLimits(flags: ParsedFlags): Promise<Limits> {
  const limits: Limits = {};
  const memory = flags.text("memory");
  if (memory !== undefined) Object.assign(limits, memoryLimit(memory));
  const pidsLimit = flags.text("pids-limit");
  if (pidsLimit !== undefined) Object.assign(limits, threadLimit(pidsLimit));
  if (CPU_FLAGS.some((flag) => flags.has(flag))) {
    const { parseCpuLimit } = await import("./cpu-limit.ts");
    Object.assign(limits, parseCpuLimit(flags));
  }
  if (hasRareLimits(flags)) {
    const { parseResources } = await import("./resources.ts");
    Object.assign(limits, parseResources(flags));
  }
  return limits;
}

export function hasRareLimits(flags: ParsedFlags): boolean {
  return RARE_FLAGS.some((flag) => flags.has(flag));
}

function memoryLimit(text: string): { memoryBytesMax?: number } {
  const memoryBytesMax = parseSize(text);
  // As in docker, 0 is no limit.
  if (memoryBytesMax === 0) return {};
  if (memoryBytesMax < MEMORY_BYTES_MIN) {
    throw new WpodError(
      "USAGE",
      `the memory limit of ${memoryBytesMax} bytes is less than a page of WebAssembly memory, ${MEMORY_BYTES_MIN} bytes`,
      { hint: "a limit looks like --memory 64m" },
    );
  }
  return { memoryBytesMax };
}

/** As in docker: 0 and -1 are no limit, here as many as a kernel has room for. */
function threadLimit(text: string): { threadsMax: number } {
  const number = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(number) || number < -1) {
    throw new WpodError("USAGE", `invalid --pids-limit "${text}": not a number, or less than -1`);
  }
  return { threadsMax: number <= 0 ? Number.MAX_SAFE_INTEGER : number };
}
