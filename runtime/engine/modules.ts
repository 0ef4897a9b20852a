/** From the bytes of a program to a compiled module, once for each program, memory limit and working directory. */
import { WpodError } from "../core/error.ts";
import type { MeterExports } from "../core/kernel/spec.ts";
import {
  explainCompileError,
  explainMemory,
  explainProblem,
  explainProgram,
  type ProgramSource,
} from "../core/wasm/explain.ts";
import { inspect } from "../core/wasm/inspect.ts";
import { makeInterruptible } from "../core/wasm/interruptible.ts";
import { capMemory, type MalformedModule } from "../core/wasm/memory-cap.ts";
import { type MemoryType, minimumBytes } from "../core/wasm/memory-type.ts";
import { watchMemory } from "../core/wasm/memory-watch.ts";
import { addMetering } from "../core/wasm/metering.ts";
import { inspectModule, type ModuleImport, type ModuleInspection } from "../core/wasm/module-inspection.ts";
import { MalformedError } from "../core/wasm/reader.ts";
import { enterWorkingDirectory, relativePathsWork } from "../core/wasm/working-directory.ts";

export interface Program {
  /** Called only when the module isn't kept from an earlier run. */
  readonly read: () => Uint8Array;
  /** The same for the same bytes; undefined: they are not worth keeping. */
  readonly key: string | undefined;
  readonly source: ProgramSource;
}

/** What a container does to the programs that it runs. */
export interface Placement {
  readonly memoryBytesMax: number | undefined;
  /** Absolute. */
  readonly workdir: string;
  /** They count their work, so that they can be made to wait. */
  readonly isMetered: boolean;
}

export interface Compiled {
  readonly module: WebAssembly.Module | Promise<WebAssembly.Module>;
  /** It starts where it was told to. */
  readonly startsInWorkdir: boolean;
  /** What it imports as its memory, as far as that may grow. */
  readonly memory: MemoryType | undefined;
  /** Of all its memories, as it starts. */
  readonly memoryBytesMin: number;
  /** It may start threads. */
  readonly threaded: boolean;
  /** Of one that counts its work. */
  readonly meter: MeterExports | undefined;
}

/** Above this a module is compiled in the background: the event loop goes on. */
const INLINE_COMPILE_BYTES_MAX = 1 << 20;
/** Modules that are kept for the next run; V8 holds their code as long. */
const CACHED_COUNT_MAX = 16;

export class Modules {
  /** Least recently used first. */
  readonly #cache = new Map<string, Compiled>();

  /** @throws WpodError PROGRAM_*, IMAGE_PLATFORM, MEMORY_LIMIT */
  compile({ read, key, source }: Program, placement: Placement): Compiled {
    const cacheKey = key === undefined ? undefined : JSON.stringify([key, placement]);
    const cached = cacheKey === undefined ? undefined : this.#cache.get(cacheKey);
    if (cached !== undefined) {
      this.#keep(cacheKey!, cached);
      return cached;
    }
    const bytes = read();
    const inspection = inspect(bytes);
    const problem = explainProgram(inspection, source);
    if (problem !== undefined || inspection.kind !== "module") {
      throw problem ?? new WpodError("PROGRAM_INVALID", `${source.path} is not a WebAssembly module`);
    }
    const { prepared, startsInWorkdir, memory, meter } = prepare(bytes, inspection, placement, source);
    const threaded = memory?.shared === true && inspection.imports.some(isThreadSpawn);
    const memoryBytesMin = inspection.memories.reduce((sum, type) => sum + minimumBytes(type), 0);
    const compiled: Compiled = {
      module: compile(prepared, source),
      startsInWorkdir,
      memory,
      memoryBytesMin,
      threaded,
      meter,
    };
    if (cacheKey !== undefined) this.#keep(cacheKey, compiled);
    return compiled;
  }

  #keep(key: string, compiled: Compiled): void {
    this.#cache.delete(key);
    this.#cache.set(key, compiled);
    if (compiled.module instanceof Promise) compiled.module.catch(() => this.#cache.delete(key));
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > CACHED_COUNT_MAX && oldest !== undefined) this.#cache.delete(oldest);
  }
}

type PreparedModule = Pick<Compiled, "startsInWorkdir" | "memory" | "meter"> & { prepared: Uint8Array };

/** Nothing is rewritten that doesn't have to be. */
function prepare(
  bytes: Uint8Array,
  inspection: ModuleInspection,
  { memoryBytesMax, workdir, isMetered }: Placement,
  source: ProgramSource,
): PreparedModule {
  let prepared = interruptible(bytes, source);
  let startsInWorkdir = true;
  let memories: readonly MemoryType[] = inspection.memories;
  if (memoryBytesMax !== undefined) {
    const capped = capMemory(prepared, memoryBytesMax);
    if (capped.kind !== "capped") throw explainMemory(capped, source.path);
    // Who asks before it grows may be allowed more while it runs; but what it imports has to fit what it is given.
    const isGiven = inspection.memories.some(({ imported }) => imported);
    const watched = watchMemory(isGiven ? capped.bytes : prepared, inspection.memories, true);
    prepared = isGiven || watched !== prepared ? watched : capped.bytes;
    memories = capped.memories;
  }
  // Behind the watch: a page that the working directory takes is not the program's wish.
  if (workdir !== "/") {
    const entered = enterWorkingDirectory(prepared, inspectModule(prepared), workdir);
    prepared = entered.bytes;
    startsInWorkdir = relativePathsWork(entered.support);
  }
  // The last: what was added is counted too.
  const metered = isMetered ? addMetering(prepared) : undefined;
  if (metered?.kind === "malformed") throw explainUnmetered(metered, source.path);
  // Two imported ones would be one: such a module is told what it lacks.
  const importedCount = inspection.memories.filter(({ imported }) => imported).length;
  return {
    prepared: metered?.bytes ?? prepared,
    startsInWorkdir,
    memory: importedCount === 1 ? memories[0] : undefined,
    meter: metered && { memory: metered.memory, start: metered.start },
  };
}

function explainUnmetered({ problem }: MalformedModule, path: string): WpodError {
  return new WpodError(
    "PROGRAM_INVALID",
    `${path} can't be held to a limit on CPU time: it ${problem.message}, at byte ${problem.offset}`,
    { hint: "run it without the limit, or with Node.js that may inspect its threads: --allow-inspector" },
  );
}

/** What isn't known may be what can't be interrupted. What V8 doesn't know either it explains itself, when it compiles it. */
function interruptible(bytes: Uint8Array, source: ProgramSource): Uint8Array {
  try {
    return makeInterruptible(bytes);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    if (!WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) return bytes;
    throw explainProblem(error.problem, source.path);
  }
}

function isThreadSpawn({ module, name, kind }: ModuleImport): boolean {
  return module === "wasi" && name === "thread-spawn" && kind === "function";
}

function compile(bytes: Uint8Array, source: ProgramSource): Compiled["module"] {
  const whole = bytes as Uint8Array<ArrayBuffer>;
  if (bytes.length > INLINE_COMPILE_BYTES_MAX) {
    return WebAssembly.compile(whole).catch((error: Error) => {
      throw explainCompileError(error, source.path);
    });
  }
  try {
    return new WebAssembly.Module(whole);
  } catch (error) {
    if (error instanceof WebAssembly.CompileError) throw explainCompileError(error, source.path);
    throw new WpodError("PROGRAM_INVALID", `${source.path} can't be compiled`, { cause: error });
  }
}
