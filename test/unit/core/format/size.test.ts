import { expect, test } from "vitest";
import { binarySize, decimalSize, parseSize } from "../../../../runtime/core/format/size.ts";

test.each([
  ["0", 0],
  ["65536", 65536],
  ["512k", 524288],
  ["512K", 524288],
  ["512kb", 524288],
  ["512KiB", 524288],
  ["64m", 67108864],
  ["1g", 1073741824],
  ["1.5g", 1610612736],
  ["1 g", 1073741824],
  ["2t", 2199023255552],
  ["32b", 32],
])("parseSize(%s)", (text, sizeBytes) => {
  expect(parseSize(text)).toBe(sizeBytes);
});

test.each(["", "x", "5x", "-1", "1.2.3", "1  g", "g", "1e3", "0x10", "99999999p", " 1", "1gg"])(
  "parseSize refuses %j",
  (text) => {
    expect(() => parseSize(text)).toThrow(`invalid size: '${text}'`);
  },
);

// What docker's go-units prints.
test.each([
  [0, "0B"],
  [999, "999B"],
  [1000, "1kB"],
  [1024, "1.02kB"],
  [12345, "12.3kB"],
  [999_999, "1e+03kB"],
  [1_000_000, "1MB"],
  [3_420_000_000, "3.42GB"],
  [5e15, "5PB"],
])("decimalSize(%d)", (sizeBytes, text) => {
  expect(decimalSize(sizeBytes)).toBe(text);
});

test.each([
  [1023, "1023B"],
  [1024, "1KiB"],
  [67108864, "64MiB"],
  [1_500_000_000, "1.397GiB"],
])("binarySize(%d)", (sizeBytes, text) => {
  expect(binarySize(sizeBytes)).toBe(text);
});
