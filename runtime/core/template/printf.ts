/**
 * Go's `printf`, for the values that templates have.
 * @see https://pkg.go.dev/fmt#hdr-Printing
 */
import {
  fieldsOf,
  isMap,
  isSlice,
  isStruct,
  print,
  sortedKeys,
  toJson,
  typeName,
  type Value,
} from "./value.ts";

/** A width that is asked for may fill memory. */
const WIDTH_MAX = 10_000;

export function printf(format: string, values: readonly Value[]): string {
  let next = 0;
  const text = format.replace(
    /%([-+ #0]*)(\d+|\*)?(?:\.(\d+)?)?(.)?/gsu,
    (
      whole,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      verb: string | undefined,
    ) => {
      if (verb === undefined) return "%!(NOVERB)";
      if (verb === "%") return "%";
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const value = values[next++];
      const digits = whole.includes(".") ? Number(precision ?? 0) : undefined;
      return padded(convert(verb, flags, digits, value), flags, Number(width ?? 0), value);
    },
  );
  if (next >= values.length) return text;
  const extra = values
    .slice(next)
    .map((value) => (value == null ? "<nil>" : `${typeName(value)}=${print(value)}`));
  return `${text}%!(EXTRA ${extra.join(", ")})`;
}

function convert(verb: string, flags: string, precision: number | undefined, value: Value): string {
  const wrong = () =>
    value === undefined || value === null
      ? `%!${verb}(<nil>)`
      : `%!${verb}(${typeName(value)}=${print(value)})`;
  switch (verb) {
    case "v":
      return flags.includes("#") ? goSyntax(value) : signed(print(value), flags, value);
    case "T":
      return typeName(value);
    case "t":
      return typeof value === "boolean" ? String(value) : wrong();
    case "s":
      return (
        eachText(value, (text) =>
          precision === undefined ? text : [...text].slice(0, precision).join(""),
        ) ?? wrong()
      );
    case "q":
      if (isInteger(value)) return `'${String.fromCodePoint(Number(value))}'`;
      return eachText(value, quote) ?? wrong();
    case "x":
    case "X": {
      const hex = isInteger(value)
        ? BigInt(value).toString(16)
        : eachText(value, (text) =>
            [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
          );
      return hex === undefined ? wrong() : verb === "X" ? hex.toUpperCase() : hex;
    }
    case "d":
    case "b":
    case "o": {
      const radix = { d: 10, b: 2, o: 8 }[verb];
      if (isSlice(value)) return `[${value.map((item) => convert(verb, flags, precision, item)).join(" ")}]`;
      return isInteger(value) ? signed(BigInt(value).toString(radix), flags, value) : wrong();
    }
    case "c":
      return isInteger(value) ? String.fromCodePoint(Number(value)) : wrong();
    case "f":
    case "F":
    case "e":
    case "g":
      // An integer without fraction is an int to us, and Go refuses those.
      if (typeof value !== "number" || Number.isInteger(value)) return wrong();
      if (verb === "e")
        return signed(value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, "e$10$2"), flags, value);
      return signed(verb === "g" ? print(value) : fixed(value, precision ?? 6), flags, value);
    default:
      return wrong();
  }
}

/** Halves go to the even digit, as IEEE 754 and Go have it; `toFixed` moves them away from zero. */
function fixed(value: number, digits: number): string {
  const scaled = value * 10 ** digits;
  const isHalf = Math.abs(scaled % 1) === 0.5 && scaled / 10 ** digits === value;
  if (!isHalf) return value.toFixed(digits);
  const below = Math.floor(scaled);
  return ((below % 2 === 0 ? below : below + 1) / 10 ** digits).toFixed(digits);
}

function eachText(value: Value, convertText: (text: string) => string): string | undefined {
  if (typeof value === "string") return convertText(value);
  if (!isSlice(value)) return undefined;
  const parts = value.map((item) => eachText(item, convertText));
  return parts.includes(undefined) ? undefined : `[${parts.join(" ")}]`;
}

function isInteger(value: Value): value is number | bigint {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
}

function signed(text: string, flags: string, value: Value): string {
  const isPositive = (typeof value === "number" || typeof value === "bigint") && value >= 0;
  if (!isPositive) return text;
  return flags.includes("+") ? `+${text}` : flags.includes(" ") ? ` ${text}` : text;
}

function padded(text: string, flags: string, width: number, value: Value): string {
  const missing = Math.min(width, WIDTH_MAX) - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (!flags.includes("0")) return " ".repeat(missing) + text;
  const sign = typeof value !== "string" && /^[+-]/.test(text) ? text[0]! : "";
  return sign + "0".repeat(missing) + text.slice(sign.length);
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /\\u00([0-9a-f]{2})/g,
    (_, hex) => ({ "07": "\\a", "0b": "\\v" })[hex as string] ?? `\\x${hex}`,
  );
}

function goSyntax(value: Value): string {
  if (value === undefined || value === null) return "<nil>";
  if (typeof value === "string") return quote(value);
  if (isSlice(value)) return `${typeName(value)}{${value.map(goSyntax).join(", ")}}`;
  if (isMap(value))
    return `${typeName(value)}{${sortedKeys(value)
      .map((key) => `${quote(key)}:${goSyntax(value.get(key))}`)
      .join(", ")}}`;
  if (isStruct(value))
    return `${typeName(value).replace(/^\*/, "&")}{${fieldsOf(value)
      .map(([key, item]) => `${key}:${goSyntax(item)}`)
      .join(", ")}}`;
  return toJson(value);
}
