import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  EXPOSITION_TYPES,
  type ExpositionFormat,
  exposition,
  type MetricFamily,
} from "../../../../runtime/core/metrics/exposition.ts";

const family = (parts: Partial<MetricFamily> = {}): MetricFamily => ({
  name: "things_total",
  type: "counter",
  help: "Things.",
  samples: [{ labels: { name: "x" }, value: 1 }],
  ...parts,
});

describe("the text of metrics", () => {
  test("is as the documentation of Prometheus has it", () => {
    const escaping = family({
      name: "msdos_file_access_time_seconds",
      type: "gauge",
      help: 'A "quoted" \\ and a\nline',
      samples: [
        {
          labels: { path: "C:\\DIR\\FILE.TXT", error: 'Cannot find file:\n"FILE.TXT"' },
          value: 1.458255915e9,
        },
      ],
    });
    expect(exposition([family(), escaping], "prometheus")).toBe(
      [
        "# HELP things_total Things.",
        "# TYPE things_total counter",
        'things_total{name="x"} 1',
        '# HELP msdos_file_access_time_seconds A "quoted" \\\\ and a\\nline',
        "# TYPE msdos_file_access_time_seconds gauge",
        'msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1458255915',
        "",
      ].join("\n"),
    );
  });

  test("of OpenMetrics names a counter's family without its ending, escapes quotes in help, and has an end", () => {
    expect(exposition([family({ help: 'a "b"' })], "openmetrics")).toBe(
      '# HELP things a \\"b\\"\n# TYPE things counter\nthings_total{name="x"} 1\n# EOF\n',
    );
  });

  test("of OpenMetrics has no counter without that ending", () => {
    const odd = family({ name: "container_memory_failcnt", samples: [{ labels: {}, value: 2 }] });
    expect(exposition([odd], "openmetrics")).toBe(
      "# HELP container_memory_failcnt Things.\n# TYPE container_memory_failcnt unknown\ncontainer_memory_failcnt 2\n# EOF\n",
    );
    expect(exposition([odd], "prometheus")).toContain("# TYPE container_memory_failcnt counter\n");
  });

  test("leaves out families without samples, and is nothing when there are none", () => {
    expect(exposition([family({ samples: [] })], "prometheus")).toBe("");
    expect(exposition([family({ samples: [] })], "openmetrics")).toBe("# EOF\n");
  });

  test.each([
    [0, "0"],
    [-0, "0"],
    [0.1, "0.1"],
    [2 ** 53, "9007199254740992"],
    [1e21, "1e+21"],
    [1e-9, "1e-9"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
    [Number.NaN, "NaN"],
  ])("writes the value %d as %s", (value, text) => {
    const [, , line] = exposition([family({ samples: [{ labels: {}, value }] })], "prometheus").split("\n");
    expect(line).toBe(`things_total ${text}`);
  });

  test.each(["", "1x", "a b", "a{", "a\n"])("takes no metric with the name %j", (name) => {
    expect(() => exposition([family({ name })], "prometheus")).toThrow(/is a name of a metric/);
  });

  test.each(["", "1x", "a:b", "__name__", 'a"', "a="])("takes no label with the name %j", (name) => {
    const samples = [{ labels: { [name]: "x" }, value: 1 }];
    expect(() => exposition([family({ samples })], "prometheus")).toThrow(/is a name of a label/);
  });

  test("says its type as collectors ask for it", () => {
    expect(EXPOSITION_TYPES.prometheus).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(EXPOSITION_TYPES.openmetrics).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
  });
});

/** As Prometheus's own parser reads it: by bytes, a line at a time. Throws where that would. */
function parse(text: string): Map<string, string>[] {
  const found: Map<string, string>[] = [];
  const lines = text.split("\n");
  expect(lines.pop()).toBe("");
  for (const line of lines) {
    if (line.startsWith("#")) continue;
    const match =
      /^[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:\\[\\n"]|[^\\"])*",?)*)\})? (\S+)$/su.exec(
        line,
      );
    if (match === null) throw new Error(`no sample: ${line}`);
    const labels = new Map<string, string>();
    for (const [, name, value] of (match[1] ?? "").matchAll(
      /([a-zA-Z_][a-zA-Z0-9_]*)="((?:\\[\\n"]|[^\\"])*)"/gsu,
    )) {
      labels.set(
        name!,
        value!.replace(/\\(.)/g, (_, char) => (char === "n" ? "\n" : char)),
      );
    }
    expect(Number.isNaN(Number(match[2]!.replace("+Inf", "1")))).toBe(false);
    found.push(labels);
  }
  return found;
}

test.each(["prometheus", "openmetrics"] as ExpositionFormat[])(
  "whatever a label or a help says, %s reads it as it was",
  (format) => {
    const hostile = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({
        unit: fc.constantFrom("\\", '"', "\n", "{", "}", ",", "=", " ", "#", "\r", "\0", "é", "\ud800"),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: hostile, image: hostile }), { minLength: 1, maxLength: 5 }),
        hostile,
        (all, help) => {
          const samples = all.map((labels) => ({ labels, value: 1 }));
          const text = exposition([family({ samples, help })], format);
          const read = parse(new TextDecoder().decode(new TextEncoder().encode(text)));
          expect(read.map((labels) => Object.fromEntries(labels))).toEqual(
            all.map(({ name, image }) => ({ name: name.toWellFormed(), image: image.toWellFormed() })),
          );
          // Nobody adds a line by what is said.
          expect(text.split("\n").length).toBe(2 + all.length + (format === "openmetrics" ? 1 : 0) + 1);
        },
      ),
    );
  },
);
