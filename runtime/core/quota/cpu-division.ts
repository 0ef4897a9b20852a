/**
 * Divides CPUs among those that want them, by their shares: who wants less than its part leaves the rest to the others, so that nothing
 * lies idle that somebody wants.
 */

export interface CpuDemand {
  /** As `--cpu-shares`. */
  readonly shares: number;
  /** What it would use; Infinity: all that it gets. */
  readonly demandCpus: number;
}

/** @returns what each gets, in their order: never more than it wants */
export function divideCpus(totalCpus: number, demands: readonly CpuDemand[]): number[] {
  const parts = demands.map(() => 0);
  let left = totalCpus;
  let open = demands.map((_, index) => index);
  while (open.length > 0) {
    const shares = open.reduce((sum, index) => sum + demands[index]!.shares, 0);
    const perShare = left / shares;
    const content = open.filter((index) => demands[index]!.demandCpus <= perShare * demands[index]!.shares);
    if (content.length === 0) {
      for (const index of open) parts[index] = perShare * demands[index]!.shares;
      break;
    }
    for (const index of content) {
      parts[index] = demands[index]!.demandCpus;
      left -= parts[index];
    }
    left = Math.max(0, left);
    open = open.filter((index) => !content.includes(index));
  }
  return parts;
}

/** Of its part: who used less than that could have used more, and didn't. */
const CONTENT = 0.9;
/** What it may use more at the next look than at this one. */
const GROWTH = 1.5;
/** What one may have that does nothing: as soon as it has something to do it wants more. */
const IDLE_CPUS = 0.05;

/** What it will want, by what it used of its part. */
export function demandOf(usedCpus: number, partCpus: number): number {
  return usedCpus >= partCpus * CONTENT ? Infinity : Math.max(usedCpus * GROWTH, IDLE_CPUS);
}
