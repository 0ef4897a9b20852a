import { expect, test } from "vitest";
import {
  humanAgo,
  humanDuration,
  parseDurationNs,
  parseTimeNs,
} from "../../../../runtime/core/format/duration.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Both sides of each edge of go-units' HumanDuration.
test.each([
  [0, "Less than a second"],
  [999, "Less than a second"],
  [SECOND, "1 second"],
  [2 * SECOND, "2 seconds"],
  [MINUTE - 1, "59 seconds"],
  [MINUTE, "About a minute"],
  [2 * MINUTE - 1, "About a minute"],
  [2 * MINUTE, "2 minutes"],
  [HOUR - 1, "59 minutes"],
  [HOUR, "About an hour"],
  [1.5 * HOUR - 1, "About an hour"],
  [1.5 * HOUR, "2 hours"],
  [24 * HOUR, "24 hours"],
  [47.5 * HOUR - 1, "47 hours"],
  [47.5 * HOUR, "2 days"],
  [13 * DAY, "13 days"],
  [14 * DAY, "2 weeks"],
  [59 * DAY, "8 weeks"],
  [60 * DAY, "2 months"],
  [729 * DAY, "24 months"],
  [730 * DAY, "2 years"],
])("humanDuration(%d ms)", (durationMs, text) => {
  expect(humanDuration(durationMs)).toBe(text);
});

test("a clock that went back is no time ago", () => {
  expect(humanAgo(2000, 1000)).toBe("Less than a second ago");
  expect(humanAgo(0, DAY)).toBe("24 hours ago");
});

const NOW = 1_700_000_000_000_000_000n;

test.each([
  ["0", 0n],
  ["1136073600", 1_136_073_600_000_000_000n],
  ["1136073600.000000001", 1_136_073_600_000_000_001n],
  ["1136073600.5", 1_136_073_600_500_000_000n],
  ["2006-01-02T15:04:05Z", 1_136_214_245_000_000_000n],
  ["2006-01-02T15:04:05.123456789Z", 1_136_214_245_123_456_789n],
  ["2006-01-02T15:04:05+01:00", 1_136_210_645_000_000_000n],
  ["2006-01-02T15:04:05", 1_136_214_245_000_000_000n],
  ["2006-01-02T15:04", 1_136_214_240_000_000_000n],
  ["2006-01-02", 1_136_160_000_000_000_000n],
  ["10m", NOW - 600_000_000_000n],
  ["1h30m", NOW - 5_400_000_000_000n],
  ["-10m", NOW + 600_000_000_000n],
])("parseTimeNs(%s)", (text, timeNs) => {
  expect(parseTimeNs(text, NOW)).toBe(timeNs);
});

test.each(
  ["", "yesterday", "2006-13-01", "2006-01-02T25:00:00Z", "10", "10x", "1h30"].filter(
    (text) => text !== "10",
  ),
)("parseTimeNs refuses %j", (text) => {
  expect(() => parseTimeNs(text, NOW)).toThrow(`invalid time ${JSON.stringify(text)}`);
});

test.each([
  ["1.5s", 1_500_000_000n],
  [".5h", 1_800_000_000_000n],
  ["1us", 1000n],
  ["1µs", 1000n],
  ["300ms", 300_000_000n],
  ["0", 0n],
  ["", undefined],
  ["5", undefined],
  ["s", undefined],
])("parseDurationNs(%j)", (text, durationNs) => {
  expect(parseDurationNs(text)).toBe(durationNs);
});
