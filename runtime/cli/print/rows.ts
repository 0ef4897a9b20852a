/**
 * Prints a list as docker does: its own table, another template (`table {{.ID}}`), JSON, or ids only.
 * @see https://docs.docker.com/engine/cli/formatting/
 */
import { printableLines } from "../../core/format/printable.ts";
import { compileTemplate } from "../../core/template/execute.ts";
import type { Value } from "../../core/template/value.ts";
import type { Output } from "../context.ts";
import { unescapeFormat } from "./format-text.ts";
import { alignColumns } from "./table.ts";

export interface ListLayout {
  /** Of `table` alone: `{{.ID}}\t{{.Names}}`. */
  readonly table: string;
  /** Field to what stands over its column. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface ListOptions {
  /** `--format`; undefined is the table. */
  format: string | undefined;
  noHeading: boolean;
}

/** @throws TemplateError */
export function printRows(
  rows: readonly Value[],
  layout: ListLayout,
  options: ListOptions,
  output: Output,
): void {
  const { format = "table" } = options;
  const isTable = format.startsWith("table");
  const source = isTable
    ? format.slice("table".length).replace(/^(\s|\\t)+/, "") || layout.table
    : format === "json"
      ? "{{json .}}"
      : format;
  const template = compileTemplate(unescapeFormat(source));
  const lines = rows.map((row) => template.execute(row));
  if (isTable && !options.noHeading) lines.unshift(template.execute(new Map(Object.entries(layout.headers))));
  if (lines.length === 0) return;
  const text = `${lines.join("\n")}\n`;
  output.out(printableLines(isTable ? alignColumns(text) : text));
}
