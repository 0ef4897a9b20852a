/** The programs that benchmarks compare: the built command line, and the same module under Node's own WASI. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun } from "../fixtures/child.ts";
import { timeProcess } from "./process-time.ts";

export const WPOD = fileURLToPath(new URL("../../dist/bin/wpod.js", import.meta.url));

/**
 * What Node.js does with a module by itself, in its main thread: compiled as it comes, WASI by `node:wasi`.
 * usage: node plain.cjs MODULE DIRECTORY ARG...  (DIRECTORY is the guest's root; ARGV0 of the environment, what it is called)
 */
const PLAIN = `
const { WASI } = require("node:wasi");
const [, , path, root, ...args] = process.argv;
const wasi = new WASI({ version: "preview1", args: [process.env.ARGV0 ?? path, ...args], env: {}, preopens: { "/": root } });
WebAssembly.instantiate(require("node:fs").readFileSync(path), wasi.getImportObject()).then(({ instance }) => {
  process.exitCode = wasi.start(instance);
});
`;

export interface Programs {
  /** What plain programs see as `/`. */
  readonly root: string;
  /** Arguments of Node.js that run a module with arguments: in a container, and without one. */
  container(module: string, args: readonly string[]): string[];
  plain(module: string, args: readonly string[]): string[];
  /** What a guest writes to stdout, as JSON. */
  json<T>(nodeArgs: readonly string[]): Promise<T>;
  /** CPU time of a whole process, its start with it; elsewhere than on Linux the time that passes. @param more beside `env` */
  cpuMs(nodeArgs: readonly string[], more?: Readonly<Record<string, string>>): Promise<number>;
  readonly env: Readonly<Record<string, string>>;
}

/** @param directory is for these programs alone; the plain one's root lies in it, so it should be on a tmpfs */
export async function preparePrograms(directory: string): Promise<Programs> {
  const root = join(directory, "guest-root");
  await mkdir(root, { recursive: true });
  const script = join(directory, "plain.cjs");
  await writeFile(script, PLAIN);
  const env = { WPOD_ROOT: join(directory, "wpod-root") };
  return {
    root,
    env,
    container: (module, args) => [WPOD, "run", "--rm", module, ...args],
    plain: (module, args) => ["--no-warnings", script, module, root, ...args],
    json: async (nodeArgs) => JSON.parse(`${(await mustRun(process.execPath, nodeArgs, { env })).stdout}`),
    cpuMs: (nodeArgs, more) => cpuMs(process.execPath, nodeArgs, { ...env, ...more }),
  };
}

/** As `Programs.cpuMs`, of any program. */
export async function cpuMs(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const time = await timeProcess(program, args, { env });
  return time.cpuMs ?? time.wallMs;
}
