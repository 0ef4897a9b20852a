/**
 * `--mount type=bind,source=/host,target=/container,readonly`, and volumes and tmpfs: a line of CSV.
 * @see https://docs.docker.com/reference/cli/docker/container/run/#mount
 */
import { WpodError } from "../../core/error.ts";
import { parseSize } from "../../core/format/size.ts";
import type { MountSpec } from "../../engine/types.ts";
import { hostPath, parseMode } from "./volume.ts";

const LATER_TYPES = new Set(["image", "npipe", "cluster", "glob", "devpts", "ramfs"]);
/** There is one way only, which they name, or they have no meaning without a kernel's mounts. */
const HARMLESS = new Map([
  ["consistency", ["consistent", "cached", "delegated", "default"]],
  ["bind-propagation", ["private", "rprivate"]],
]);

/** @throws WpodError MOUNT_INVALID; UNSUPPORTED for types that come later */
export function parseMount(
  text: string,
  directory: string,
  windows = process.platform === "win32",
): MountSpec {
  const fields = new Map<string, string | undefined>();
  for (const field of csvFields(text)) {
    const equals = field.indexOf("=");
    const name = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const key = { src: "source", destination: "target", dst: "target", ro: "readonly" }[name] ?? name;
    if (equals < 0 && key !== "readonly" && key !== "volume-nocopy")
      throw invalid(text, `invalid field '${field}' must be a key=value pair`);
    fields.set(key, equals < 0 ? undefined : field.slice(equals + 1));
  }
  const type = fields.get("type") ?? "volume";
  if (LATER_TYPES.has(type)) {
    throw new WpodError("UNSUPPORTED", `--mount ${text}: mounts of type ${type} are not supported yet`, {
      hint: "type can be bind, volume or tmpfs",
    });
  }
  if (type !== "bind" && type !== "tmpfs" && type !== "volume")
    throw invalid(text, `invalid mount type '${type}'`);
  const target = fields.get("target");
  if (target === undefined || target === "") throw invalid(text, "target is required");
  const mount: MountSpec = { type, target };
  for (const [key, value] of fields) readField(mount, key, value, { text, directory, windows });
  if (type === "bind" && mount.source === undefined)
    throw invalid(text, "source is required for a bind mount");
  return mount;
}

interface Where {
  text: string;
  directory: string;
  windows: boolean;
}

function readField(mount: MountSpec, key: string, value: string | undefined, where: Where): void {
  const { text } = where;
  if (key === "type" || key === "target") return;
  if (key === "readonly") {
    mount.readOnly = toBoolean(value ?? "true", text);
  } else if (key === "source" && mount.type === "bind") {
    if (!value) throw invalid(text, "source is required for a bind mount");
    const path = hostPath(value, where.directory, where.windows);
    if (path === undefined) {
      throw invalid(text, `invalid mount path: '${value}' mount path must be absolute`);
    }
    mount.source = path;
  } else if (key === "source" && mount.type === "volume") {
    // None is a volume without a name, as in docker.
    if (value) mount.source = value;
  } else if (key === "volume-nocopy" && mount.type === "volume") {
    mount.noCopy = toBoolean(value ?? "true", text);
  } else if (key === "tmpfs-size" && mount.type === "tmpfs" && value !== undefined) {
    mount.sizeBytesMax = parseSize(value);
  } else if (key === "tmpfs-mode" && mount.type === "tmpfs" && value !== undefined) {
    mount.mode = parseMode(value, `--mount ${text}`);
  } else if (HARMLESS.has(key)) {
    if (!HARMLESS.get(key)!.includes(value ?? "")) throw invalid(text, `${key}=${value} is not supported`);
  } else {
    throw invalid(text, `unexpected key '${key}' for type ${mount.type}`);
  }
}

function toBoolean(value: string, text: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(text, `invalid value for readonly: ${value}`);
}

/** The fields of one line. @see https://www.rfc-editor.org/rfc/rfc4180#section-2 */
function csvFields(line: string): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = field.exec(line);
    if (match === null) throw invalid(line, "its quotes don't match");
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === "") return fields;
  }
}

function invalid(text: string, why: string): WpodError {
  return new WpodError(
    "MOUNT_INVALID",
    `invalid argument ${JSON.stringify(text)} for "--mount" flag: ${why}`,
  );
}
