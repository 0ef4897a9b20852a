/** Letters to insert, remove or change, as Levenshtein counts them. */
export function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const change = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}

/** What was meant most likely; the first of equals. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  let found: string | undefined;
  let least = Infinity;
  for (const name of names) {
    const distance = editDistance(name.toLowerCase(), typed.toLowerCase());
    if (distance >= least) continue;
    found = name;
    least = distance;
  }
  return found;
}
