/**
 * A script: its first line names the program that runs it.
 * @see https://man7.org/linux/man-pages/man2/execve.2.html (Interpreter scripts)
 */

export interface Script {
  readonly kind: "script";
  /** What stands behind `#!`, without blanks around it. */
  readonly line: string;
  /** Path of the program; "" when the line names none. */
  readonly interpreter: string;
  /** As on Linux at most one: all that stands behind the interpreter. */
  readonly args: readonly string[];
}

/** As on Linux: a longer line is cut here. */
const LINE_BYTES_MAX = 255;

export function recogniseScript(bytes: Uint8Array): Script | undefined {
  if (bytes[0] !== 0x23 || bytes[1] !== 0x21) return undefined;
  const head = bytes.subarray(2, LINE_BYTES_MAX);
  const newline = head.indexOf(0x0a);
  const line = trimBlanks(
    new TextDecoder().decode(newline < 0 ? head : head.subarray(0, newline)).replace(/\r$/, ""),
  );
  const interpreter = /^[^ \t]*/.exec(line)![0];
  const rest = trimBlanks(line.slice(interpreter.length));
  return { kind: "script", line, interpreter, args: rest === "" ? [] : [rest] };
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}
