/**
 * What templates work on, and how Go prints it.
 *
 * Go's types are told apart so: `undefined` is no value, `null` is nil, a number or bigint without fraction is an int, an
 * array a slice, a `Map` a map with string keys, any other object a struct: a field that it hasn't is an error.
 */

export type Value =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Value[]
  | ValueMap
  | Struct;
export type ValueMap = ReadonlyMap<string, Value>;
export interface Struct {
  readonly [field: string]: Value | Method;
}
/** `{{.Label "name"}}`: called with what follows it, neither printed nor in JSON. */
export type Method = (...values: Value[]) => Value;

/** What is printed of a struct: all but its methods. */
export function fieldsOf(value: Struct): [string, Value][] {
  return Object.entries(value).filter((entry): entry is [string, Value] => typeof entry[1] !== "function");
}

/** Names the Go type of a struct, for messages; not a field. */
const typeNames = new WeakMap<object, string>();

/** Marks an object as a struct of this type: `*formatter.ContainerContext`. */
export function struct<T extends object>(typeName: string, fields: T): T {
  typeNames.set(fields, typeName);
  return fields;
}

export function isMap(value: Value): value is ValueMap {
  return value instanceof Map;
}

export function isSlice(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isStruct(value: Value): value is Struct {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map);
}

export function typeName(value: Value): string {
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return Number.isInteger(value) ? "int" : "float64";
    case "undefined":
      return "<nil>";
    default:
      if (value === null) return "interface {}";
      if (isSlice(value))
        return value.length > 0 && value.every((item) => typeof item === "string")
          ? "[]string"
          : "[]interface {}";
      if (isMap(value)) return "map[string]interface {}";
      return typeNames.get(value) ?? "struct";
  }
}

/** What `if`, `and`, `or`, `not` take for true. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null) return false;
  if (isSlice(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  return isStruct(value) || Boolean(value);
}

/** Go's `%v`. @param outermost what an action prints: no value is said so there */
export function print(value: Value, outermost = false): string {
  if (value === undefined || value === null) return outermost ? "<no value>" : "<nil>";
  if (typeof value === "number") return printNumber(value);
  if (isSlice(value)) return `[${value.map((item) => print(item)).join(" ")}]`;
  if (isMap(value))
    return `map[${sortedKeys(value)
      .map((key) => `${key}:${print(value.get(key))}`)
      .join(" ")}]`;
  if (isStruct(value))
    return `{${fieldsOf(value)
      .map(([, item]) => print(item))
      .join(" ")}}`;
  return String(value);
}

/** Of a float as Go's `%v`: the shortest that reads back the same, an exponent below 1e-4 and from 1e21 on. */
function printNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

export function sortedKeys(map: ValueMap): string[] {
  return [...map.keys()].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}

/** Go's `encoding/json`, keys of maps in order, without its escapes for HTML. */
export function toJson(value: Value): string {
  if (value === undefined || value === null) return "null";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string") {
    return JSON.stringify(value).replace(
      /[\u2028\u2029]/g,
      (mark) => `\\u${mark.charCodeAt(0).toString(16)}`,
    );
  }
  if (isSlice(value)) return `[${value.map(toJson).join(",")}]`;
  if (isMap(value)) {
    return `{${sortedKeys(value)
      .map((key) => `${toJson(key)}:${toJson(value.get(key))}`)
      .join(",")}}`;
  }
  if (isStruct(value)) {
    return `{${fieldsOf(value)
      .map(([key, item]) => `${toJson(key)}:${toJson(item)}`)
      .join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Plain data, such as parsed JSON, as maps and slices: what `inspect` shows has no fixed fields. */
export function fromJson(data: unknown): Value {
  if (Array.isArray(data)) return data.map(fromJson);
  if (typeof data === "object" && data !== null) {
    return new Map(Object.entries(data).map(([key, item]) => [key, fromJson(item)]));
  }
  return data as Value;
}
