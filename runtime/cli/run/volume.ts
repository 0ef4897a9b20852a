/** `-v HOST:CONTAINER[:OPTIONS]` and `--tmpfs PATH[:OPTIONS]`. */
import { resolve } from "node:path";
import { WpodError } from "../../core/error.ts";
import { parseSize } from "../../core/format/size.ts";
import type { MountSpec } from "../../engine/types.ts";

/** Nothing to do for them: there is no SELinux between wpod and the file, no cache, and no daemon to share with. */
const VOLUME_HARMLESS = new Set(["rw", "z", "Z", "cached", "delegated", "consistent", "private", "rprivate"]);
const TMPFS_HARMLESS = new Set([
  "rw",
  "exec",
  "noexec",
  "suid",
  "nosuid",
  "dev",
  "nodev",
  "relatime",
  "noatime",
]);

/**
 * @param windows whether `C:\data` and `C:/data` are paths; elsewhere the colon separates
 * @param directory what `./data` is relative to
 * @throws WpodError MOUNT_INVALID
 */
export function parseVolume(
  text: string,
  directory: string,
  windows = process.platform === "win32",
): MountSpec {
  const [source, target, options, ...rest] = split(text, windows);
  if (target === undefined) {
    if (source === "") throw invalid("container directory cannot be empty");
    return { type: "volume", target: source! };
  }
  if (rest.length > 0) throw invalid(`incorrect volume format, should be host-dir:ctr-dir[:option]: ${text}`);
  if (source === "") throw invalid("host directory cannot be empty");
  if (target === "") throw invalid("container directory cannot be empty");
  const path = hostPath(source!, directory, windows);
  const given = parseOptions(options, text, path === undefined);
  return path === undefined
    ? { type: "volume", source: source!, target, ...given }
    : { type: "bind", source: path, target, ...given };
}

/** @throws WpodError MOUNT_INVALID, USAGE */
export function parseTmpfs(text: string): MountSpec {
  const colon = text.indexOf(":");
  const mount: MountSpec = { type: "tmpfs", target: colon < 0 ? text : text.slice(0, colon) };
  for (const option of colon < 0 ? [] : text.slice(colon + 1).split(",")) {
    const [name = "", value] = splitOnce(option, "=");
    if (name === "ro") mount.readOnly = true;
    else if (name === "size" && value !== undefined) mount.sizeBytesMax = parseSize(value);
    else if (name === "nr_inodes" && value !== undefined) mount.inodesMax = parseInodes(value, text);
    else if (name === "mode" && value !== undefined) mount.mode = parseMode(value, `--tmpfs ${text}`);
    else if (!TMPFS_HARMLESS.has(name) || value !== undefined) {
      throw invalid(`--tmpfs ${text}: unknown option ${JSON.stringify(option)}`);
    }
  }
  return mount;
}

/** As a size is written. @see tmpfs(5) */
function parseInodes(value: string, text: string): number {
  const inodes = /^\d+[kmg]?$/i.test(value) ? parseSize(value) : 0;
  if (inodes > 0) return inodes;
  throw invalid(`--tmpfs ${text}: invalid nr_inodes ${JSON.stringify(value)}, it is a number from 1 on`);
}

/** Octal, as chmod(1) takes it. */
export function parseMode(text: string, where: string): number {
  if (!/^[0-7]{1,5}$/.test(text) || Number.parseInt(text, 8) > 0o7777) {
    throw invalid(`${where}: invalid mode ${JSON.stringify(text)}, it is octal: 1777`);
  }
  return Number.parseInt(text, 8);
}

/** An absolute path of the host. Only what begins with a dot is relative: a plain word names a volume, and is undefined here. */
export function hostPath(source: string, directory: string, windows: boolean): string | undefined {
  const absolute = windows ? /^([A-Za-z]:)?[\\/]/.test(source) : source.startsWith("/");
  if (absolute) return source;
  return /^\.{1,2}([\\/]|$)/.test(source) ? resolve(directory, source) : undefined;
}

function split(text: string, windows: boolean): (string | undefined)[] {
  const drive = windows ? (/^[A-Za-z]:(?=[\\/])/.exec(text)?.[0] ?? "") : "";
  const [first = "", ...rest] = text.slice(drive.length).split(":");
  return [drive + first, ...rest];
}

function parseOptions(
  options: string | undefined,
  text: string,
  isVolume: boolean,
): Pick<MountSpec, "readOnly" | "noCopy"> {
  const given = options === undefined ? [] : options.split(",");
  for (const option of given) {
    if (option === "nocopy" && isVolume) continue;
    if (option !== "ro" && !VOLUME_HARMLESS.has(option)) {
      throw invalid(`-v ${text}: invalid option ${JSON.stringify(option)}, it can be ro or rw`);
    }
  }
  if (given.includes("ro") && given.includes("rw")) throw invalid(`-v ${text}: it can't be both ro and rw`);
  const readOnly = given.includes("ro");
  return given.includes("nocopy") ? { readOnly, noCopy: true } : { readOnly };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + separator.length)];
}

function invalid(message: string): WpodError {
  return new WpodError("MOUNT_INVALID", message);
}
