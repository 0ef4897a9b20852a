/** Which times a call sets: `fstflags` and two timestamps. */
import { TimeFlags } from "../abi/flags.ts";
import type { TimeChange } from "../abi/system.ts";

const KEEP: TimeChange = { kind: "keep" };
const NOW: TimeChange = { kind: "now" };

const KNOWN = TimeFlags.ATIM | TimeFlags.ATIM_NOW | TimeFlags.MTIM | TimeFlags.MTIM_NOW;

/** False when a time is to be set and to be now, or when a flag isn't known: EINVAL. */
export function validTimeFlags(flags: number): boolean {
  const both = (first: number, second: number) => (flags & first) !== 0 && (flags & second) !== 0;
  if ((flags & ~KNOWN) !== 0) return false;
  return !both(TimeFlags.ATIM, TimeFlags.ATIM_NOW) && !both(TimeFlags.MTIM, TimeFlags.MTIM_NOW);
}

export function accessChange(flags: number, timestampNs: bigint): TimeChange {
  if ((flags & TimeFlags.ATIM_NOW) !== 0) return NOW;
  return (flags & TimeFlags.ATIM) !== 0 ? { kind: "set", ns: BigInt.asUintN(64, timestampNs) } : KEEP;
}

export function modifyChange(flags: number, timestampNs: bigint): TimeChange {
  if ((flags & TimeFlags.MTIM_NOW) !== 0) return NOW;
  return (flags & TimeFlags.MTIM) !== 0 ? { kind: "set", ns: BigInt.asUintN(64, timestampNs) } : KEEP;
}
