/**
 * What a container executes, from the image's config and what the caller asked for. Pure.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md
 * @see https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact
 */
import { WpodError } from "../error.ts";
import { normalizePath } from "../kernel/path.ts";

export interface ProcessDefaults {
  Entrypoint?: readonly string[] | undefined;
  Cmd?: readonly string[] | undefined;
  Env?: readonly string[] | undefined;
  WorkingDir?: string | undefined;
  User?: string | undefined;
}

export interface ProcessWishes {
  args?: readonly string[] | undefined;
  entrypoint?: readonly string[] | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  workdir?: string | undefined;
  user?: string | undefined;
  hostname: string;
  /** Neither the runtime's variables nor the image's: only what the caller names. */
  unsetEnvAll?: boolean | undefined;
  /** The size of its terminal, in characters. */
  terminal?: { columns: number; rows: number } | undefined;
}

export interface ProcessPlan {
  entrypoint: string[];
  command: string[];
  /** Both, in order: what is looked up and given to the program. Never empty. */
  argv: string[];
  env: string[];
  /** HOME is wanted, and nobody named it: that needs the image's passwd. */
  needsHome: boolean;
  /** Absolute and normalised; not looked up yet. */
  workdir: string;
  user: string;
}

const PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** @throws WpodError USAGE when there is nothing to execute, or a working directory that is relative */
export function planProcess(image: ProcessDefaults, wishes: ProcessWishes): ProcessPlan {
  const overridden = wishes.entrypoint !== undefined;
  const entrypoint = [...(wishes.entrypoint ?? image.Entrypoint ?? [])].filter(
    (word, index) => !(overridden && index === 0 && word === ""),
  );
  // An entry point of the caller's makes the image's CMD meaningless: those are arguments to another program.
  const command = [...(wishes.args?.length ? wishes.args : overridden ? [] : (image.Cmd ?? []))];
  const argv = [...entrypoint, ...command];
  if (argv.length === 0) {
    throw new WpodError("USAGE", "no command or entrypoint provided, and no CMD or ENTRYPOINT from image", {
      hint: "name a program after the image",
    });
  }
  if (argv.some((word) => word.includes("\0"))) {
    throw new WpodError("USAGE", "an argument contains a NUL character");
  }
  const values = wishes.unsetEnvAll ? new Map() : defaultEnvironment(image.Env ?? [], wishes);
  addWishes(values, wishes.env ?? {});
  return {
    entrypoint,
    command,
    argv,
    env: [...values].map(([name, value]) => `${name}=${value}`),
    needsHome: !wishes.unsetEnvAll && !values.has("HOME"),
    workdir: absoluteDirectory(wishes.workdir ?? image.WorkingDir ?? ""),
    user: wishes.user ?? image.User ?? "",
  };
}

/** Later ones win, at the place of the first: a program sees each name once. */
function defaultEnvironment(
  image: readonly string[],
  { hostname, terminal }: ProcessWishes,
): Map<string, string> {
  const values = new Map<string, string>([
    ["PATH", PATH_DEFAULT],
    ["HOSTNAME", hostname],
    ["container", "wpod"],
  ]);
  if (terminal !== undefined) {
    values.set("TERM", "xterm");
    values.set("COLUMNS", `${terminal.columns}`);
    values.set("LINES", `${terminal.rows}`);
  }
  for (const line of image) {
    const equals = line.indexOf("=");
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return values;
}

function addWishes(values: Map<string, string>, wishes: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(wishes)) {
    if (name === "" || name.includes("=") || `${name}${value}`.includes("\0")) {
      throw new WpodError("USAGE", `"${name}" can't be the name of an environment variable`);
    }
    values.set(name, value);
  }
}

function absoluteDirectory(path: string): string {
  if (path === "") return "/";
  if (!path.startsWith("/")) {
    throw new WpodError(
      "USAGE",
      `the working directory "${path}" is invalid, it needs to be an absolute path`,
    );
  }
  // As docker does: before anything is looked up.
  return normalizePath(path);
}
