/** From the bytes of a program to a compiled module, once for each program, memory limit and working directory. */
import { WpodError } from "../core/error.ts";
import {
  explainCompileError,
  explainInstance,
  explainMemory,
  explainProblem,
  explainProgram,
  type ProgramSource,
} from "../core/wasm/explain.ts";
import { findWaits } from "../core/wasm/find-waits.ts";
import { inspect } from "../core/wasm/inspect.ts";
import { boundInstanceHeap } from "../core/wasm/instance-heap.ts";
import { type Interruptible, makeInterruptible } from "../core/wasm/interruptible.ts";
import { capMemory } from "../core/wasm/memory-cap.ts";
import { type MemoryType, minimumBytes } from "../core/wasm/memory-type.ts";
import { watchMemory } from "../core/wasm/memory-watch.ts";
import { inspectModule, type ModuleImport, type ModuleInspection } from "../core/wasm/module-inspection.ts";
import { MalformedError } from "../core/wasm/reader.ts";
import { addReentry } from "../core/wasm/reentry.ts";
import { chooseReentry } from "../core/wasm/reentry-choice.ts";
import { enterWorkingDirectory, relativePathsWork } from "../core/wasm/working-directory.ts";
import type { RewrittenModules } from "../node/store/rewritten-modules.ts";
import { MEMORY_BYTES_MAX } from "./limits.ts";
import { countTypes } from "./type-ledger.ts";

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
  /** It makes objects beside its memory, on the heap of its thread. */
  readonly makesObjects: boolean;
  /** It asks before its memory grows. */
  readonly memoryWatched: boolean;
  /** See `StartMessage`. */
  readonly waitOffsets: readonly number[];
}

/** Above this a module is compiled in the background: the event loop goes on. */
const INLINE_COMPILE_BYTES_MAX = 1 << 20;
/** Modules that are kept for the next run; V8 holds their code as long. */
const CACHED_COUNT_MAX = 16;

export class Modules {
  /** Least recently used first. */
  readonly #cache = new Map<string, Compiled>();
  readonly #rewritten: RewrittenModules | undefined;

  /** @param rewritten where re-entry is added to modules, once for each; undefined: it isn't */
  constructor(rewritten?: RewrittenModules) {
    this.#rewritten = rewritten;
  }

  /** @throws WpodError PROGRAM_*, IMAGE_PLATFORM, MEMORY_LIMIT */
  compile({ read, key, source }: Program, placement: Placement): Compiled {
    const cacheKey =
      key === undefined ? undefined : JSON.stringify([key, placement.memoryBytesMax, placement.workdir]);
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
    countTypes(bytes, inspection.sections);
    const fast = this.#addReentry(bytes, inspection);
    const { prepared, ...confined } = prepare(fast, inspection, placement, source);
    const { memory } = confined;
    const threaded = memory?.shared === true && inspection.imports.some(isThreadSpawn);
    const memoryBytesMin = inspection.memories.reduce((sum, type) => sum + minimumBytes(type), 0);
    const compiled: Compiled = {
      ...confined,
      module: compile(prepared, source),
      memoryBytesMin,
      threaded,
      waitOffsets: inspection.memories.some(({ shared }) => shared) ? findWaits(prepared) : [],
    };
    if (cacheKey !== undefined) this.#keep(cacheKey, compiled);
    return compiled;
  }

  #addReentry(bytes: Uint8Array, inspection: ModuleInspection): Uint8Array {
    const choice = chooseReentry(inspection);
    if (choice === undefined) return bytes;
    return this.#rewritten?.get(bytes, "reentry", () => addReentry(bytes, choice)) ?? bytes;
  }

  #keep(key: string, compiled: Compiled): void {
    this.#cache.delete(key);
    this.#cache.set(key, compiled);
    if (compiled.module instanceof Promise) compiled.module.catch(() => this.#cache.delete(key));
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > CACHED_COUNT_MAX && oldest !== undefined) this.#cache.delete(oldest);
  }
}

/**
 * Nothing is rewritten that doesn't have to be.
 * @param inspection of the module as it came
 */
function prepare(
  bytes: Uint8Array,
  inspection: ModuleInspection,
  { memoryBytesMax, workdir }: Placement,
  source: ProgramSource,
): Pick<Compiled, "startsInWorkdir" | "memory" | "makesObjects" | "memoryWatched"> & {
  prepared: Uint8Array;
} {
  const { bytes: confined, makesObjects } = confine(bytes, source);
  let prepared = confined;
  let startsInWorkdir = true;
  const capped = capMemory(prepared, memoryBytesMax ?? MEMORY_BYTES_MAX);
  if (capped.kind !== "capped") throw explainMemory(capped, source.path);
  const { memories } = capped;
  // One memory of 32-bit addresses can't have more than the usual limit: the module needn't be rewritten for it.
  const isWatched = memoryBytesMax !== undefined || capped.changed;
  if (isWatched) prepared = watchMemory(capped.bytes, inspection.memories, true);
  const memoryWatched = isWatched && prepared !== capped.bytes;
  // Behind the watch: a page that the working directory takes is not the program's wish.
  if (workdir !== "/") {
    const entered = enterWorkingDirectory(prepared, inspectModule(prepared), workdir);
    prepared = entered.bytes;
    startsInWorkdir = relativePathsWork(entered.support);
  }
  // Two imported ones would be one: such a module is told what it lacks.
  const importedCount = inspection.memories.filter(({ imported }) => imported).length;
  const memory = importedCount === 1 ? memories[0] : undefined;
  return { prepared, startsInWorkdir, memory, makesObjects, memoryWatched };
}

/** What isn't known may be what can't be confined. What V8 doesn't know either it explains itself, when it compiles it. */
function confine(bytes: Uint8Array, source: ProgramSource): Interruptible {
  try {
    const heap = boundInstanceHeap(bytes);
    if (heap.kind === "refused") throw explainInstance(heap);
    return makeInterruptible(heap.bytes);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    if (!WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) {
      return { bytes, makesObjects: false };
    }
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
