/**
 * The WASI test suite as files: its preview 1 programs, and what is to come of each.
 *
 * @see https://github.com/WebAssembly/wasi-testsuite/blob/main/doc/specification.md
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";

export interface SuiteCase {
  /** Path of the program in the checkout, without its ending. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Directory that the program finds open as `/`. */
  readonly root: string | undefined;
  /** Further ones that it finds open by their own names. */
  readonly directories: readonly string[];
  readonly exitCode: number;
  /** Undefined: anything may be printed. */
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
}

export interface Ending {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Operation {
  type: string;
  args?: string[];
  env?: Record<string, string>;
  root?: string | null;
  id?: string;
  payload?: string;
  exit_code?: number;
}

/** Both forms of a specification; all fields may be missing. */
interface Specification extends Operation {
  dirs?: string[];
  stdout?: string;
  stderr?: string;
  operations?: Operation[];
}

/** "\0asm", version 1, layer 0. A component has another layer. */
const CORE_MODULE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

/** @returns the cases by name, and how many programs are components, which are not preview 1 */
export function readSuite(checkout: string): { cases: SuiteCase[]; componentCount: number } {
  const programs = readdirSync(checkout, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".wasm"))
    .sort()
    .map((path) => join(checkout, path));
  const modules = programs.filter(isCoreModule);
  return {
    cases: modules.map((program) => readCase(checkout, program)),
    componentCount: programs.length - modules.length,
  };
}

function readCase(checkout: string, program: string): SuiteCase {
  const file = program.replace(/\.wasm$/, ".json");
  const specification = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const name = relative(checkout, program)
    .replace(/\.wasm$/, "")
    .split(sep)
    .join("/");
  return caseOf(name, program, specification);
}

/** @throws Error for operations that preview 1 programs don't need, and that nothing here can do */
export function caseOf(name: string, program: string, specification: Specification): SuiteCase {
  const folder = dirname(program);
  const plain =
    specification.operations === undefined ? specification : joined(name, specification.operations);
  return {
    name,
    program,
    args: plain.args ?? [],
    env: plain.env ?? {},
    root: plain.root ? join(folder, plain.root) : undefined,
    directories: (plain.dirs ?? []).map((directory) => join(folder, directory)),
    exitCode: plain.exit_code ?? 0,
    stdout: plain.stdout,
    stderr: plain.stderr,
  };
}

/** The newer form, as the older one. */
function joined(name: string, operations: readonly Operation[]): Specification {
  const plain: Specification = { type: "run" };
  for (const { type, id, payload, ...rest } of operations) {
    if (type === "run" || type === "wait") Object.assign(plain, rest);
    else if (type === "read") Object.assign(plain, { [id ?? "stdout"]: payload ?? "" });
    else throw new Error(`${name}: no preview 1 program can "${type}"`);
  }
  return plain;
}

/** Why it isn't what it should be; undefined when it is. */
export function judge(expected: SuiteCase, ending: Ending): string | undefined {
  if (ending.exitCode !== expected.exitCode) {
    const said = ending.stderr.trim().split("\n").slice(-3).join(" | ");
    return `exit ${ending.exitCode ?? "by a signal"}, not ${expected.exitCode}${said && `: ${said}`}`;
  }
  for (const stream of ["stdout", "stderr"] as const) {
    const text = expected[stream];
    if (text !== undefined && text !== ending[stream]) {
      return `${stream} is ${JSON.stringify(ending[stream])}, not ${JSON.stringify(text)}`;
    }
  }
  return undefined;
}

/** Name of the directory in a program's argument list: its own, as the suite calls it. */
export function directoryName(directory: string): string {
  return basename(directory);
}

function isCoreModule(path: string): boolean {
  const head = Buffer.alloc(CORE_MODULE.length);
  const fd = openSync(path, "r");
  readSync(fd, head, 0, head.length, 0);
  closeSync(fd);
  return head.equals(CORE_MODULE);
}
