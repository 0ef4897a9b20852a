/** Variables for the guest: `-e` and `--env-file`, in docker's format. */
import { WpodError } from "../../core/error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Later ones win; `-e` wins over files.
 *
 * @param pairs `NAME=value`; `NAME` alone passes on the caller's own, when there is one
 * @param files the texts of the files, each with its name for messages
 * @param own the caller's environment: nothing else of it gets through
 * @throws WpodError USAGE
 */
export function parseEnvironment(
  pairs: readonly string[],
  files: readonly { name: string; text: string }[],
  own: Environment,
): Record<string, string> {
  // Without a prototype: a variable may be called __proto__.
  const values: Record<string, string> = Object.create(null);
  for (const { name, text } of files) {
    for (const line of lines(text)) set(values, fileLine(line, name), own);
  }
  for (const pair of pairs) {
    if (pair === "" || pair.startsWith("=")) {
      throw new WpodError("USAGE", `invalid environment variable: ${JSON.stringify(pair)} has no name`);
    }
    set(values, pair, own);
  }
  return values;
}

function set(values: Record<string, string>, pair: string, own: Environment): void {
  const equals = pair.indexOf("=");
  const name = equals < 0 ? pair : pair.slice(0, equals);
  const value = equals < 0 ? own[name] : pair.slice(equals + 1);
  if (value !== undefined) values[name] = value;
}

/** Without comments and empty lines; nothing is unquoted, as in docker. */
function lines(text: string): string[] {
  return text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map((line) => line.replace(/\r$/, "").trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function fileLine(line: string, file: string): string {
  const [name = ""] = line.split("=", 1);
  if (name === "") throw new WpodError("USAGE", `${file}: no variable name on line ${JSON.stringify(line)}`);
  if (/\s/.test(name)) {
    throw new WpodError("USAGE", `${file}: variable ${JSON.stringify(name)} contains whitespace`);
  }
  return line;
}

/**
 * Labels and annotations: `key=value`, or `key` with an empty value. Later ones win.
 *
 * @param pairs of the flag
 * @param flag its name, for messages
 * @param files as for `parseEnvironment`
 * @throws WpodError USAGE
 */
export function parsePairs(
  pairs: readonly string[],
  flag: string,
  files: readonly { name: string; text: string }[] = [],
): Record<string, string> {
  const values: Record<string, string> = Object.create(null);
  const all = [
    ...files.flatMap(({ name, text }) => lines(text).map((line) => fileLine(line, name))),
    ...pairs,
  ];
  for (const pair of all) {
    const equals = pair.indexOf("=");
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (key === "")
      throw new WpodError("USAGE", `invalid --${flag} ${JSON.stringify(pair)}: its key is empty`);
    values[key] = equals < 0 ? "" : pair.slice(equals + 1);
  }
  return values;
}
