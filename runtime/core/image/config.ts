/**
 * The config of an image: what runs in it, with what, and which layers it has. Read into known fields only, so that
 * what is kept is what was checked.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md
 */
import { type Digest, parseDigest } from "./digest.ts";
import {
  arrayField,
  field,
  invalid,
  isObject,
  type JsonObject,
  objectField,
  parseDocument,
  stringField,
  stringMapField,
  stringsField,
} from "./document.ts";
import { LAYERS_MAX } from "./limits.ts";
import type { Platform } from "./platform.ts";

export interface ImageConfig {
  created?: string;
  author?: string;
  architecture?: string;
  os?: string;
  variant?: string;
  config?: ContainerConfig;
  rootfs?: { type: string; diff_ids: string[] };
  history?: HistoryEntry[];
}

/** Spelled as in the document: Go's names. */
export interface ContainerConfig {
  User?: string;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  ExposedPorts?: Record<string, object>;
  StopSignal?: string;
}

export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

export interface ParsedConfig {
  config: ImageConfig;
  /** Of the uncompressed layers, lowest first. */
  diffIds: readonly Digest[];
  platform: Platform;
  createdMs: number | undefined;
}

/** Lines of history; docker writes one an instruction. */
const HISTORY_MAX = 4096;

/**
 * @param what names the document in messages: "config sha256:..."
 * @throws WpodError IMAGE_INVALID
 */
export function parseConfig(bytes: Uint8Array, what: string): ParsedConfig {
  const document = parseDocument(bytes, what);
  const rootfs = objectField(document, "rootfs", what);
  if (rootfs === undefined) throw invalid(`${what} has no "rootfs"`);
  if (field(rootfs, "type") !== "layers") throw invalid(`"rootfs" of ${what} is not of the type "layers"`);
  const diffIds = (arrayField(rootfs, "diff_ids", what) ?? []).map((value, index) =>
    parseDigest(value, `diff_id ${index + 1} of ${what}`),
  );
  if (diffIds.length > LAYERS_MAX)
    throw invalid(`${what} has ${diffIds.length} layers; at most ${LAYERS_MAX}`);

  const config: ImageConfig = { rootfs: { type: "layers", diff_ids: [...diffIds] } };
  for (const key of ["created", "author", "architecture", "os", "variant"] as const) {
    const value = stringField(document, key, what);
    if (value !== undefined) config[key] = value;
  }
  const container = objectField(document, "config", what);
  if (container !== undefined) config.config = parseContainerConfig(container, `"config" of ${what}`);
  const history = arrayField(document, "history", what);
  if (history !== undefined) config.history = parseHistory(history, what);

  const createdMs = config.created === undefined ? Number.NaN : Date.parse(config.created);
  return {
    config,
    diffIds,
    platform: {
      os: config.os || "unknown",
      architecture: config.architecture || "unknown",
      variant: config.variant || undefined,
    },
    createdMs: Number.isNaN(createdMs) ? undefined : createdMs,
  };
}

function parseContainerConfig(object: JsonObject, what: string): ContainerConfig {
  const config: ContainerConfig = {};
  for (const key of ["User", "WorkingDir", "StopSignal"] as const) {
    const value = stringField(object, key, what);
    if (value !== undefined) config[key] = withoutNul(value, key, what);
  }
  for (const key of ["Env", "Entrypoint", "Cmd"] as const) {
    const values = stringsField(object, key, what);
    if (values !== undefined) config[key] = values.map((value) => withoutNul(value, key, what));
  }
  const labels = stringMapField(object, "Labels", what);
  if (labels !== undefined) config.Labels = labels;
  for (const key of ["Volumes", "ExposedPorts"] as const) {
    const values = objectField(object, key, what);
    if (values === undefined) continue;
    const set: Record<string, object> = Object.create(null);
    for (const name of Object.keys(values)) set[withoutNul(name, key, what)] = {};
    config[key] = set;
  }
  return config;
}

/** A NUL would end the string early where C reads it: another path, another argument than the one that was shown. */
function withoutNul(value: string, key: string, what: string): string {
  if (value.includes("\0")) throw invalid(`"${key}" of ${what} holds a NUL`);
  return value;
}

function parseHistory(history: readonly unknown[], what: string): HistoryEntry[] {
  if (history.length > HISTORY_MAX) {
    throw invalid(`${what} has ${history.length} lines of history; at most ${HISTORY_MAX}`);
  }
  return history.map((line) => {
    if (!isObject(line)) throw invalid(`"history" of ${what} holds something that is not an object`);
    const entry: HistoryEntry = {};
    for (const key of ["created", "created_by", "author", "comment"] as const) {
      const value = stringField(line, key, `"history" of ${what}`);
      if (value !== undefined) entry[key] = value;
    }
    if (field(line, "empty_layer") === true) entry.empty_layer = true;
    return entry;
  });
}
