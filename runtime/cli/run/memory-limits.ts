/** `--memory` and what belongs to it, as docker takes them. */
import { WpodError } from "../../core/error.ts";
import { parseSize } from "../../core/format/size.ts";
import type { Limits } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";

/** A page of WebAssembly memory: less than that is none. */
const MEMORY_BYTES_MIN = 65_536;
const SWAPPINESS_MAX = 100;

/** @throws WpodError USAGE */
export function parseMemory(flags: ParsedFlags): Pick<Limits, "memoryBytesMax" | "memoryReservationBytes"> {
  const limits: Limits = {};
  const memory = flags.text("memory");
  if (memory !== undefined) Object.assign(limits, memoryLimit(memory));
  const reservation = parseSize(flags.text("memory-reservation") ?? "0");
  if (reservation > 0) limits.memoryReservationBytes = reservation;
  checkSwap(flags, limits.memoryBytesMax);
  return limits;
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

/** Wrong values are wrong, though there is no swap. */
function checkSwap(flags: ParsedFlags, memoryBytesMax: number | undefined): void {
  const swap = flags.text("memory-swap");
  const swapBytes = swap === undefined || swap === "-1" ? 0 : parseSize(swap);
  if (swapBytes > 0 && memoryBytesMax === undefined) {
    throw new WpodError("USAGE", "you should always set the memory limit when using --memory-swap");
  }
  if (swapBytes > 0 && swapBytes < memoryBytesMax!) {
    throw new WpodError(
      "USAGE",
      `the --memory-swap of ${swapBytes} bytes is less than --memory, ${memoryBytesMax} bytes`,
    );
  }
  const swappiness = flags.integer("memory-swappiness") ?? -1;
  if (swappiness < -1 || swappiness > SWAPPINESS_MAX) {
    throw new WpodError(
      "USAGE",
      `invalid --memory-swappiness ${swappiness}: it is between 0 and ${SWAPPINESS_MAX}`,
    );
  }
}

/** What works otherwise than asked, in sentences. */
export function memoryWarnings(flags: ParsedFlags): string[] {
  return ["memory-swap", "memory-swappiness"]
    .filter((flag) => flags.has(flag))
    .map((flag) => `--${flag} has no effect: what a container has in memory is never swapped out by wpod`);
}
