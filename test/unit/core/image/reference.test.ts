import { describe, expect, test } from "vitest";
import {
  lookupNames,
  meansOneOf,
  normalizeDockerReference,
  normalizeReference,
  parseReference,
  repositoryOf,
} from "../../../../runtime/core/image/reference.ts";

const hex = "0123456789abcdef".repeat(4);
const digest = `sha256:${hex}`;

const names = [
  { text: "hello", local: "localhost/hello:latest", docker: "docker.io/library/hello:latest" },
  { text: "hello:1.0", local: "localhost/hello:1.0", docker: "docker.io/library/hello:1.0" },
  { text: "team/hello", local: "localhost/team/hello:latest", docker: "docker.io/team/hello:latest" },
  { text: "localhost/hello", local: "localhost/hello:latest", docker: "localhost/hello:latest" },
  { text: "docker.io/hello", local: "docker.io/hello:latest", docker: "docker.io/library/hello:latest" },
  { text: "index.docker.io/a/b", local: "docker.io/a/b:latest", docker: "docker.io/a/b:latest" },
  { text: "127.0.0.1:5000/a/b:c", local: "127.0.0.1:5000/a/b:c", docker: "127.0.0.1:5000/a/b:c" },
  { text: "[::1]:5000/a", local: "[::1]:5000/a:latest", docker: "[::1]:5000/a:latest" },
  { text: "host:5000/a", local: "host:5000/a:latest", docker: "host:5000/a:latest" },
  { text: "Host/a", local: "Host/a:latest", docker: "Host/a:latest" },
  {
    text: "a__b/c--d/e.f_g",
    local: "localhost/a__b/c--d/e.f_g:latest",
    docker: "docker.io/a__b/c--d/e.f_g:latest",
  },
  {
    text: `hello@${digest}`,
    local: `localhost/hello@${digest}`,
    docker: `docker.io/library/hello@${digest}`,
  },
  {
    text: `hello:1@${digest}`,
    local: `localhost/hello:1@${digest}`,
    docker: `docker.io/library/hello:1@${digest}`,
  },
  {
    text: `hello:${"t".repeat(128)}`,
    local: `localhost/hello:${"t".repeat(128)}`,
    docker: `docker.io/library/hello:${"t".repeat(128)}`,
  },
  {
    text: "a".repeat(255),
    local: `localhost/${"a".repeat(255)}:latest`,
    docker: `docker.io/library/${"a".repeat(255)}:latest`,
  },
];

test.each(names)("completes $text", ({ text, local, docker }) => {
  expect(normalizeReference(parseReference(text))).toBe(local);
  expect(normalizeDockerReference(parseReference(text))).toBe(docker);
});

const refused = [
  "",
  " ",
  ":tag",
  "@sha256:00",
  "hello:",
  "hello:-x",
  "hello:.x",
  `hello:${"t".repeat(129)}`,
  "a".repeat(256),
  "a//b",
  "/a",
  "a/",
  "a..b",
  "a___b",
  "-a",
  "a-",
  "a/-b",
  "hello world",
  "hello\n",
  "hello@sha256:abc",
  `hello@${digest.toUpperCase()}`,
  "hello@md5:00",
  hex,
  `${hex}:latest`,
  "http://a/b",
  "../a",
  "a/../b",
  "host:port/a",
  "[::1/a",
  "\u0000",
  "é",
];

test.each(refused)("refuses %j", (text) => {
  expect(() => parseReference(text)).toThrow(
    expect.objectContaining({
      code: "REFERENCE_INVALID",
      message: expect.stringMatching(/^invalid reference format/),
    }),
  );
});

test("a name in capitals is told so, as docker does", () => {
  expect(() => parseReference("library/UPPERCASE_REPO")).toThrow(
    "invalid reference format: repository name (library/UPPERCASE_REPO) must be lowercase",
  );
});

describe("looking up", () => {
  test.each([
    { text: "hello", names: ["localhost/hello:latest", "docker.io/library/hello:latest"] },
    { text: "team/hello:1", names: ["localhost/team/hello:1", "docker.io/team/hello:1"] },
    { text: "docker.io/hello", names: ["docker.io/library/hello:latest"] },
    { text: "localhost/hello", names: ["localhost/hello:latest"] },
    { text: `h.example/a@${digest}`, names: ["h.example/a:latest"] },
  ])("$text means $names", ({ text, names }) => {
    expect(lookupNames(parseReference(text))).toEqual(names);
  });

  test("what is no reference means nothing", () => {
    expect(meansOneOf("Not A Name", ["localhost/hello:latest"])).toBe(false);
    expect(meansOneOf("hello", ["localhost/hello:latest"])).toBe(true);
  });

  test.each([
    ["localhost/hello:latest", "localhost/hello"],
    ["host:5000/a", "host:5000/a"],
    ["host:5000/a:b", "host:5000/a"],
    [`host:5000/a@${digest}`, "host:5000/a"],
  ])("the repository of %s is %s", (name, repository) => {
    expect(repositoryOf(name)).toBe(repository);
  });
});
