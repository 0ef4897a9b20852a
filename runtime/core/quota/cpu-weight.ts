/** What docker calls shares (2 to 262144, 1024 when nobody says), and cgroup v2 a weight (1 to 10000, 100). */

import { CPU_SHARES_MAX, CPU_SHARES_MIN } from "./cpu-group.ts";

const WEIGHT_MIN = 1;
const WEIGHT_MAX = 10_000;

/**
 * A curve through the least, the usual and the largest of both: a straight line would make 1024 shares a weight of 39.
 * @see https://github.com/opencontainers/cgroups, ConvertCPUSharesToCgroupV2Value
 */
export function cpuWeight(shares: number): number {
  if (shares <= CPU_SHARES_MIN) return WEIGHT_MIN;
  if (shares >= CPU_SHARES_MAX) return WEIGHT_MAX;
  const log = Math.log2(shares);
  // Without the last digits, which are no more than the error of the arithmetic.
  const weight = 10 ** ((log * log + 125 * log) / 612 - 7 / 34);
  return Math.ceil(Number(weight.toFixed(6)));
}
