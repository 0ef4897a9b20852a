/** Summaries of what was measured. Pure. */

export interface Summary {
  median: number;
  /** A tenth of the values is below the first, a tenth above the second: with few values, the smallest and the largest. */
  p10: number;
  p90: number;
  count: number;
}

/** @param values at least one */
export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    p10: quantile(sorted, 0.1),
    p90: quantile(sorted, 0.9),
    count: sorted.length,
  };
}

/**
 * Ratios round by round: a slow minute of the machine is in both sides of its rounds, and so in neither ratio.
 *
 * @param subject as many values as `baseline`, each measured right after its neighbour
 */
export function ratios(subject: readonly number[], baseline: readonly number[]): Summary {
  return summarise(subject.map((value, index) => value / (baseline[index] ?? Number.NaN)));
}

/** Linear between the two values that are nearest. */
function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
