import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatRecords,
  formatTime,
  parseRecord,
  parseTime,
  RECORD_BYTES_MAX,
} from "../../../../runtime/core/log/cri.ts";

const TIME_NS = 1475798963669794202n;
const TIME = "2016-10-07T00:09:23.669794202Z";
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("CRI records", () => {
  test.each([
    { name: "a line", text: "hello\n", records: [`${TIME} stdout F hello`] },
    { name: "two lines", text: "a\nb\n", records: [`${TIME} stdout F a`, `${TIME} stdout F b`] },
    { name: "an empty line", text: "\n", records: [`${TIME} stdout F `] },
    { name: "a piece of a line", text: "a\nb", records: [`${TIME} stdout F a`, `${TIME} stdout P b`] },
    { name: "nothing", text: "", records: [] },
    {
      name: "a line as long as a record may be",
      text: `${"x".repeat(RECORD_BYTES_MAX)}\n`,
      records: [`${TIME} stdout F ${"x".repeat(RECORD_BYTES_MAX)}`],
    },
    {
      name: "a line longer than a record may be",
      text: `${"x".repeat(RECORD_BYTES_MAX + 1)}\n`,
      records: [`${TIME} stdout P ${"x".repeat(RECORD_BYTES_MAX)}`, `${TIME} stdout F x`],
    },
  ])("of $name", ({ text, records }) => {
    expect(decode(formatRecords("stdout", TIME_NS, encode(text)))).toBe(
      records.map((line) => `${line}\n`).join(""),
    );
  });

  test("give back every byte that was written", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (writes) => {
        const file = Buffer.concat(writes.map((bytes) => formatRecords("stderr", TIME_NS, bytes)));
        const text: number[] = [];
        for (let start = 0; start < file.length; ) {
          const end = file.indexOf(10, start);
          const record = parseRecord(file.subarray(start, end))!;
          expect(record.stream).toBe("stderr");
          text.push(...record.bytes);
          if (!record.partial) text.push(10);
          start = end + 1;
        }
        expect(Buffer.from(text)).toEqual(Buffer.concat(writes));
      }),
    );
  });

  test.each(["", "x", `${TIME} stdout`, `${TIME} stdin F x`, `${TIME} stdout X x`, "yesterday stdout F x"])(
    "refuses %j",
    (line) => {
      expect(parseRecord(encode(line))).toBeUndefined();
    },
  );

  test("never throw on foreign bytes", () => {
    fc.assert(fc.property(fc.uint8Array(), (line) => void parseRecord(line)));
  });
});

describe("RFC 3339 times", () => {
  test.each([
    { text: TIME, timeNs: TIME_NS },
    { text: "1970-01-01T00:00:00Z", timeNs: 0n },
    { text: "1970-01-01T01:00:00.5+01:00", timeNs: 500_000_000n },
    { text: "1970-01-01", timeNs: undefined },
    { text: "1970-13-01T00:00:00Z", timeNs: undefined },
  ])("$text", ({ text, timeNs }) => {
    expect(parseTime(text)).toBe(timeNs);
    if (text === TIME) expect(formatTime(TIME_NS)).toBe(text);
  });
});
