/** Paths as texts, for what is named before there is a tree. What a guest names is walked component by component instead. */

/** An absolute path without `.`, `..` and doubled slashes, by its letters: equal places become equal texts. `/` for the root. */
export function normalizePath(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}

/** `name` seen from `directory`; absolute names stay. Nothing is resolved. */
export function joinPath(directory: string, name: string): string {
  if (name.startsWith("/")) return name;
  return directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`;
}
