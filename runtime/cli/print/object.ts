/** Prints one thing, or a list of things, as JSON or through a template: `inspect`, `version`, `info`. */
import { printableLines } from "../../core/format/printable.ts";
import { compileTemplate, type TemplateOptions } from "../../core/template/execute.ts";
import { fromJson } from "../../core/template/value.ts";
import { unescapeFormat } from "./format-text.ts";

const INDENT = 4;

/** Indented as docker does. What a terminal could take for a command is escaped: it is the same JSON. */
export function toText(data: unknown): string {
  return `${escapeMarks(JSON.stringify(data, null, INDENT))}\n`;
}

/** @throws TemplateError */
export function formatObject(data: unknown, format: string, options: TemplateOptions = {}): string {
  if (format === "json") return `${escapeMarks(JSON.stringify(data))}\n`;
  const template = compileTemplate(unescapeFormat(format), options);
  return printableLines(`${template.execute(fromJson(data))}\n`);
}

/** DEL, C1 controls and marks of direction: JSON.stringify leaves them as they are. */
function escapeMarks(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
