/**
 * The functions of templates: Go's own, and those that docker adds.
 * @see https://pkg.go.dev/text/template#hdr-Functions
 * @see https://docs.docker.com/engine/cli/formatting/
 */
import { printf } from "./printf.ts";
import { isMap, isSlice, isStruct, isTrue, print, toJson, typeName, type Value } from "./value.ts";

type Parameter = "any" | "string" | "int" | "strings";

export interface TemplateFunction {
  readonly parameters: readonly Parameter[];
  /** The last parameter may come any number of times, none included. */
  readonly variadic?: boolean;
  call(...values: Value[]): Value;
}

/** Becomes `error calling NAME: ...`. */
export class CallError extends Error {}

const upper = (text: string) => text.toUpperCase();
const any = ["any"] as const;

export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  // `and` and `or` stop at what decides: the evaluator knows them.
  [
    "and",
    {
      parameters: ["any", "any"],
      variadic: true,
      call: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
    },
  ],
  [
    "or",
    { parameters: ["any", "any"], variadic: true, call: (...values) => values.find(isTrue) ?? values.at(-1) },
  ],
  ["not", { parameters: any, call: (value) => !isTrue(value) }],
  ["len", { parameters: any, call: length }],
  [
    "index",
    { parameters: ["any", "any"], variadic: true, call: (item, ...keys) => keys.reduce(index, item) },
  ],
  ["slice", { parameters: ["any", "any"], variadic: true, call: slice }],
  ["print", { parameters: any, variadic: true, call: (...values) => sprint(values) }],
  [
    "println",
    {
      parameters: any,
      variadic: true,
      call: (...values) => `${values.map((value) => print(value)).join(" ")}\n`,
    },
  ],
  [
    "printf",
    {
      parameters: ["string", "any"],
      variadic: true,
      call: (format, ...values) => printf(format as string, values),
    },
  ],
  ["html", { parameters: any, variadic: true, call: (...values) => html(textOf(values)) }],
  ["js", { parameters: any, variadic: true, call: (...values) => js(textOf(values)) }],
  ["urlquery", { parameters: any, variadic: true, call: (...values) => urlquery(textOf(values)) }],
  ["eq", { parameters: ["any", "any"], variadic: true, call: equalsAny }],
  ["ne", { parameters: ["any", "any"], call: (left, right) => !equals(left, right) }],
  ["lt", { parameters: ["any", "any"], call: (left, right) => compare(left, right) < 0 }],
  ["le", { parameters: ["any", "any"], call: (left, right) => compare(left, right) <= 0 }],
  ["gt", { parameters: ["any", "any"], call: (left, right) => compare(left, right) > 0 }],
  ["ge", { parameters: ["any", "any"], call: (left, right) => compare(left, right) >= 0 }],

  ["json", { parameters: any, call: toJson }],
  [
    "split",
    {
      parameters: ["string", "string"],
      call: (text, separator) => split(text as string, separator as string),
    },
  ],
  [
    "join",
    {
      parameters: ["strings", "string"],
      call: (items, separator) => (items as string[]).join(separator as string),
    },
  ],
  [
    "title",
    { parameters: ["string"], call: (text) => (text as string).replace(/(?<![\p{L}\p{N}_])\p{L}/gu, upper) },
  ],
  ["lower", { parameters: ["string"], call: (text) => (text as string).toLowerCase() }],
  ["upper", { parameters: ["string"], call: (text) => upper(text as string) }],
  ["pad", { parameters: ["string", "int", "int"], call: pad }],
  [
    "truncate",
    {
      parameters: ["string", "int"],
      call: (text, size) => [...(text as string)].slice(0, Number(size)).join(""),
    },
  ],
]);

function length(value: Value): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (isSlice(value)) return value.length;
  if (isMap(value)) return value.size;
  if (value === undefined || value === null) throw new CallError("len of nil pointer");
  throw new CallError(`len of type ${typeName(value)}`);
}

function index(item: Value, key: Value): Value {
  if (item === undefined || item === null) throw new CallError("index of untyped nil");
  if (isMap(item)) {
    if (typeof key !== "string") throw new CallError(`value has type ${typeName(key)}; should be string`);
    return item.get(key);
  }
  if (isSlice(item) || typeof item === "string") {
    const count = typeof item === "string" ? length(item) : item.length;
    const at = toIndex(key, Number.POSITIVE_INFINITY);
    if (at >= count) {
      throw new CallError(`reflect: ${typeof item === "string" ? "string" : "slice"} index out of range`);
    }
    return typeof item === "string" ? new TextEncoder().encode(item)[at] : item[at];
  }
  throw new CallError(`can't index item of type ${typeName(item)}`);
}

function slice(item: Value, ...bounds: Value[]): Value {
  if (item === undefined || item === null) throw new CallError("slice of untyped nil");
  if (bounds.length > 3) throw new CallError(`too many slice indexes: ${bounds.length}`);
  if (typeof item === "string") {
    if (bounds.length === 3) throw new CallError("cannot 3-index slice a string");
    const bytes = new TextEncoder().encode(item);
    const [start, end] = range(bounds, bytes.length);
    return new TextDecoder().decode(bytes.subarray(start, end));
  }
  if (!isSlice(item)) throw new CallError(`can't slice item of type ${typeName(item)}`);
  return item.slice(...range(bounds, item.length));
}

function range(bounds: readonly Value[], count: number): [number, number] {
  const start = bounds[0] === undefined ? 0 : toIndex(bounds[0], count);
  const end = bounds[1] === undefined ? count : toIndex(bounds[1], count);
  if (start > end) throw new CallError(`invalid slice index: ${start} > ${end}`);
  return [start, end];
}

function toIndex(key: Value, max: number): number {
  if (key === undefined || key === null) throw new CallError("cannot index slice/array with nil");
  if (
    (typeof key !== "number" && typeof key !== "bigint") ||
    (typeof key === "number" && !Number.isInteger(key))
  ) {
    throw new CallError(`cannot index slice/array with type ${typeName(key)}`);
  }
  if (key < 0 || key > max) throw new CallError(`index out of range: ${key}`);
  return Number(key);
}

/** Go's Sprint: a space between two that are not strings. */
function sprint(values: readonly Value[]): string {
  let text = "";
  for (const [at, value] of values.entries()) {
    if (at > 0 && typeof value !== "string" && typeof values[at - 1] !== "string") text += " ";
    text += print(value);
  }
  return text;
}

function textOf(values: readonly Value[]): string {
  return values.length === 1 && typeof values[0] === "string" ? values[0] : sprint(values);
}

function html(text: string): string {
  const escapes: Readonly<Record<string, string>> = {
    '"': "&#34;",
    "'": "&#39;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "\0": "\ufffd",
  };
  return text.replace(/["'&<>]|\p{Cc}/gu, (character) => escapes[character] ?? character);
}

function js(text: string): string {
  const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "'": "\\'", '"': '\\"' };
  return text.replace(
    /[\\'"<>&=]|\p{Cc}/gu,
    (character) =>
      escapes[character] ?? `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`,
  );
}

function urlquery(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

function equalsAny(first: Value, ...others: Value[]): boolean {
  if (others.length === 0) throw new CallError("missing argument for comparison");
  return others.some((other) => equals(first, other));
}

function basicKind(value: Value): "nil" | "bool" | "int" | "float" | "string" | "other" {
  if (value === undefined || value === null) return "nil";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return "other";
}

function equals(left: Value, right: Value): boolean {
  const kinds = [basicKind(left), basicKind(right)];
  if (kinds[0] === "nil" || kinds[1] === "nil") return kinds[0] === kinds[1];
  if (isSlice(left) || isMap(left))
    throw new CallError(`non-comparable type ${print(left)}: ${typeName(left)}`);
  if (isSlice(right) || isMap(right))
    throw new CallError(`non-comparable type ${print(right)}: ${typeName(right)}`);
  if (kinds[0] !== kinds[1]) throw incompatible(left, right);
  // biome-ignore lint/suspicious/noDoubleEquals: an int may be a number or a bigint
  return isStruct(left) ? left === right : left == right;
}

function compare(left: Value, right: Value): number {
  const kinds = [basicKind(left), basicKind(right)];
  if (["nil", "bool", "other"].includes(kinds[0]!) || ["nil", "bool", "other"].includes(kinds[1]!)) {
    throw new CallError("invalid type for comparison");
  }
  if (kinds[0] !== kinds[1]) throw incompatible(left, right);
  return left! < right! ? -1 : left! > right! ? 1 : 0;
}

function incompatible(left: Value, right: Value): CallError {
  return new CallError(`incompatible types for comparison: ${typeName(left)} and ${typeName(right)}`);
}

/** Go's strings.Split: an empty separator cuts between characters. */
function split(text: string, separator: string): string[] {
  return separator === "" ? [...text] : text.split(separator);
}

function pad(text: Value, before: Value, after: Value): Value {
  if (text === "") return text;
  return " ".repeat(Math.max(0, Number(before))) + text + " ".repeat(Math.max(0, Number(after)));
}
