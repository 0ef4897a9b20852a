/** Which functions of a module get re-entry: where it pays (`spec/design/0015-what-makes-a-guest-fast.md`). */
import type { ModuleInspection } from "./module-inspection.ts";
import { SectionId } from "./reader.ts";
import type { ReentryOptions } from "./reentry.ts";

/** Up to here every function with a loop: of a larger program most are never run. */
export const SMALL_CODE_BYTES_MAX = 512 * 1024;
/** In a larger one a function of that size, as an interpreter's is; */
export const LARGE_FUNCTION_BYTES_MIN = 8 * 1024;
/** so many bytes of them at most, the largest first. */
export const LARGE_FUNCTIONS_BYTES_MAX = 256 * 1024;
/** Of a large function, which takes as long to compile as a start, only a call that runs for longer than that is entered again. */
const LARGE_FUNCTION_MASK = 2 ** 20 - 1;

/** @returns undefined: none */
export function chooseReentry({
  sections,
  producers,
}: ModuleInspection): Partial<ReentryOptions> | undefined {
  // Each of its functions is one loop around everything, by which it continues where it was: every jump would be counted.
  if (producers.some(({ field, name }) => field === "language" && name === "Go")) return undefined;
  const code = sections.find(({ id }) => id === SectionId.code);
  if (code === undefined) return undefined;
  if (code.end - code.content <= SMALL_CODE_BYTES_MAX) return {};
  return {
    mask: LARGE_FUNCTION_MASK,
    functionBytesMin: LARGE_FUNCTION_BYTES_MIN,
    rewrittenBytesMax: LARGE_FUNCTIONS_BYTES_MAX,
  };
}
