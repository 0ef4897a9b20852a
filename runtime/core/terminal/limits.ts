/** Bounds of a terminal. `spec/limits.json` gives each with its unit and reason; `test/unit/limits.test.ts` compares the two. */

/** A line with its newline. What is typed behind it is echoed, and lost. */
export const TERMINAL_LINE_BYTES_MAX = 4096;

/** What was typed and waits for the guest; more stays where it comes from. */
export const TERMINAL_INPUT_BYTES_MAX = 64 * 1024;

/** While more echo than this waits to be shown, more of it is not shown. */
export const TERMINAL_ECHO_BYTES_MAX = 4096;

/** Columns, and rows. */
export const TERMINAL_SIZE_MAX = 0xffff;
