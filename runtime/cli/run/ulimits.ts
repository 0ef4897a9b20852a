/** `--ulimit NAME=SOFT[:HARD]`, by docker's names: those that a program of WebAssembly meets, and those that mean nothing to it. */
import { WpodError } from "../../core/error.ts";
import { LOCKS_MAX } from "../../core/vfs/lock-table.ts";
import { DESCRIPTORS_WANTED_MAX } from "../../engine/limits.ts";
import type { Limits } from "../../engine/types.ts";

const UNLIMITED = -1;
const MS_PER_SECOND = 1000;
/** Of CPU time: Linux takes 0 for 1. */
const SECONDS_MIN = 1;

/** From the soft limit, which is the one that counts: a guest can't raise it. Undefined is no limit. */
const ENFORCED: Readonly<Record<string, (soft: number | undefined) => Limits>> = {
  cpu: (soft) => (soft === undefined ? {} : { cpuTimeMs: Math.max(soft, SECONDS_MIN) * MS_PER_SECOND }),
  fsize: (soft) => (soft === undefined ? {} : { fileBytesMax: soft }),
  locks: (soft) => ({ locksMax: Math.min(soft ?? LOCKS_MAX, LOCKS_MAX) }),
  nofile: (soft) => ({ descriptorsMax: Math.min(soft ?? DESCRIPTORS_WANTED_MAX, DESCRIPTORS_WANTED_MAX) }),
  nproc: (soft) => ({ threadsMax: soft ?? Number.MAX_SAFE_INTEGER }),
};

const MEMORY = "the memory of a program is limited by --memory";
const PRIORITY = "programs of wpod have no priorities";
/** Why they limit nothing. */
const NOTED: Readonly<Record<string, string>> = {
  core: "wpod writes no core files",
  data: MEMORY,
  memlock: "a program can't lock memory",
  msgqueue: "there are no message queues",
  nice: PRIORITY,
  rss: MEMORY,
  rtprio: PRIORITY,
  rttime: PRIORITY,
  sigpending: "signals are never queued",
  stack: "the stack of a program is a part of its module",
};

interface Ulimit {
  text: string;
  name: string;
  /** Undefined: none. */
  soft: number | undefined;
}

/** Of one name the last one counts. @throws WpodError USAGE */
export function parseUlimits(given: readonly string[]): Limits {
  const limits: Limits = {};
  for (const { name, soft } of given.map(readUlimit)) Object.assign(limits, ENFORCED[name]?.(soft));
  return limits;
}

/** Which of them are not what was asked for. */
export function ulimitWarnings(given: readonly string[]): string[] {
  const warnings: string[] = [];
  for (const { text, name, soft } of given.map(readUlimit)) {
    const why = Object.hasOwn(NOTED, name) ? NOTED[name] : undefined;
    // No limit is what there is.
    const isAsked = soft !== undefined && !(name === "core" && soft === 0);
    if (why !== undefined && isAsked) warnings.push(`--ulimit ${text} limits nothing: ${why}`);
    if (name === "nofile" && (soft ?? Number.POSITIVE_INFINITY) > DESCRIPTORS_WANTED_MAX) {
      warnings.push(`--ulimit ${text} is ${DESCRIPTORS_WANTED_MAX}: a program can't have more descriptors`);
    }
  }
  return warnings;
}

/** @see https://pkg.go.dev/github.com/docker/go-units#ParseUlimit */
function readUlimit(text: string): Ulimit {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(equals, 0));
  if (equals < 0) throw invalid(text, "it is NAME=SOFT[:HARD]");
  if (!Object.hasOwn(ENFORCED, name) && !Object.hasOwn(NOTED, name)) {
    throw invalid(text, `there is no limit of the name ${JSON.stringify(name)}`);
  }
  const parts = text.slice(equals + 1).split(":");
  if (parts.length > 2) throw invalid(text, "it has a soft and a hard limit at most");
  const [soft = 0, hard] = parts.map((part) => readNumber(text, part));
  if (hard !== undefined && hard !== UNLIMITED && (soft === UNLIMITED || soft > hard)) {
    throw invalid(text, "the soft limit is more than the hard one");
  }
  return { text, name, soft: soft === UNLIMITED ? undefined : soft };
}

function readNumber(text: string, part: string): number {
  const number = /^(-1|\d+)$/.test(part) ? Number(part) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw invalid(text, "a limit is a whole number, or -1 for none");
}

function invalid(text: string, why: string): WpodError {
  return new WpodError("USAGE", `invalid --ulimit ${JSON.stringify(text)}: ${why}`);
}
