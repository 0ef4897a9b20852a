/** `--format` as it is typed: `\\t` and `\\n` between actions are a tab and a newline; within them Go's strings read their own. */
export function unescapeFormat(format: string): string {
  return format
    .split(/(\{\{.*?\}\})/s)
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll("\\t", "\t").replaceAll("\\n", "\n")))
    .join("");
}
