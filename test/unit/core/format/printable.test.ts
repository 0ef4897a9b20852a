import fc from "fast-check";
import { expect, test } from "vitest";
import { printable, printableLines } from "../../../../runtime/core/format/printable.ts";

test.each([
  ["plain äöü 日本 🐙", "plain äöü 日本 🐙"],
  ["\u001b[2J", "\\e[2J"],
  ["a\r\nb\tc", "a\\r\\nb\\tc"],
  ["\u0007\u007f\u009b", "\\x07\\x7f\\x9b"],
  ["abc\u202etxt.exe", "abc\\u202etxt.exe"],
  ["\u2066x\u2069\u200f", "\\u2066x\\u2069\\u200f"],
])("printable(%j)", (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test("newlines and tabs stay in lines, nothing else that acts does", () => {
  expect(printableLines("a\tb\n\u001b]0;x\u0007\r")).toBe("a\tb\n\\e]0;x\\x07\\r");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(printableLines(text)).not.toMatch(/(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      expect(printable(text)).not.toMatch(/\p{Cc}/u);
    }),
  );
});
