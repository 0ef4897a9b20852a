/** From the bytes of a program to a compiled module, once for each program and memory limit. */
import { WpodError } from "../core/error.ts";
import {
  explainCompileError,
  explainMemory,
  explainProgram,
  type ProgramSource,
} from "../core/wasm/explain.ts";
import { inspect } from "../core/wasm/inspect.ts";
import { capMemory } from "../core/wasm/memory-cap.ts";
import { watchMemory } from "../core/wasm/memory-watch.ts";

export type Compiled = WebAssembly.Module | Promise<WebAssembly.Module>;

/** Above this a module is compiled in the background: the event loop goes on. */
const INLINE_COMPILE_BYTES_MAX = 1 << 20;
/** Modules that are kept for the next run; V8 holds their code as long. */
const CACHED_COUNT_MAX = 16;

export class Modules {
  readonly #cache = new Map<string, Compiled>();

  /**
   * @param key the same for the same bytes and limit; undefined: don't keep it
   * @throws WpodError PROGRAM_*, IMAGE_PLATFORM, MEMORY_LIMIT
   */
  compile(
    key: string | undefined,
    bytes: Uint8Array,
    memoryBytesMax: number | undefined,
    source: ProgramSource,
  ): Compiled {
    const cacheKey = key === undefined ? undefined : `${memoryBytesMax ?? ""}:${key}`;
    const cached = cacheKey === undefined ? undefined : this.#cache.get(cacheKey);
    if (cached !== undefined) return cached;
    const problem = explainProgram(inspect(bytes), source);
    if (problem !== undefined) throw problem;
    const compiled = compile(prepare(bytes, memoryBytesMax, source), source);
    if (cacheKey !== undefined) this.#keep(cacheKey, compiled);
    return compiled;
  }

  #keep(key: string, compiled: Compiled): void {
    this.#cache.set(key, compiled);
    if (compiled instanceof Promise) {
      compiled.then(
        (module) => this.#cache.has(key) && this.#cache.set(key, module),
        () => this.#cache.delete(key),
      );
    }
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > CACHED_COUNT_MAX && oldest !== undefined) this.#cache.delete(oldest);
  }
}

/** Without a limit the module stays as it is: nothing is rewritten that doesn't have to be. */
function prepare(bytes: Uint8Array, memoryBytesMax: number | undefined, source: ProgramSource): Uint8Array {
  if (memoryBytesMax === undefined) return bytes;
  const capped = capMemory(bytes, memoryBytesMax);
  if (capped.kind !== "capped") throw explainMemory(capped, source.path);
  return watchMemory(capped.bytes);
}

function compile(bytes: Uint8Array, source: ProgramSource): Compiled {
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
