/** What a volume may hold, as its options say: `size` and `inodes`, which docker's and podman's own driver have too. */
import { WpodError } from "../error.ts";
import { parseSize } from "../format/size.ts";

export interface VolumeLimits {
  /** Undefined: the engine's default. */
  bytesMax: number | undefined;
  inodesMax: number | undefined;
}

/** Of the same driver: they say what is mounted. */
const LATER = new Set(["type", "device", "copy", "nocopy", "uid", "gid", "mode", "timeout"]);

/** @throws WpodError USAGE, UNSUPPORTED */
export function parseVolumeLimits(options: Readonly<Record<string, string>>): VolumeLimits {
  const limits: VolumeLimits = { bytesMax: undefined, inodesMax: undefined };
  for (const [name, value] of Object.entries(options)) {
    if (name === "size") limits.bytesMax = bytesOf(value);
    else if (name === "inodes") limits.inodesMax = inodesOf(value);
    else if (LATER.has(name)) {
      throw new WpodError("UNSUPPORTED", `the volume option ${JSON.stringify(name)} is not supported yet`, {
        hint: "wpod keeps volumes under its root, and mounts no devices or shares: it can be size or inodes",
      });
    } else {
      throw new WpodError("USAGE", `invalid volume option ${JSON.stringify(name)}: it is size or inodes`);
    }
  }
  return limits;
}

function bytesOf(value: string): number {
  try {
    const sizeBytes = parseSize(value);
    if (sizeBytes > 0) return sizeBytes;
  } catch {
    // The same is wrong with it.
  }
  throw new WpodError(
    "USAGE",
    `invalid volume option size=${value}: a size is a number with a unit, such as 64m or 1g`,
  );
}

function inodesOf(value: string): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number > 0 && Number.isSafeInteger(number)) return number;
  throw new WpodError("USAGE", `invalid volume option inodes=${value}: inodes are a whole number from 1 on`);
}
