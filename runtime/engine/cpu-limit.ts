/** What somebody wants of CPU time, judged; and how this process can hold a program to it. */
import { WpodError } from "../core/error.ts";
import {
  CPU_PERIOD_MS,
  CPU_PERIOD_MS_MAX,
  CPU_PERIOD_MS_MIN,
  CPUS_MIN,
  type CpuLimit,
} from "../core/quota/cpu-bandwidth.ts";
import { CPU_SHARES, CPU_SHARES_MAX, CPU_SHARES_MIN, type CpuGroup } from "../core/quota/cpu-group.ts";
import { ThreadInspector } from "./thread-inspector.ts";
import type { CpuControl } from "./thread-pauses.ts";
import type { Limits } from "./types.ts";

/** What its programs may use of CPU time: all finite numbers are limits. */
export interface CpuLimits extends CpuLimit {
  readonly shares: number;
  /** Altogether. */
  readonly timeMs: number;
}

/** @throws WpodError USAGE */
export function cpuLimitsOf(limits: Limits): CpuLimits {
  const { cpus, cpuPeriodMs: periodMs = CPU_PERIOD_MS, cpuShares: shares = CPU_SHARES } = limits;
  const { cpuTimeMs: timeMs = Infinity } = limits;
  if (!(periodMs >= CPU_PERIOD_MS_MIN && periodMs <= CPU_PERIOD_MS_MAX)) {
    throw new WpodError(
      "USAGE",
      `the period of ${periodMs} ms for CPU time is not between ${CPU_PERIOD_MS_MIN} and ${CPU_PERIOD_MS_MAX}`,
    );
  }
  if (cpus !== undefined && !(cpus >= CPUS_MIN && cpus < Infinity)) {
    throw new WpodError("USAGE", `the limit of ${cpus} CPUs is less than ${CPUS_MIN}`, {
      hint: "a limit looks like --cpus 0.5: half of one",
    });
  }
  if (!(Number.isInteger(shares) && shares >= CPU_SHARES_MIN && shares <= CPU_SHARES_MAX)) {
    throw new WpodError(
      "USAGE",
      `${shares} CPU shares are not a whole number between ${CPU_SHARES_MIN} and ${CPU_SHARES_MAX}`,
    );
  }
  if (!(timeMs > 0)) {
    throw new WpodError("USAGE", `the limit of ${timeMs} ms of CPU time is not more than 0`);
  }
  return { cpus: cpus ?? Infinity, periodMs, shares, timeMs };
}

/**
 * Somebody has to look at what its threads use.
 * @param partCpus what it has of what its user's containers may use together
 */
export function isCpuLimited({ cpus, timeMs }: CpuLimits, group: CpuGroup, partCpus: number): boolean {
  return cpus < Infinity || timeMs < Infinity || partCpus < Infinity || !group.isUnlimited;
}

/** How it is kept unless somebody says: by interrupts where they may be. @throws WpodError USAGE, UNSUPPORTED */
export function cpuControlOf(wish: string | undefined): CpuControl {
  switch (wish) {
    case undefined:
    case "":
      return ThreadInspector.isPermitted ? "interrupt" : "metering";
    case "metering":
      return wish;
    case "interrupt":
      if (ThreadInspector.isPermitted) return wish;
      throw new WpodError(
        "UNSUPPORTED",
        "this process may not inspect its threads, so it can't interrupt them",
        {
          hint: "start Node.js with --allow-inspector, or let programs be metered",
        },
      );
    default:
      throw new WpodError(
        "USAGE",
        `CPU time is limited by "interrupt" or by "metering", not by ${JSON.stringify(wish)}`,
      );
  }
}
