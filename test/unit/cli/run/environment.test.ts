import { expect, test } from "vitest";
import { parseEnvironment, parsePairs } from "../../../../runtime/cli/run/environment.ts";

const OWN = { HOME: "/home/me", SECRET: "s", EMPTY: "" };

const FILE = [
  "\ufeff# a comment",
  "",
  "A=1",
  "  B=two words ",
  "C='quoted'",
  'D="$A"\r',
  "E=a=b",
  "SECRET",
  "UNSET",
  "A=2",
  "F=",
  "  # indented comment",
].join("\n");

test("--env-file: nothing is unquoted or replaced, a name alone takes the caller's own", () => {
  expect({ ...parseEnvironment([], [{ name: "f", text: FILE }], OWN) }).toEqual({
    A: "2",
    B: "two words ",
    C: "'quoted'",
    D: '"$A"',
    E: "a=b",
    SECRET: "s",
    F: "",
  });
});

test("-e wins over files, the last one wins, nothing of the caller's comes unasked", () => {
  const files = [
    { name: "f", text: "A=file\nB=file" },
    { name: "g", text: "B=second" },
  ];
  expect({ ...parseEnvironment(["A=1", "A=2", "EMPTY", "UNSET", "X==", "Y="], files, OWN) }).toEqual({
    A: "2",
    B: "second",
    EMPTY: "",
    X: "=",
    Y: "",
  });
  expect(Object.keys(parseEnvironment(["__proto__=x"], [], OWN))).toEqual(["__proto__"]);
});

test.each([
  [["=x"], "", 'invalid environment variable: "=x" has no name'],
  [[""], "", 'invalid environment variable: "" has no name'],
  [[], "A=1\n=x", 'f: no variable name on line "=x"'],
  [[], "A B=1", 'f: variable "A B" contains whitespace'],
  [[], "export A=1", 'f: variable "export A" contains whitespace'],
])("a variable without a proper name is refused: %j %j", (pairs, text, message) => {
  expect(() => parseEnvironment(pairs, [{ name: "f", text }], OWN)).toThrow(message);
});

test("labels: a key alone is empty, later ones win, files come first", () => {
  expect({
    ...parsePairs(["a=1", "b", "c=x=y", "a=2"], "label", [{ name: "f", text: "# no\na=0\nd=4" }]),
  }).toEqual({
    a: "2",
    b: "",
    c: "x=y",
    d: "4",
  });
  expect(() => parsePairs(["=x"], "label")).toThrow('invalid --label "=x": its key is empty');
});
