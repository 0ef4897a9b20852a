/** Paths as texts, for what is named before there is a tree. What a guest names is walked component by component instead. */

/** `name` seen from `directory`; absolute names stay. Nothing is resolved. */
export function joinPath(directory: string, name: string): string {
  if (name.startsWith("/")) return name;
  return directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`;
}
