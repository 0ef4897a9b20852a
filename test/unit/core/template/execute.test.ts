import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compileTemplate } from "../../../../runtime/core/template/execute.ts";
import { TemplateError } from "../../../../runtime/core/template/template-error.ts";
import { fromJson, struct, type Value } from "../../../../runtime/core/template/value.ts";
import { need } from "../../../fixtures/tools.ts";
import { TEMPLATES } from "./templates.ts";

const ORACLE = fileURLToPath(new URL("../../../fixtures/template", import.meta.url));

/** `Data` of the Go program. */
const DATA = {
  ID: "0e3bbc2af1",
  Name: "frosty_otter",
  Count: 42,
  Zero: 0,
  Ratio: 0.25,
  On: true,
  Off: false,
  Items: ["one", "two", "drei & vier"],
  Empty: [] as string[],
  State: { Status: "exited", ExitCode: 137, Running: false },
  Labels: {
    b: "2",
    a: "1",
    number: 7,
    float: 2.5,
    nothing: null,
    list: ["x", 1, null],
    deep: { key: "välue" },
    yes: true,
  },
};

function run(source: string): { output: string; error: string } {
  const labels = fromJson(DATA.Labels);
  const data: Value = struct("main.Data", {
    ...DATA,
    State: struct("main.State", DATA.State),
    Labels: labels,
  });
  try {
    return { output: compileTemplate(source).execute(data), error: "" };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { output: "", error: error.message };
  }
}

test("templates give what Go's text/template gives, its errors included", { timeout: 120_000 }, ({
  skip,
}) => {
  const go = need(skip, "go");
  const { stdout, stderr, status } = spawnSync(go, ["run", "."], {
    cwd: ORACLE,
    input: JSON.stringify({ data: DATA, templates: TEMPLATES }),
    env: { ...process.env, GOTOOLCHAIN: "local" },
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  const wanted = JSON.parse(stdout) as { output: string; error: string }[];
  const table = TEMPLATES.map((source, index) => {
    const { output, error } = wanted[index]!;
    // What was printed before an error is of no use to anybody.
    return { source, output: error === "" ? output : "", error };
  });
  expect(TEMPLATES.map((source) => ({ source, ...run(source) }))).toEqual(table);
});

test("nested templates are refused", () => {
  for (const source of ['{{define "x"}}y{{end}}', '{{template "x"}}', '{{block "x" .}}y{{end}}']) {
    expect(run(source).error).toMatch(
      /^template: :1: \{\{(define|template|block)\}\} is not supported here$/,
    );
  }
});

test("with strict keys, a key that isn't there is an error", () => {
  const map = fromJson({ a: { b: 1 } });
  const strict = (source: string) => compileTemplate(source, { strictKeys: true }).execute(map);
  expect(strict("{{.a.b}}")).toBe("1");
  expect(() => strict("{{.c}}")).toThrow(
    'template: :1:2: executing "" at <.c>: map has no entry for key "c"',
  );
  expect(() => strict("{{.a.c}}")).toThrow(
    'template: :1:4: executing "" at <.a.c>: map has no entry for key "c"',
  );
});

test("a range that is too long ends with an error", () => {
  expect(run("{{range 100000000}}{{end}}").error).toContain("range over more than");
});
