/** From the bytes of a program to a compiled module, once for each program, memory limit and working directory. */
import { WpodError } from "../core/error.ts";
import { explainCompileError, explainProgram, type ProgramSource } from "../core/wasm/explain.ts";
import { inspect } from "../core/wasm/inspect.ts";
import { minimumBytes } from "../core/wasm/memory-type.ts";
import type { ModuleImport } from "../core/wasm/module-inspection.ts";
import { type Confinement, confineModule } from "./confine-module.ts";
import { type Placement, type PreparedModule, prepareModule } from "./prepare-module.ts";
import { countTypes } from "./type-ledger.ts";

export interface Program {
  /** Called only when the module isn't kept from an earlier run. */
  readonly read: () => Uint8Array;
  /** The same for the same bytes; undefined: they are not worth keeping. */
  readonly key: string | undefined;
  readonly source: ProgramSource;
}

export interface Compiled extends Omit<PreparedModule, "bytes"> {
  readonly module: WebAssembly.Module | Promise<WebAssembly.Module>;
  /** Of all its memories, as it starts. */
  readonly memoryBytesMin: number;
  /** It may start threads. */
  readonly threaded: boolean;
}

/** Above this a module is compiled in the background: the event loop goes on. */
const INLINE_COMPILE_BYTES_MAX = 1 << 20;
/** Modules that are kept for the next run; V8 holds their code as long. */
const CACHED_COUNT_MAX = 16;

export class Modules {
  /** Least recently used first. */
  readonly #cache = new Map<string, Compiled>();
  readonly #confinement: Confinement;

  constructor(confinement: Confinement) {
    this.#confinement = confinement;
  }

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
    countTypes(bytes, inspection.sections);
    const confined = confineModule(bytes, inspection, key, source, this.#confinement);
    const { bytes: prepared, memory, ...told } = prepareModule(confined, inspection, placement, source);
    const threaded = memory?.shared === true && inspection.imports.some(isThreadSpawn);
    const memoryBytesMin = inspection.memories.reduce((sum, type) => sum + minimumBytes(type), 0);
    const compiled: Compiled = {
      ...told,
      module: compile(prepared, source),
      memory,
      memoryBytesMin,
      threaded,
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
