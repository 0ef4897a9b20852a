/**
 * A JSON document from an image: bounded, valid UTF-8, and read field by field with a message that names the field.
 *
 * Objects of a document are only looked at with `Object.hasOwn`, so that a key called `__proto__` or `constructor` is a
 * key like any other, and nothing is taken from a prototype.
 */
import { WpodError } from "../error.ts";
import { DOCUMENT_BYTES_MAX } from "./limits.ts";

export type JsonObject = { readonly [key: string]: unknown };

/**
 * @param what names the document in messages: "the manifest sha256:..."
 * @throws WpodError IMAGE_INVALID when it is over 4 MiB, no UTF-8, no JSON, or not an object
 */
export function parseDocument(bytes: Uint8Array, what: string): JsonObject {
  const value = parseJson(bytes, what);
  if (!isObject(value)) throw invalid(`${what} is not a JSON object`);
  return value;
}

/** @throws WpodError IMAGE_INVALID when it is over 4 MiB, no UTF-8 or no JSON */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > DOCUMENT_BYTES_MAX) {
    throw invalid(`${what} has ${bytes.length} bytes; the most that is allowed is ${DOCUMENT_BYTES_MAX}`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new WpodError("IMAGE_INVALID", `${what} is not valid JSON`, { cause: error });
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own field; `null` counts as not there, as Go's decoder has it. */
export function field(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined;
}

export function stringField(object: JsonObject, key: string, what: string): string | undefined {
  const value = field(object, key);
  if (value === undefined || typeof value === "string") return value;
  throw invalid(`"${key}" of ${what} is not a string`);
}

export function objectField(object: JsonObject, key: string, what: string): JsonObject | undefined {
  const value = field(object, key);
  if (value === undefined || isObject(value)) return value;
  throw invalid(`"${key}" of ${what} is not an object`);
}

export function arrayField(object: JsonObject, key: string, what: string): readonly unknown[] | undefined {
  const value = field(object, key);
  if (value === undefined || Array.isArray(value)) return value;
  throw invalid(`"${key}" of ${what} is not a list`);
}

export function stringsField(object: JsonObject, key: string, what: string): string[] | undefined {
  const values = arrayField(object, key, what);
  if (values === undefined) return undefined;
  return values.map((value) => {
    if (typeof value === "string") return value;
    throw invalid(`"${key}" of ${what} holds something that is not a string`);
  });
}

/** Own keys with string values, in an object without a prototype. */
export function stringMapField(
  object: JsonObject,
  key: string,
  what: string,
): Record<string, string> | undefined {
  const values = objectField(object, key, what);
  if (values === undefined) return undefined;
  const map: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== "string") {
      throw invalid(`${JSON.stringify(name.slice(0, 100))} in "${key}" of ${what} is not a string`);
    }
    map[name] = value;
  }
  return map;
}

export function invalid(message: string): WpodError {
  return new WpodError("IMAGE_INVALID", message);
}
