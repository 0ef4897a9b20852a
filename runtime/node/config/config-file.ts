/**
 * Reads the user's configuration file: YAML, each field checked, each error with its line.
 *
 * ```yaml
 * limits:            # of all containers together
 *   cpus: 2
 *   memory: 4g
 * defaults:          # of each whose options don't say
 *   cpus: 0.5
 *   memory: 512m
 *   pids: 64
 *   storage: 1g
 * overcommit: wait   # or refuse
 * waitSeconds: 60
 * ```
 */
import { readFileSync } from "node:fs";
import { isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { WpodError } from "../../core/error.ts";
import { nearest } from "../../core/format/edit-distance.ts";
import { parseSize } from "../../core/format/size.ts";
import { CPUS_MIN } from "../../core/quota/cpu-bandwidth.ts";
import { CONFIG_BYTES_MAX, WAIT_SECONDS, WAIT_SECONDS_MAX } from "./limits.ts";
import type { UserConfig } from "./user-config.ts";

/** A page of WebAssembly memory: less than that is none. */
const MEMORY_BYTES_MIN = 65_536;
const MS_PER_SECOND = 1000;

/** What is wrong with a value, or what it means. */
type Reader = (value: unknown) => number | string | { readonly wrong: string };

const SECTIONS = {
  limits: { cpus, memory },
  defaults: { cpus, memory, pids: countOf("threads"), storage: size },
} as const satisfies Record<string, Record<string, Reader>>;
const FIELDS = { overcommit, waitSeconds } as const satisfies Record<string, Reader>;

type Values = Record<string, number | string | undefined>;

/** @throws WpodError CONFIG_INVALID */
export function readConfigFile(path: string): UserConfig {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw invalid(path, `it can't be read: ${(error as Error).message}`, error);
  }
  if (bytes.length > CONFIG_BYTES_MAX) throw invalid(path, `it is larger than ${CONFIG_BYTES_MAX} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalid(path, "it is not UTF-8 text", error);
  }
  return parseConfig(text, path);
}

/** @param path for what is said of it. @throws WpodError CONFIG_INVALID */
export function parseConfig(text: string, path: string): UserConfig {
  const file = new ConfigText(text, path);
  const { sections, fields } = file.read();
  const { limits = {}, defaults = {} } = sections;
  return {
    path,
    totals: { cpus: number(limits.cpus), memoryBytes: number(limits.memory) },
    defaults: {
      ...given("cpus", defaults.cpus),
      ...given("memoryBytesMax", defaults.memory),
      ...given("threadsMax", defaults.pids),
      ...given("diskBytesMax", defaults.storage),
    },
    overcommit: fields.overcommit === "refuse" ? "refuse" : "wait",
    waitMs: (number(fields.waitSeconds) ?? WAIT_SECONDS) * MS_PER_SECOND,
  };
}

class ConfigText {
  readonly #text: string;
  readonly #path: string;
  readonly #lines = new LineCounter();

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
  }

  read(): { sections: Record<string, Values>; fields: Values } {
    const root = this.#parse();
    const sections: Record<string, Values> = {};
    const fields: Values = {};
    const names = [...Object.keys(SECTIONS), ...Object.keys(FIELDS)];
    for (const { key, value, line } of this.#entries(root, names, "")) {
      if (key in FIELDS) fields[key] = this.#value(FIELDS[key as keyof typeof FIELDS], value, key);
      else {
        const rules: Record<string, Reader> = SECTIONS[key as keyof typeof SECTIONS];
        sections[key] = this.#section(rules, value, key, line);
      }
    }
    return { sections, fields };
  }

  #parse(): YAMLMap | undefined {
    let document: ReturnType<typeof parseDocument>;
    try {
      document = parseDocument(this.#text, { lineCounter: this.#lines, prettyErrors: false });
    } catch (error) {
      // Nested deeper than its reader reaches.
      throw invalid(this.#path, "it is no YAML that can be read", error);
    }
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) {
      const [sentence = ""] = problem.message.split("\n");
      throw this.#wrong(this.#lines.linePos(problem.pos[0]).line, `it is no YAML: ${sentence}`);
    }
    const root = document.contents as Node | null;
    if (root === null || (isScalar(root) && root.value === null)) return undefined;
    if (!isMap(root)) throw this.#wrong(this.#lineOf(root), "it has to be a list of names with values");
    return root;
  }

  #section(rules: Record<string, Reader>, node: Node | null, name: string, line: number): Values {
    if (node === null || (isScalar(node) && node.value === null)) return {};
    if (!isMap(node)) throw this.#wrong(line, `${name} has to be a list of names with values`);
    const values: Values = {};
    for (const { key, value } of this.#entries(node, Object.keys(rules), name)) {
      values[key] = this.#value(rules[key]!, value, `${name}.${key}`);
    }
    return values;
  }

  *#entries(
    map: YAMLMap | undefined,
    names: readonly string[],
    section: string,
  ): Generator<{ key: string; value: Node | null; line: number }> {
    for (const pair of map?.items ?? []) {
      const line = this.#lineOf((pair.key ?? map) as Node);
      const key = isScalar(pair.key) ? String(pair.key.value) : "";
      if (!names.includes(key)) {
        const where = section === "" ? "" : ` in ${section}`;
        throw this.#wrong(
          line,
          `unknown key ${JSON.stringify(key)}${where}; did you mean "${nearest(key, names)}"?`,
        );
      }
      yield { key, value: pair.value as Node | null, line };
    }
  }

  #value(read: Reader, node: Node | null, name: string): number | string {
    const value = isScalar(node) ? node.value : undefined;
    const meaning = read(value);
    if (typeof meaning !== "object") return meaning;
    const shown = isScalar(node) ? JSON.stringify(node.source ?? node.value) : "what it is";
    throw this.#wrong(this.#lineOf(node), `${name} can't be ${shown}: ${meaning.wrong}`);
  }

  #lineOf(node: Node | null): number {
    return this.#lines.linePos(node?.range?.[0] ?? 0).line;
  }

  #wrong(line: number, what: string): WpodError {
    return invalid(`${this.#path}:${Math.max(line, 1)}`, what);
  }
}

function invalid(place: string, what: string, cause?: unknown): WpodError {
  return new WpodError("CONFIG_INVALID", `${place}: ${what}`, {
    hint: "correct the file, or name another one with WPOD_CONFIG",
    ...(cause === undefined ? {} : { cause }),
  });
}

function number(value: number | string | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function given<Name extends string>(
  name: Name,
  value: number | string | undefined,
): { [Key in Name]?: number } {
  return typeof value === "number" ? ({ [name]: value } as { [Key in Name]: number }) : {};
}

// What values mean.

function cpus(value: unknown): ReturnType<Reader> {
  if (typeof value === "number" && value >= CPUS_MIN && value < Infinity) return value;
  return { wrong: `it is a number of ${CPUS_MIN} or more, as 0.5` };
}

function memory(value: unknown): ReturnType<Reader> {
  const bytes = size(value);
  return typeof bytes === "number" && bytes < MEMORY_BYTES_MIN
    ? { wrong: `it is at least ${MEMORY_BYTES_MIN} bytes, a page of WebAssembly` }
    : bytes;
}

function size(value: unknown): ReturnType<Reader> {
  const wrong = "it is a size, as 65536, 512k, 64m or 1g";
  if (typeof value !== "number" && typeof value !== "string") return { wrong };
  try {
    const bytes = parseSize(String(value));
    return bytes > 0 ? bytes : { wrong };
  } catch {
    return { wrong };
  }
}

function countOf(what: string): Reader {
  return (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= 1
      ? value
      : { wrong: `it is a whole number of ${what}, 1 or more` };
}

function overcommit(value: unknown): ReturnType<Reader> {
  return value === "wait" || value === "refuse" ? value : { wrong: 'it is "wait" or "refuse"' };
}

function waitSeconds(value: unknown): ReturnType<Reader> {
  if (typeof value === "number" && value >= 0 && value <= WAIT_SECONDS_MAX) return value;
  return { wrong: `it is a number of seconds, from 0 to ${WAIT_SECONDS_MAX}` };
}
