import { expect, test } from "vitest";
import { generateName, isValidName } from "../../../../runtime/core/container/name.ts";

test.each([
  ["a", true],
  ["A9_.-", true],
  ["a".repeat(128), true],
  ["a".repeat(129), false],
  ["", false],
  ["_a", false],
  ["-a", false],
  [".", false],
  ["a/b", false],
  ["a b", false],
  ["a\n", false],
  ["\u001b[31mred", false],
  ["é", false],
])("%j as a name: %s", (name, valid) => {
  expect(isValidName(name)).toBe(valid);
});

test("a made-up name is a valid one, from the first word to the last", () => {
  const first = generateName(() => 0);
  const last = generateName((max) => max - 1);
  expect(first).not.toBe(last);
  for (const name of [first, last]) {
    expect(name).toMatch(/^[a-z]+_[a-z]+$/);
    expect(isValidName(name)).toBe(true);
  }
});

test.each([0, 1, 5])("with %d names taken it has as many digits", (attempt) => {
  expect(generateName(() => 0, attempt)).toMatch(new RegExp(`^[a-z]+_[a-z]+0{${attempt}}$`));
});
