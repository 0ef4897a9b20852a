/** From the flags of `run` to the engine's options: every value checked before anything starts. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseSignal } from "../../core/container/signal.ts";
import { WpodError } from "../../core/error.ts";
import type { RunOptions } from "../../engine/types.ts";
import type { Context } from "../context.ts";
import type { ParsedFlags } from "../flags/parsed-flags.ts";
import { CIDFILE_ANNOTATION } from "./cidfile.ts";
import { parseEnvironment, parsePairs } from "./environment.ts";
import { hasRareLimits, parseLimits } from "./limits.ts";

/** Of docker and podman. */
const DRIVERS_LATER = new Set([
  "awslogs",
  "fluentd",
  "gcplogs",
  "gelf",
  "journald",
  "passthrough",
  "splunk",
  "syslog",
]);
const MS_PER_SECOND = 1000;
/** Of Node's timers. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
/** @see RFC 1123, section 2.1 */
const HOSTNAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** @throws WpodError USAGE, MOUNT_INVALID, FILE_NOT_FOUND, UNSUPPORTED */
export async function runOptions(flags: ParsedFlags, context: Context): Promise<RunOptions> {
  checkPull(flags.text("pull"));
  checkNetwork(flags.text("network") ?? flags.text("net"));
  const options: RunOptions = {
    args: flags.operands.slice(1),
    env: parseEnvironment(flags.list("env"), readFiles(flags.list("env-file")), context.environment),
    labels: parsePairs(flags.list("label"), "label", readFiles(flags.list("label-file"))),
    annotations: parsePairs(flags.list("annotation"), "annotation"),
    readOnly: flags.isOn("read-only"),
    remove: isRemoved(flags),
    unsetEnvAll: flags.isOn("unsetenv-all"),
    // Nobody can ask for them after this process has ended.
    keepFiles: false,
    ...streams(flags),
    network: "none",
  };
  if (flags.isOn("tty")) options.tty = true;
  const cidfile = flags.text("cidfile");
  if (cidfile !== undefined) {
    options.annotations = { ...options.annotations, [CIDFILE_ANNOTATION]: resolve(cidfile) };
  }
  if (!keepsLog(flags.text("log-driver"))) options.log = false;
  const entrypoint = flags.text("entrypoint");
  if (entrypoint !== undefined) options.entrypoint = parseEntrypoint(entrypoint);
  const workdir = flags.text("workdir");
  if (workdir !== undefined) options.workdir = workdir;
  const user = flags.text("user");
  if (user !== undefined) options.user = user;
  const name = flags.text("name");
  if (name !== undefined) options.name = name;
  const platform = flags.text("platform");
  if (platform !== undefined) options.platform = platform;
  const hostname = flags.text("hostname");
  if (hostname !== undefined) options.hostname = checkHostname(hostname);
  const stopSignal = flags.text("stop-signal");
  if (stopSignal !== undefined) options.stopSignal = signalName(stopSignal);
  const limits = await parseLimits(flags);
  if (Object.keys(limits).length > 0) options.limits = limits;
  const timeout = flags.integer("timeout");
  if (timeout !== undefined) options.timeoutMs = toTimeoutMs(timeout);
  if (flags.has("volume") || flags.has("mount") || flags.has("tmpfs")) {
    const { parseMounts } = await import("./mounts.ts");
    options.mounts = parseMounts(flags, process.cwd());
  }
  if (flags.has("add-host")) {
    const { parseAddHost } = await import("./add-host.ts");
    options.addHosts = flags.list("add-host").map(parseAddHost);
  }
  return options;
}

/** Told once, by the process that runs it. */
export async function runWarnings(flags: ParsedFlags): Promise<string[]> {
  if (!hasRareLimits(flags)) return [];
  const { resourceWarnings } = await import("./resources.ts");
  return resourceWarnings(flags);
}

function readFiles(paths: readonly string[]): { name: string; text: string }[] {
  return paths.map((name) => {
    let bytes: Buffer;
    try {
      bytes = readFileSync(name);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new WpodError(
        "FILE_NOT_FOUND",
        code === "ENOENT" ? `open ${name}: no such file or directory` : `${name} can't be read: ${message}`,
        { cause: error },
      );
    }
    try {
      return { name, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
    } catch (error) {
      throw new WpodError("USAGE", `${name} is not UTF-8 text`, { cause: error });
    }
  });
}

/** One program, or a JSON array with its first arguments, as podman takes it. */
function parseEntrypoint(text: string): string[] {
  if (!text.startsWith("[")) return [text];
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === "string")) return words;
  } catch {
    // A program whose name begins with a bracket.
  }
  return [text];
}

function isRemoved(flags: ParsedFlags): boolean {
  if (flags.isOn("rmi") && flags.has("rm") && !flags.isOn("rm")) {
    throw new WpodError("USAGE", "the --rmi option does not work without --rm");
  }
  return flags.isOn("rm") || flags.isOn("rmi");
}

/** All but input; with `--attach` those that it names. Input comes with `-i` only. */
function streams(flags: ParsedFlags): Pick<RunOptions, "stdin" | "stdout" | "stderr"> {
  const named = flags.list("attach").map((name) => name.toLowerCase());
  for (const name of named) {
    if (name !== "stdin" && name !== "stdout" && name !== "stderr") {
      throw new WpodError(
        "USAGE",
        `invalid stream ${JSON.stringify(name)} for --attach - must be one of stdin, stdout, or stderr: invalid argument`,
      );
    }
  }
  const joined = (name: string) => (named.length === 0 || named.includes(name) ? "inherit" : "ignore");
  return {
    stdin: flags.isOn("interactive") ? joined("stdin") : "ignore",
    stdout: joined("stdout"),
    stderr: joined("stderr"),
  };
}

function keepsLog(driver: string | undefined): boolean {
  switch (driver) {
    case undefined:
    case "":
    case "k8s-file":
    case "json-file":
    case "local":
      return true;
    case "none":
      return false;
    default:
      if (DRIVERS_LATER.has(driver)) {
        throw new WpodError("UNSUPPORTED", `--log-driver=${driver} is not supported yet`, {
          hint: "it can be k8s-file or none",
        });
      }
      throw new WpodError("USAGE", "running container create option: invalid log driver: invalid argument");
  }
}

function checkPull(policy: string | undefined): void {
  if (policy === undefined || policy === "missing" || policy === "never") return;
  if (policy === "always" || policy === "newer") {
    throw new WpodError(
      "UNSUPPORTED",
      `--pull=${policy} is not supported yet: wpod can't fetch from registries`,
      {
        hint: "load an image from a file: wpod load -i FILE",
      },
    );
  }
  throw new WpodError("USAGE", `unsupported pull policy ${JSON.stringify(policy)}`);
}

function checkNetwork(mode: string | undefined): void {
  if (mode === undefined || mode === "none") return;
  throw new WpodError(
    "UNSUPPORTED",
    `--network=${mode} is not supported yet: containers have no network yet`,
    {
      hint: "leave it out, or say --network=none",
    },
  );
}

function checkHostname(name: string): string {
  if (!HOSTNAME.test(name)) throw new WpodError("USAGE", `invalid hostname ${JSON.stringify(name)}`);
  return name;
}

function signalName(text: string): string {
  const signal = parseSignal(text);
  if (signal === undefined) throw new WpodError("USAGE", `invalid signal: ${text}`);
  return signal.name;
}

function toTimeoutMs(seconds: number): number {
  const timeoutMs = seconds * MS_PER_SECOND;
  if (timeoutMs <= TIMEOUT_MS_MAX) return timeoutMs;
  throw new WpodError(
    "USAGE",
    `the time-out of ${seconds} seconds is over ${Math.floor(TIMEOUT_MS_MAX / MS_PER_SECOND)}`,
  );
}
