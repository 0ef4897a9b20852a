/** Columns as Go's tabwriter lays them out for docker: at least 10 wide, 3 apart, the last one as it is. */

const WIDTH_MIN = 10;
const GAP = 3;

/** @param text lines whose cells are separated by tabs */
export function alignColumns(text: string): string {
  const rows = text.split("\n").map((line) => line.split("\t"));
  const widths: number[] = [];
  for (const cells of rows) {
    for (const [index, cell] of cells.slice(0, -1).entries()) {
      widths[index] = Math.max(widths[index] ?? WIDTH_MIN, [...cell].length + GAP);
    }
  }
  return rows
    .map((cells) =>
      cells
        .map((cell, index) =>
          index === cells.length - 1 ? cell : cell + " ".repeat(widths[index]! - [...cell].length),
        )
        .join(""),
    )
    .join("\n");
}
