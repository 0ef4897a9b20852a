/** What somebody wants of CPU time, judged; and whether this process can hold a program to it. */
import { WpodError } from "../core/error.ts";
import {
  CPU_PERIOD_MS,
  CPU_PERIOD_MS_MAX,
  CPU_PERIOD_MS_MIN,
  CPUS_MIN,
  type CpuLimit,
} from "../core/quota/cpu-bandwidth.ts";
import { ThreadInspector } from "./thread-inspector.ts";
import type { Limits } from "./types.ts";

/** @returns undefined without a limit. @throws WpodError USAGE, UNSUPPORTED */
export function cpuLimitOf({ cpus, cpuPeriodMs: periodMs = CPU_PERIOD_MS }: Limits): CpuLimit | undefined {
  if (!(periodMs >= CPU_PERIOD_MS_MIN && periodMs <= CPU_PERIOD_MS_MAX)) {
    throw new WpodError(
      "USAGE",
      `the period of ${periodMs} ms for CPU time is not between ${CPU_PERIOD_MS_MIN} and ${CPU_PERIOD_MS_MAX}`,
    );
  }
  if (cpus === undefined) return undefined;
  if (!(cpus >= CPUS_MIN && cpus < Infinity)) {
    throw new WpodError("USAGE", `the limit of ${cpus} CPUs is less than ${CPUS_MIN}`, {
      hint: "a limit looks like --cpus 0.5: half of one",
    });
  }
  if (!ThreadInspector.isPermitted) {
    throw new WpodError(
      "UNSUPPORTED",
      "CPU time can't be limited in a process that may not inspect its threads",
      {
        hint: "start Node.js with --allow-inspector",
      },
    );
  }
  return { cpus, periodMs };
}
