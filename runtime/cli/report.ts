/** Tells a person what went wrong: a sentence, what to do, and never where in wpod it was found. */
import { WpodError } from "../core/error.ts";
import { printableLines } from "../core/format/printable.ts";
import type { Output } from "./context.ts";
import { EarlyEnd } from "./early-end.ts";

export function report(
  error: unknown,
  output: Output,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  output.error(printableLines(describe(error)));
  // For whoever looks for a defect of wpod's.
  if (environment.WPOD_DEBUG && error instanceof Error) output.error(`${error.stack}\n`);
}

function describe(error: unknown): string {
  if (error instanceof EarlyEnd) return error.message === "" ? "" : `${error.message}\n`;
  if (error instanceof WpodError) {
    return error.hint === undefined
      ? `Error: ${error.message}\n`
      : `Error: ${error.message}\n${error.hint}\n`;
  }
  const message = error instanceof Error ? error.message : String(error);
  return `Error: ${message}\n`;
}
