/** `--device-read-bps` and its kin, and `--storage-opt`: limits of a container's files, as docker takes them. */
import { WpodError } from "../../core/error.ts";
import { parseSize } from "../../core/format/size.ts";
import type { Limits } from "../../engine/types.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";

const BYTE_RATES = { "device-read-bps": "readBps", "device-write-bps": "writeBps" } as const;
const OPERATION_RATES = { "device-read-iops": "readIops", "device-write-iops": "writeIops" } as const;

/** @throws WpodError USAGE */
export function parseRates(flags: ParsedFlags): Limits {
  const limits: Limits = {};
  for (const [flag, name] of Object.entries(BYTE_RATES)) {
    const rate = strictest(flags.list(flag).map((text) => bytesOf(flag, text)));
    if (rate !== undefined) limits[name] = rate;
  }
  for (const [flag, name] of Object.entries(OPERATION_RATES)) {
    const rate = strictest(flags.list(flag).map((text) => operationsOf(flag, text)));
    if (rate !== undefined) limits[name] = rate;
  }
  return limits;
}

/** What of the rates holds otherwise than docker's do. */
export function rateWarnings(flags: ParsedFlags): string[] {
  return [...Object.keys(BYTE_RATES), ...Object.keys(OPERATION_RATES)]
    .filter((flag) => flags.list(flag).some((text) => text.includes(":")))
    .map((flag) => `--${flag} holds for all files of the container together, whatever device it names`);
}

/** 0 is no limit, as without the flag. */
function strictest(rates: readonly number[]): number | undefined {
  const limits = rates.filter((rate) => rate > 0);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** What follows the path of a device, where there is one. */
function rateOf(flag: string, text: string, form: string): string {
  const colon = text.lastIndexOf(":");
  const path = text.slice(0, Math.max(colon, 0));
  if (colon >= 0 && !/^([A-Za-z]:)?[\\/]/.test(path)) throw invalidRate(flag, text, form);
  return text.slice(colon + 1);
}

function bytesOf(flag: string, text: string): number {
  const form = "a number with a unit, such as 10mb or /dev/sda:10mb";
  const rate = rateOf(flag, text, form);
  if (!/^\d/.test(rate)) throw invalidRate(flag, text, form);
  try {
    return parseSize(rate);
  } catch (error) {
    throw invalidRate(flag, text, form, error);
  }
}

function operationsOf(flag: string, text: string): number {
  const form = "a whole number, such as 1000 or /dev/sda:1000";
  const rate = rateOf(flag, text, form);
  const number = Number(rate);
  if (!/^\d+$/.test(rate) || !Number.isSafeInteger(number)) throw invalidRate(flag, text, form);
  return number;
}

function invalidRate(flag: string, text: string, form: string, cause?: unknown): WpodError {
  return new WpodError("USAGE", `invalid --${flag} ${JSON.stringify(text)}: it is ${form}`, { cause });
}

/** `size=`, as docker has it, and `inodes=`. @throws WpodError USAGE */
export function parseStorage(options: readonly string[]): Limits {
  const limits: Limits = {};
  for (const option of options) {
    const equals = option.indexOf("=");
    const name = equals < 0 ? option : option.slice(0, equals);
    const value = equals < 0 ? "" : option.slice(equals + 1);
    if (name === "size") limits.diskBytesMax = storageBytes(option, value);
    else if (name === "inodes") limits.inodesMax = storageInodes(option, value);
    else {
      throw new WpodError("USAGE", `invalid --storage-opt ${JSON.stringify(option)}: unknown option`, {
        hint: "it is size=BYTES or inodes=NUMBER",
      });
    }
  }
  return limits;
}

function storageBytes(option: string, value: string): number {
  try {
    const sizeBytes = parseSize(value);
    if (sizeBytes > 0) return sizeBytes;
  } catch {
    // The same is wrong with it.
  }
  throw new WpodError(
    "USAGE",
    `invalid --storage-opt ${JSON.stringify(option)}: a size is a number with a unit, such as 64m or 1g`,
  );
}

function storageInodes(option: string, value: string): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number > 0 && Number.isSafeInteger(number)) return number;
  throw new WpodError(
    "USAGE",
    `invalid --storage-opt ${JSON.stringify(option)}: inodes are a whole number from 1 on`,
  );
}
