/** The host's clocks, for the thread that asks: its CPU time is the guest's. */
import { Errno } from "../../shim/abi/errno.ts";
import type { ClockName, Clocks } from "../../shim/abi/system.ts";

const NS_PER_US = 1000;
const NS_PER_MS = 1_000_000n;
/** `performance.now` counts from here; its fraction of a millisecond is what `Date.now` lacks. */
const ORIGIN_NS = BigInt(Math.round(performance.timeOrigin * 1000)) * 1000n;

export const HOST_CLOCKS: Clocks = {
  now(clock: ClockName) {
    switch (clock) {
      case "realtime":
        return realtimeNs();
      case "monotonic":
        return process.hrtime.bigint();
      case "process-cpu":
      case "thread-cpu":
        return threadCpuNs();
      default:
        return -Errno.EINVAL;
    }
  },
  resolution(clock: ClockName) {
    return clock === "monotonic" ? 1n : BigInt(NS_PER_US);
  },
};

/** Follows steps of the host's clock: the offset is looked at anew when it is off by more than a millisecond. */
export function realtimeNs(): bigint {
  const fine = ORIGIN_NS + BigInt(Math.round(performance.now() * 1000)) * 1000n;
  const coarse = BigInt(Date.now()) * NS_PER_MS;
  const differenceNs = fine - coarse;
  return differenceNs >= -NS_PER_MS && differenceNs <= 2n * NS_PER_MS ? fine : coarse;
}

/** A guest's program has its thread for itself, so the thread's time is the process's. */
function threadCpuNs(): bigint {
  const { user, system } = process.threadCpuUsage();
  return BigInt(user + system) * BigInt(NS_PER_US);
}
