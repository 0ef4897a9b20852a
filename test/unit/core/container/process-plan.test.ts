import { describe, expect, test } from "vitest";
import { planProcess } from "../../../../runtime/core/container/process-plan.ts";
import { WpodError } from "../../../../runtime/core/error.ts";

const HOST = { hostname: "box" };

describe("what a container executes", () => {
  const image = { Entrypoint: ["/app"], Cmd: ["serve", "--all"] };
  // The table of docker's reference: how CMD and ENTRYPOINT interact.
  test.each([
    { name: "the image's own", image, wishes: {}, argv: ["/app", "serve", "--all"] },
    { name: "arguments replace CMD", image, wishes: { args: ["check"] }, argv: ["/app", "check"] },
    { name: "no arguments leave CMD", image, wishes: { args: [] }, argv: ["/app", "serve", "--all"] },
    { name: "an entry point drops CMD", image, wishes: { entrypoint: ["/sh"] }, argv: ["/sh"] },
    {
      name: "an entry point with arguments",
      image,
      wishes: { entrypoint: ["/sh"], args: ["-c"] },
      argv: ["/sh", "-c"],
    },
    { name: "an empty entry point clears", image, wishes: { entrypoint: [""], args: ["/x"] }, argv: ["/x"] },
    { name: "CMD alone", image: { Cmd: ["/x", "y"] }, wishes: {}, argv: ["/x", "y"] },
    { name: "arguments alone", image: {}, wishes: { args: ["/x"] }, argv: ["/x"] },
  ])("$name", ({ image, wishes, argv }) => {
    expect(planProcess(image, { ...HOST, ...wishes }).argv).toEqual(argv);
  });

  test.each([
    { name: "nothing to execute", image: {}, wishes: {}, message: /no command or entrypoint provided/ },
    { name: "a cleared entry point alone", image, wishes: { entrypoint: [] }, message: /no command/ },
    {
      name: "a relative directory",
      image,
      wishes: { workdir: "a" },
      message: /needs to be an absolute path/,
    },
    { name: "NUL in an argument", image, wishes: { args: ["a\0b"] }, message: /NUL/ },
    { name: "= in a variable's name", image, wishes: { env: { "A=B": "x" } }, message: /can't be the name/ },
    { name: "NUL in a variable", image, wishes: { env: { A: "\0" } }, message: /can't be the name/ },
  ])("refuses $name", ({ image, wishes, message }) => {
    expect(() => planProcess(image, { ...HOST, ...wishes })).toThrow(message);
    expect(() => planProcess(image, { ...HOST, ...wishes })).toThrow(WpodError);
  });

  test.each([
    { given: "", workdir: "/" },
    { given: "/", workdir: "/" },
    { given: "/a/b", workdir: "/a/b" },
    { given: "//a/./b//", workdir: "/a/b" },
    { given: "/a/../../b/..", workdir: "/" },
    { given: "/..a/b..", workdir: "/..a/b.." },
  ])("starts in $workdir for $given", ({ given, workdir }) => {
    expect(planProcess({ Cmd: ["/x"], WorkingDir: given }, HOST).workdir).toBe(workdir);
    expect(
      planProcess({ Cmd: ["/x"], WorkingDir: "/other" }, { ...HOST, workdir: given || "/" }).workdir,
    ).toBe(workdir);
  });

  test("gives each variable once: the caller's, else the image's, else the defaults", () => {
    const env = planProcess(
      { Cmd: ["/x"], Env: ["PATH=/bin", "A=1", "B=x=y\nz", "broken", "__proto__=p"] },
      { ...HOST, env: { A: "2", C: "" } },
    ).env;
    expect(env).toEqual([
      "PATH=/bin",
      "HOSTNAME=box",
      "container=wpod",
      "A=2",
      "B=x=y\nz",
      "__proto__=p",
      "C=",
    ]);
  });
});

describe("the environment of a terminal", () => {
  const terminal = { columns: 100, rows: 30 };
  const env = (image: readonly string[], wishes: object) =>
    planProcess({ Cmd: ["/x"], Env: image }, { ...HOST, ...wishes }).env;

  test.each([
    {
      name: "its kind and size",
      image: [],
      wishes: { terminal },
      has: ["TERM=xterm", "COLUMNS=100", "LINES=30"],
    },
    {
      name: "an image's own kind",
      image: ["TERM=vt100"],
      wishes: { terminal },
      has: ["TERM=vt100", "LINES=30"],
    },
    { name: "what is asked for", image: [], wishes: { terminal, env: { LINES: "9" } }, has: ["LINES=9"] },
  ])("has $name", ({ image, wishes, has }) => {
    expect(env(image, wishes)).toEqual(expect.arrayContaining(has));
  });

  test.each([
    { name: "without a terminal", wishes: {} },
    { name: "when nothing is wanted", wishes: { terminal, unsetEnvAll: true } },
  ])("isn't there $name", ({ wishes }) => {
    expect(env([], wishes).filter((line) => /^(TERM|LINES|COLUMNS)=/.test(line))).toEqual([]);
  });
});
