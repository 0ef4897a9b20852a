/**
 * `--isolation=process`: the same command once more, in a child that may touch only what its container needs. Streams and the
 * terminal are the same ones; signals go through a channel, because a terminal sends its own to both. When one of the two
 * ends, however, so does the other.
 */
import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseSignal } from "../core/container/signal.ts";
import { userConfigFiles } from "../node/config/user-config.ts";
import { controlPath } from "../node/control/control-path.ts";
import { ControlServer } from "../node/control/control-server.ts";
import { type Grants, isRestricted, permissionFlags } from "../node/host/permission-flags.ts";
import { isTerminal } from "../node/stdio/tty.ts";
import { parseImageSource } from "../node/store/image-source.ts";
import { KILL_SIGNAL } from "./containers.ts";
import { ControlChannel } from "./control-channel.ts";
import { defaultRoot } from "./root.ts";
import type { MountSpec } from "./types.ts";

/** What a `wpod run` names of the host. */
export interface IsolatedRun {
  image: string;
  mounts: readonly MountSpec[];
  /** Files that it reads, and one that it writes, beside these. */
  reads: readonly string[];
  writes: readonly string[];
  tty: boolean;
  /** Handed on; the child has no others. */
  signals: readonly NodeJS.Signals[];
}

/** Read to make a container: randomness, and when it started. Not all of `/proc/self`: its `root` is everything. */
const SYSTEM_FILES = ["/dev/urandom", "/dev/null", "/dev/tty", "/proc/self/stat", "/proc/self/fdinfo"];
/** As where a program was found, and couldn't be run. */
const NOT_STARTED = 125;

/** This process is such a child. Its parent sends it signals, as messages, and ends with it. */
export function isIsolatedChild(): boolean {
  return isRestricted() && process.channel !== undefined;
}

/** @returns the exit status of the child, which is that of the container */
export async function runIsolated(run: IsolatedRun): Promise<number> {
  const program = realpathSync(process.argv[1]!);
  const restore = run.tty && isTerminal(0) ? savedTerminal() : undefined;
  // Not an import: most runs have no such child, and it takes part of their start.
  const { spawn } = process.getBuiltinModule("node:child_process");
  const child = spawn(
    process.execPath,
    [...permissionFlags(grantsOf(program, run, defaultRoot())), program, ...process.argv.slice(2)],
    { stdio: ["inherit", "inherit", "inherit", "ipc"] },
  );
  const pass = (signal: NodeJS.Signals) => {
    if (child.connected) child.send(signal, () => {});
  };
  for (const signal of run.signals) process.on(signal, pass);
  let server: ControlServer | undefined;
  const channel = new ControlChannel(child, (container) => {
    server = ControlServer.listen(controlPath(defaultRoot(), container), (line) => channel.ask(line));
  });
  const ended = Promise.withResolvers<number>();
  child.once("error", () => ended.resolve(NOT_STARTED));
  child.once("exit", (status, signal) =>
    ended.resolve(status ?? 128 + (parseSignal(signal ?? KILL_SIGNAL)?.number ?? 0)),
  );
  const status = await ended.promise;
  server?.[Symbol.dispose]();
  restore?.();
  return status;
}

/** What was named, and wpod's own: `program` is a file of it. */
export function grantsOf(
  program: string,
  {
    image,
    mounts,
    reads,
    writes,
  }: Pick<IsolatedRun, "mounts" | "reads" | "writes"> & { image: string | undefined },
  root: string,
): Grants {
  // Also what is too large for memory goes there, and not where everybody's temporary files are.
  mkdirSync(join(root, "tmp"), { recursive: true, mode: 0o700 });
  const codeCache = process.env.WPOD_CODE_CACHE;
  const binds = mounts.filter(({ type }) => type === "bind");
  const bindPaths = (isWritable: boolean) =>
    binds
      .filter(({ readOnly }) => (readOnly !== true) === isWritable)
      .flatMap(({ source }) => [source!, ...(existsSync(source!) ? [realpathSync(source!)] : [])]);
  return {
    read: [
      packageFolder(program),
      ...SYSTEM_FILES.filter((path) => existsSync(path)),
      ...userConfigFiles(process.env),
      ...(image === undefined ? [] : imagePaths(image)),
      ...reads.map((path) => resolve(path)),
      ...bindPaths(false),
    ],
    write: [
      root,
      realpathSync(root),
      // A descriptor that is open is gone through by its number.
      ...(process.platform === "linux" ? ["/proc/self/fd"] : []),
      ...writes.map((path) => resolve(path)),
      ...(codeCache === undefined || codeCache === "off" || codeCache === "" ? [] : [resolve(codeCache)]),
      ...bindPaths(true),
    ],
  };
}

function imagePaths(image: string): string[] {
  const source = parseImageSource(image);
  if (source !== undefined) return [source.path];
  const path = resolve(image);
  return existsSync(path) ? [path] : [];
}

/** The installed package, or the source tree. */
function packageFolder(program: string): string {
  let folder = dirname(program);
  while (!existsSync(join(folder, "LICENSE"))) {
    const above = dirname(folder);
    if (above === folder) return dirname(program);
    folder = above;
  }
  return folder;
}

/** What puts the terminal back as it is now: the child can't when it was killed. */
function savedTerminal(): (() => void) | undefined {
  if (process.platform === "win32") return undefined;
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { status, stdout } = spawnSync("stty", ["-g"], { stdio: [0, "pipe", "ignore"], encoding: "utf8" });
  if (status !== 0) return undefined;
  return () => void spawnSync("stty", [stdout.trim()], { stdio: [0, "ignore", "ignore"] });
}
