/**
 * How much a program may be told at its start: Linux's bounds, counted as Linux counts. Each string is copied into the
 * worker and into the program's memory.
 * @see execve(2), "Limits on size of arguments and environment"
 */
import { WpodError } from "../error.ts";
import { utf8Length } from "../vfs/utf8.ts";

/** One argument, or one `NAME=value`, with the NUL that ends it. */
export const ARGUMENT_BYTES_MAX = 131_072;
/** All of them, with a pointer for each. */
export const ARGUMENTS_BYTES_MAX = 2 * 1024 * 1024;

const POINTER_BYTES = 8;

/** @throws WpodError ARGUMENTS_TOO_LONG: what `execve` answers with E2BIG */
export function checkArgumentSpace(argv: readonly string[], env: readonly string[]): void {
  let total = 0;
  for (const [strings, what] of [
    [argv, "an argument"],
    [env, "a variable of the environment"],
  ] as const) {
    for (const text of strings) {
      const size = utf8Length(text) + 1;
      if (size > ARGUMENT_BYTES_MAX) {
        throw tooLong(`${what} has ${size - 1} bytes, and may have ${ARGUMENT_BYTES_MAX - 1}`);
      }
      total += size + POINTER_BYTES;
    }
  }
  if (total > ARGUMENTS_BYTES_MAX) {
    throw tooLong(
      `arguments and environment take ${total} bytes with ${POINTER_BYTES} for the address of each, and may take ${ARGUMENTS_BYTES_MAX}`,
    );
  }
}

function tooLong(why: string): WpodError {
  return new WpodError("ARGUMENTS_TOO_LONG", `argument list too long: ${why}`, {
    hint: "put it into a file, and mount that",
  });
}
