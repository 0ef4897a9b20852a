/** Times as docker prints them, and reads them for `--since` and `--until`. `now` is always an argument. */
import { WpodError } from "../error.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const NS_PER_SECOND = 1_000_000_000n;

/**
 * `Less than a second`, `24 hours`, `3 weeks`.
 * @see https://pkg.go.dev/github.com/docker/go-units#HumanDuration
 */
export function humanDuration(durationMs: number): string {
  const seconds = Math.floor(durationMs / SECOND);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(durationMs / MINUTE);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  // Hours are rounded, and only they.
  const hours = Math.floor(durationMs / HOUR + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(durationMs / DAY / 365)} years`;
}

/** `24 hours ago`. */
export function humanAgo(thenMs: number, nowMs: number): string {
  return `${humanDuration(Math.max(0, nowMs - thenMs))} ago`;
}

/**
 * A point in time: RFC 3339 (its end may be missing: then it is UTC), seconds since 1970 with up to nine decimals, or a Go
 * duration (`1h30m`) before now.
 * @throws WpodError USAGE
 */
export function parseTimeNs(text: string, nowNs: bigint): bigint {
  const unix = /^(-?\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (unix !== null) return BigInt(unix[1]!) * NS_PER_SECOND + BigInt((unix[2] ?? "").padEnd(9, "0"));
  const date =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(
      text,
    );
  if (date !== null) {
    const [, day, hour = "00", minute = "00", second = "00", fraction = "", zone = "Z"] = date;
    const wholeMs = Date.parse(
      `${day}T${hour}:${minute}:${second}${zone.replace(/^([+-]\d\d)(\d\d)$/, "$1:$2")}`,
    );
    if (!Number.isNaN(wholeMs)) return BigInt(wholeMs) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
  }
  const durationNs = parseDurationNs(text);
  if (durationNs === undefined) {
    throw new WpodError("USAGE", `invalid time ${JSON.stringify(text)}`, {
      hint: "a time looks like 2024-01-31T13:05:00Z, 1706706300 or 10m (ten minutes ago)",
    });
  }
  return nowNs - durationNs;
}

/** `1h30m`, `-1.5s`; undefined for what is none. @see https://pkg.go.dev/time#ParseDuration */
export function parseDurationNs(text: string): bigint | undefined {
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$/.test(text)) {
    return /^[+-]?0$/.test(text) ? 0n : undefined;
  }
  let sumNs = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of text.matchAll(
    /(\d*)(?:\.(\d*))?(ns|us|µs|ms|s|m|h)/g,
  )) {
    const unitNs = UNIT_NS[unit]!;
    sumNs += BigInt(whole || "0") * unitNs;
    if (fraction !== "") sumNs += (BigInt(fraction) * unitNs) / 10n ** BigInt(fraction.length);
  }
  return text.startsWith("-") ? -sumNs : sumNs;
}
