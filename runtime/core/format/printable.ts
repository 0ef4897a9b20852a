/**
 * Text of others for a terminal: names, labels and messages may come from a hostile image, and what a terminal takes as a
 * command (escapes, carriage returns, marks that turn the reading direction) is shown, not done.
 */

/** Control characters (C0, DEL, C1) and the marks of bidirectional text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ACTING = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ACTING_IN_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One line: `\n` is written as a backslash and an n. */
export function printable(text: string): string {
  return text.replace(ACTING, escaped);
}

/** Several lines: newlines and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(ACTING_IN_LINES, escaped);
}

function escaped(character: string): string {
  const known = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u001b": "\\e" }[character];
  if (known !== undefined) return known;
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
