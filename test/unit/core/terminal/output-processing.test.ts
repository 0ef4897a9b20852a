import fc from "fast-check";
import { expect, test } from "vitest";
import { addReturns } from "../../../../runtime/core/terminal/output-processing.ts";

test("a newline gets a return, whatever stands before it; all else stays", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("\n", "\r", "\r\n", "a", "é", "\0")), (parts) => {
      const text = parts.join("");
      expect(Buffer.from(addReturns(Buffer.from(text))).toString()).toBe(text.replaceAll("\n", "\r\n"));
    }),
  );
});

test("what has none is not copied", () => {
  const bytes = Uint8Array.of(1, 13, 2);
  expect(addReturns(bytes)).toBe(bytes);
});
