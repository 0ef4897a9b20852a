/** The file-system cases of `spec/filesystem`: their shape, and how texts in them are spelled. */
import { readdirSync, readFileSync } from "node:fs";

/** A text, a text so many times, or several of these one after the other. */
export type TextSpec = string | [string, number] | TextSpec[];

export interface NodeSpec {
  text?: TextSpec;
  /** Octal. */
  mode?: string;
  uid?: number;
  gid?: number;
  /** Nanoseconds. */
  mtime?: string;
}

export interface FileCase {
  name: string;
  /**
   * What is there before: a path with a slash behind it is a directory, `-> target` a symbolic link, `= path` a hard
   * link, another text the content of a file.
   */
  tree?: Record<string, TextSpec | NodeSpec>;
  /** So many links one behind the other: l0 is a file with "x", l1 points to it, and so on. */
  chain?: number;
  user?: { uid: number; gid: number; groups: number[] };
  /** An operation, its arguments, what it must answer: an errno's name, or what `case-runner.ts` says. */
  steps: unknown[][];
  /** Where the case doesn't hold, and why. */
  not?: Record<string, string>;
}

const FOLDER = new URL("../../../../spec/filesystem/", import.meta.url);

export function loadCases(): { file: string; cases: FileCase[] }[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => {
      const data = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as {
        user?: FileCase["user"];
        not?: FileCase["not"];
        cases: FileCase[];
      };
      const cases = data.cases.map((one) => ({
        ...(data.user && { user: data.user }),
        ...one,
        not: { ...data.not, ...one.not },
      }));
      return { file: name.replace(".json", ""), cases };
    });
}

export function expand(text: TextSpec): string {
  if (typeof text === "string") return text;
  if (text.length === 2 && typeof text[1] === "number") return (text[0] as string).repeat(text[1]);
  return (text as TextSpec[]).map(expand).join("");
}

/** One thing that is there before the steps. */
export interface Planted {
  path: string;
  kind: "file" | "directory" | "symlink" | "link";
  /** Content, or where a link points. */
  text: string;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint | undefined;
}

export function plant(one: FileCase): Planted[] {
  const planted: Planted[] = [];
  for (const [spelled, value] of Object.entries(one.tree ?? {})) planted.push(plantOne(spelled, value));
  if (one.chain !== undefined) {
    planted.push(plantOne("l0", "x"));
    for (let index = 1; index <= one.chain; index++) planted.push(plantOne(`l${index}`, `-> l${index - 1}`));
  }
  return planted;
}

function plantOne(spelled: string, value: TextSpec | NodeSpec): Planted {
  const node: NodeSpec = typeof value === "string" || Array.isArray(value) ? { text: value } : value;
  const text = expand(node.text ?? "");
  const path = spelled.replace(/\/$/, "");
  let kind: Planted["kind"] = "file";
  let rest = text;
  if (spelled.endsWith("/")) kind = "directory";
  else if (text.startsWith("-> ")) [kind, rest] = ["symlink", text.slice(3)];
  else if (text.startsWith("= ")) [kind, rest] = ["link", text.slice(2)];
  const mode =
    node.mode === undefined ? (kind === "directory" ? 0o755 : 0o644) : Number.parseInt(node.mode, 8);
  const mtimeNs = node.mtime === undefined ? undefined : BigInt(node.mtime);
  return { path, kind, text: rest, mode, uid: node.uid ?? 0, gid: node.gid ?? 0, mtimeNs };
}
