/**
 * Sizes as docker reads and prints them.
 * @see https://pkg.go.dev/github.com/docker/go-units
 */
import { WpodError } from "../error.ts";

const LETTERS = ["", "k", "m", "g", "t", "p"];
const DECIMAL_UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
/** What is printed of a size. */
const DIGITS = 4;
const DECIMAL_DIGITS = 3;

/**
 * `512m`, `1g`, `1.5GiB`, `65536`: units are powers of 1024.
 * @throws WpodError USAGE
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  const sizeBytes =
    match === null
      ? Number.NaN
      : Math.floor(Number(match[1]) * 1024 ** LETTERS.indexOf(match[2]!.toLowerCase()));
  if (!Number.isSafeInteger(sizeBytes)) {
    throw new WpodError("USAGE", `invalid size: '${text}'`, {
      hint: "a size looks like 65536, 512k, 64m or 1g",
    });
  }
  return sizeBytes;
}

/** `12.3kB`, in powers of 1000: sizes of images and files. */
export function decimalSize(sizeBytes: number): string {
  return human(sizeBytes, 1000, DECIMAL_UNITS, DECIMAL_DIGITS);
}

/** `64MiB`, in powers of 1024: memory. */
export function binarySize(sizeBytes: number): string {
  return human(sizeBytes, 1024, BINARY_UNITS, DIGITS);
}

function human(sizeBytes: number, base: number, units: readonly string[], digits: number): string {
  let size = sizeBytes;
  let unit = 0;
  while (size >= base && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  return `${significant(size, digits)}${units[unit]}`;
}

/** Go's `%.Ng`: so many significant digits, no zeros behind them, an exponent where there are more before the point. */
function significant(value: number, digits: number): string {
  const exponent = value === 0 ? 0 : Number(value.toExponential(digits - 1).split("e")[1]);
  if (exponent < digits) return String(Number(value.toPrecision(digits)));
  const [mantissa, power] = value.toExponential(digits - 1).split("e") as [string, string];
  return `${Number(mantissa)}e+${power.slice(1).padStart(2, "0")}`;
}
