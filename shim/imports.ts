/** The import object of a module: what it asks for of preview 1, and nothing else. */

import type { Attention } from "./abi/system.ts";
import { LOCK } from "./extension/lock.ts";
import { PROC } from "./extension/proc.ts";
import { TTY } from "./extension/tty.ts";
import type { Guest } from "./guest.ts";
import { PREVIEW1, type Syscall } from "./preview1/table.ts";
import { UNSTABLE } from "./preview1/unstable.ts";
import { THREADS } from "./threads/thread-spawn.ts";

/** As `WebAssembly.Module.imports` describes one. */
export interface ModuleImport {
  readonly module: string;
  readonly name: string;
  readonly kind: string;
}

/** Functions by module and name. */
type Versions = ReadonlyMap<string, ReadonlyMap<string, Syscall>>;

const VERSIONS: Versions = new Map([
  ["wasi_snapshot_preview1", byName(PREVIEW1)],
  ["wasi_unstable", byName(UNSTABLE)],
  ["wpod_tty", byName(TTY)],
  ["wpod_lock", byName(LOCK)],
  ["wpod_proc", byName(PROC)],
  ["wasi", byName(THREADS)],
]);

/** What else a module may import. */
export interface Provided {
  /** For a module that imports its memory, by whatever name. */
  readonly memory?: WebAssembly.Memory;
}

/**
 * Makes a function for each one that a module imports, bound to its guest.
 *
 * @returns frozen objects without prototypes, by module and name, with what there is; ask `missingImports` first
 */
export function createImports(
  guest: Guest,
  imports: readonly ModuleImport[],
  provided: Provided = {},
): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const modules: Record<string, Record<string, unknown>> = Object.create(null);
  for (const asked of imports) {
    const value = provide(guest, asked, provided);
    if (value === undefined) continue;
    modules[asked.module] ??= Object.create(null) as Record<string, unknown>;
    modules[asked.module]![asked.name] = value;
  }
  for (const module of Object.values(modules)) Object.freeze(module);
  return Object.freeze(modules);
}

function provide(guest: Guest, asked: ModuleImport, provided: Provided): unknown {
  if (asked.kind === "memory") return provided.memory;
  if (asked.kind !== "function") return undefined;
  const bound = VERSIONS.get(asked.module)?.get(asked.name)?.bind(guest);
  return bound === undefined ? undefined : Object.freeze(callUntilEnd(guest, bound));
}

type Call = (a?: never, b?: never, c?: never, d?: never, e?: never, f?: never) => number;
type LongCall = (...parameters: [...Parameters<Call>, g?: never, h?: never, i?: never]) => number;

/**
 * Nothing runs for a guest after its end; see `Guest.ended`. At the end of a call the runtime has its word, if it wants one.
 * Parameters are written out, as V8 calls them cheaply. V8 fills missing ones with undefined, and drops what is too many.
 */
function callUntilEnd(guest: Guest, call: (...parameters: never[]) => number): LongCall {
  const attention = guest.system.attention ?? NO_ATTENTION;
  const { wanted } = attention;
  const end = (thrown: unknown): unknown => {
    guest.ended ??= { thrown };
    return guest.ended.thrown;
  };
  if (call.length > 6) {
    const long = call as LongCall;
    return (a, b, c, d, e, f, g, h, i) => {
      if (guest.ended !== undefined) throw guest.ended.thrown;
      attention.inHost = true;
      try {
        const answer = long(a, b, c, d, e, f, g, h, i);
        attention.inHost = false;
        if (Atomics.load(wanted, 0) !== 0) attention.attend();
        return answer;
      } catch (thrown) {
        throw end(thrown);
      }
    };
  }
  const short = call as Call;
  return (a, b, c, d, e, f) => {
    if (guest.ended !== undefined) throw guest.ended.thrown;
    attention.inHost = true;
    try {
      const answer = short(a, b, c, d, e, f);
      attention.inHost = false;
      if (Atomics.load(wanted, 0) !== 0) attention.attend();
      return answer;
    } catch (thrown) {
      throw end(thrown);
    }
  };
}

const NO_ATTENTION: Attention = {
  wanted: new Int32Array(1),
  inHost: false,
  files: undefined,
  attend() {},
};

/** What a module imports and nobody has, in its order. */
export function missingImports(imports: readonly ModuleImport[], provided: Provided = {}): ModuleImport[] {
  return imports.filter(({ module, name, kind }) => {
    if (kind === "memory") return provided.memory === undefined;
    return kind !== "function" || !VERSIONS.get(module)?.has(name);
  });
}

function byName(table: readonly Syscall[]): Map<string, Syscall> {
  return new Map(table.map((syscall) => [syscall.name, syscall]));
}
