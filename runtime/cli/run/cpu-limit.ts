/** `--cpus`, or `--cpu-quota` in each `--cpu-period`, and `--cpu-shares`, as docker takes them. */
import { WpodError } from "../../core/error.ts";
import { CPU_PERIOD_MS, CPU_PERIOD_MS_MAX, CPU_PERIOD_MS_MIN } from "../../core/quota/cpu-bandwidth.ts";
import { CPU_SHARES, CPU_SHARES_MAX, CPU_SHARES_MIN } from "../../core/quota/cpu-group.ts";
import type { Limits } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";

const US_PER_MS = 1000;
/** Docker's. */
const QUOTA_US_MIN = 1000;
const PERIOD_US_MIN = CPU_PERIOD_MS_MIN * US_PER_MS;
const PERIOD_US_MAX = CPU_PERIOD_MS_MAX * US_PER_MS;
const PERIOD_US = CPU_PERIOD_MS * US_PER_MS;

/** @throws WpodError USAGE */
export function parseCpuLimit(flags: ParsedFlags): Pick<Limits, "cpus" | "cpuPeriodMs" | "cpuShares"> {
  return { ...parseShares(flags), ...parseBandwidth(flags) };
}

/** 0 is the default. What is beyond the bounds is brought to them, as Linux does. */
function parseShares(flags: ParsedFlags): Pick<Limits, "cpuShares"> {
  const shares = flags.integer("cpu-shares") ?? 0;
  if (shares < 0) {
    throw new WpodError(
      "USAGE",
      `invalid --cpu-shares ${shares}: it is a weight, ${CPU_SHARES} for who has none`,
    );
  }
  return shares === 0 ? {} : { cpuShares: Math.min(Math.max(shares, CPU_SHARES_MIN), CPU_SHARES_MAX) };
}

function parseBandwidth(flags: ParsedFlags): Pick<Limits, "cpus" | "cpuPeriodMs"> {
  const cpus = flags.text("cpus");
  for (const other of ["cpu-period", "cpu-quota"]) {
    if (cpus !== undefined && flags.has(other)) {
      throw new WpodError("USAGE", `--cpus and --${other} cannot be set together`);
    }
  }
  if (cpus !== undefined) return parseCpus(cpus);
  const quota = flags.integer("cpu-quota") ?? -1;
  const period = flags.integer("cpu-period") || PERIOD_US;
  if (period < PERIOD_US_MIN || period > PERIOD_US_MAX) {
    throw new WpodError(
      "USAGE",
      `invalid --cpu-period ${period}: it is between ${PERIOD_US_MIN} and ${PERIOD_US_MAX} microseconds`,
    );
  }
  if (quota === 0 || quota === -1) return {};
  if (quota < QUOTA_US_MIN) {
    throw new WpodError(
      "USAGE",
      `invalid --cpu-quota ${quota}: it is ${QUOTA_US_MIN} microseconds or more, or -1`,
    );
  }
  return { cpus: quota / period, cpuPeriodMs: period / US_PER_MS };
}

/** 0 is no limit. */
function parseCpus(text: string): Pick<Limits, "cpus"> {
  if (!/^\d*\.?\d+$/.test(text)) {
    throw new WpodError("USAGE", `invalid --cpus "${text}": it is a number such as 1.5`);
  }
  const cpus = Number(text);
  return cpus === 0 ? {} : { cpus };
}
