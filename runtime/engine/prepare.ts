/** What a program needs to run in a container: found in its files, compiled, and told who and where it is. */
import { FileType } from "../../shim/abi/filetype.ts";
import type { OpenFile, Stat } from "../../shim/abi/system.ts";
import { resolveUser } from "../core/container/user.ts";
import { WpodError } from "../core/error.ts";
import { checkArgumentSpace } from "../core/kernel/argument-space.ts";
import { findProgram, type Program, readTextFile } from "../core/kernel/program.ts";
import type { ProcessSpec } from "../core/kernel/spec.ts";
import type { ProgramSource } from "../core/wasm/explain.ts";
import { DESCRIPTORS_MAX, PASSWD_BYTES_MAX } from "./limits.ts";
import type { Compiled, Modules } from "./modules.ts";

/** What it takes to start: found out before anything is written down. */
export interface Prepared {
  process: ProcessSpec;
  /** Compiled with its memory capped already. */
  module: Compiled["module"];
  /** What it imports as its memory. */
  memory: Compiled["memory"];
  memoryBytesMin: number;
  /** It may start threads. */
  threaded: boolean;
  makesObjects: Compiled["makesObjects"];
  memoryWatched: Compiled["memoryWatched"];
  waitOffsets: Compiled["waitOffsets"];
}

/** What is to run, as it was planned. */
export interface ProgramWish {
  containerId: string;
  argv: readonly string[];
  env: readonly string[];
  /** HOME is the user's, by the files. */
  needsHome: boolean;
  workdir: string;
  user: string;
  annotations: Readonly<Record<string, string>>;
  memoryBytesMax: number | undefined;
  onWarning: ((message: string) => void) | undefined;
  /** A program that isn't in the files. */
  given: { name: string; bytes: Uint8Array } | undefined;
  /** The same for the same program: undefined where that isn't known. */
  key: (program: Program) => string | undefined;
  source: (program: Program) => ProgramSource;
}

/**
 * @param root the container's `/`, opened with all rights
 * @throws WpodError what is wrong with the user, the working directory or the program
 */
export function prepareProgram(root: OpenFile, wish: ProgramWish, modules: Modules): Prepared {
  const user = resolveUser(
    wish.user,
    readTextFile(root, "/etc/passwd", PASSWD_BYTES_MAX) ?? "",
    readTextFile(root, "/etc/group", PASSWD_BYTES_MAX) ?? "",
  );
  const env = wish.needsHome ? [...wish.env, `HOME=${user.home}`] : wish.env;
  const { workdir, given } = wish;
  if (!isDirectory(root, workdir)) {
    throw new WpodError(
      "WORKDIR_NOT_FOUND",
      `workdir "${workdir}" does not exist on container ${wish.containerId.slice(0, 12)}`,
    );
  }
  const preopens = preopensOf(wish.annotations);
  for (const { path } of preopens) {
    if (isDirectory(root, path)) continue;
    throw new WpodError(
      "USAGE",
      `annotation ${PREOPENS_ANNOTATION}: the container has no directory "${path}"`,
    );
  }
  const argv = [...wish.argv];
  const searchPath = env.find((line) => line.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  const program: Program =
    given === undefined
      ? findProgram(root, argv, { searchPath, workdir })
      : { path: given.name, argv, read: () => given.bytes, device: 0n };
  // Some programs (all of Go's) take their working directory from there; preview 1 has no other way to tell them.
  const told =
    workdir === "/" || env.some((line) => line.startsWith("PWD=")) ? [...env] : [...env, `PWD=${workdir}`];
  checkArgumentSpace(program.argv, told);
  const {
    module,
    startsInWorkdir,
    memory,
    memoryBytesMin,
    threaded,
    makesObjects,
    memoryWatched,
    waitOffsets,
  } = modules.compile(
    { read: program.read, key: wish.key(program), source: wish.source(program) },
    { memoryBytesMax: wish.memoryBytesMax, workdir },
  );
  if (!startsInWorkdir) {
    wish.onWarning?.(
      `${program.path} can't be told its working directory: relative paths begin at /, not at ${workdir}; give it absolute ones`,
    );
  }
  return {
    module,
    memory,
    memoryBytesMin,
    threaded,
    makesObjects,
    memoryWatched,
    waitOffsets,
    process: {
      argv: program.argv,
      env: told,
      credentials: { uid: user.uid, gid: user.gid, groups: user.groups, umask: 0o022 },
      preopens,
      descriptorsMax: DESCRIPTORS_MAX,
    },
  };
}

function isDirectory(root: OpenFile, path: string): boolean {
  const stat = {} as Stat;
  return root.statAt(path, true, stat) === 0 && stat.type === FileType.directory;
}

/** Annotation that names the directories a program finds open: `name=/path,name=/path`; else it is `/`. */
const PREOPENS_ANNOTATION = "wpod.preopens";

function preopensOf(annotations: Readonly<Record<string, string>>): { name: string; path: string }[] {
  const annotation = annotations[PREOPENS_ANNOTATION];
  if (annotation === undefined) return [{ name: "/", path: "/" }];
  return annotation
    .split(",")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.lastIndexOf("=");
      if (equals <= 0) {
        throw new WpodError("USAGE", `annotation ${PREOPENS_ANNOTATION}: "${pair}" is not NAME=/PATH`);
      }
      return { name: pair.slice(0, equals), path: pair.slice(equals + 1) };
    });
}
