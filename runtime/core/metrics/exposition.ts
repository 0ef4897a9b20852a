/**
 * Metrics as text, in the two formats that collectors ask for.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/open_metrics_spec/
 */
import { assert } from "../error.ts";

export interface MetricFamily {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  /** By name. A value may be any text. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type ExpositionFormat = "prometheus" | "openmetrics";

/** What the answer to a collector says that it is. */
export const EXPOSITION_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const TOTAL = "_total";

/** Families without samples are left out. */
export function exposition(families: readonly MetricFamily[], format: ExpositionFormat): string {
  const texts = families
    .filter(({ samples }) => samples.length > 0)
    .map((family) => familyText(family, format));
  return texts.join("") + (format === "openmetrics" ? "# EOF\n" : "");
}

function familyText({ name, type, help, samples }: MetricFamily, format: ExpositionFormat): string {
  assert(METRIC_NAME.test(name), `${name} is a name of a metric`);
  const head = format === "openmetrics" ? openMetricsHead(name, type) : { name, type };
  const lines = [
    `# HELP ${head.name} ${format === "openmetrics" ? escapeValue(help) : escapeHelp(help)}`,
    `# TYPE ${head.name} ${head.type}`,
    ...samples.map(({ labels, value }) => `${name}${labelsText(labels)} ${numberText(value)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** There a counter's family is named without the ending that its samples have; what hasn't that ending is no counter. */
function openMetricsHead(name: string, type: MetricFamily["type"]): { name: string; type: string } {
  if (type !== "counter") return { name, type };
  return name.endsWith(TOTAL) ? { name: name.slice(0, -TOTAL.length), type } : { name, type: "unknown" };
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => {
    assert(LABEL_NAME.test(name), `${name} is a name of a label`);
    return `${name}="${escapeValue(value)}"`;
  });
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escapeHelp(text: string): string {
  return text.toWellFormed().replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
