/**
 * Runs one preview 1 program in this thread, from its compiled module to its end.
 *
 * @see https://github.com/WebAssembly/WASI/blob/main/legacy/application-abi.md
 */
import type { System } from "../abi/system.ts";
import { Guest, type GuestLimits } from "../guest.ts";
import { createImports, missingImports, type Provided } from "../imports.ts";

/** How it ended, as far as the shim can tell. */
export type ProgramOutcome =
  | { kind: "imports"; missing: { module: string; name: string }[] }
  | { kind: "trap"; message: string }
  | { kind: "defect"; message: string };

export interface ProgramResult<Ended> {
  outcome: Ended | ProgramOutcome;
  exports: Readonly<Record<string, unknown>> | undefined;
}

export interface MemoryGuard {
  /** The program has an instance, and nothing of it has run. */
  attach(exports: Readonly<Record<string, unknown>>, provided: WebAssembly.Memory | undefined): void;
  /** Its memory is another size than before. */
  grown(): void;
}

/** What a program has beside its module, when it shares memory with other threads or imports it. */
export interface ProgramParts {
  /** For a module that imports its memory. */
  readonly memory?: WebAssembly.Memory | undefined;
  /** Has its instance before anything of it runs. */
  readonly instantiated?: ((exports: Readonly<Record<string, unknown>>) => void) | undefined;
  /** Name of an exported function that runs first: what was the module's start function. */
  readonly startExport?: string | undefined;
  /** Knows what its memory may become. Called in the course of the program: what it throws ends it. */
  readonly memoryGuard?: MemoryGuard | undefined;
  readonly shared?: GuestLimits["shared"];
  /** It isn't the program's first thread: `wasi_thread_start` with these. */
  readonly thread?: { readonly id: number; readonly startArg: number } | undefined;
}

/**
 * @param endOf what the runtime throws to unwind a program that ended itself, as its outcome; undefined for anything else
 * @param returned the outcome of a program whose `_start`, or of a thread whose function came back
 */
export function runProgram<Ended>(
  module: WebAssembly.Module,
  system: System,
  descriptorsMax: number,
  endOf: (thrown: unknown) => Ended | undefined,
  returned: Ended,
  parts: ProgramParts = {},
): ProgramResult<Ended> {
  const wanted = WebAssembly.Module.imports(module);
  const provided: Provided = parts.memory === undefined ? {} : { memory: parts.memory };
  const missing = missingImports(wanted, provided);
  if (missing.length > 0) return { outcome: { kind: "imports", missing }, exports: undefined };

  const guest = new Guest(system, { descriptorsMax, shared: parts.shared });
  let exports: Record<string, unknown> | undefined;
  const result = (outcome: Ended | ProgramOutcome): ProgramResult<Ended> => ({ outcome, exports });
  let thrown: unknown;
  let returns = false;
  try {
    const instance = new WebAssembly.Instance(module, createImports(guest, wanted, provided));
    exports = instance.exports;
    const { memoryGuard, startExport } = parts;
    parts.instantiated?.(exports);
    memoryGuard?.attach(exports, parts.memory);
    if (startExport !== undefined) (exports[startExport] as () => void)();
    const memory = exports.memory ?? parts.memory;
    if (memory instanceof WebAssembly.Memory) {
      guest.memory.attach(memory, () => memoryGuard?.grown());
      system.memoryReady?.(memory);
    }
    if (system.attention !== undefined) system.attention.inHost = false;
    enter(exports, parts.thread);
    returns = true;
  } catch (caught) {
    thrown = caught;
  } finally {
    if (system.attention !== undefined) system.attention.inHost = true;
    guest.close();
  }
  if (guest.ended !== undefined) thrown = guest.ended.thrown;
  else if (returns) return result(returned);
  const ended = endOf(thrown);
  if (ended !== undefined) return result(ended);
  return result(trapOf(thrown) ?? { kind: "defect", message: describe(thrown) });
}

function enter(exports: Readonly<Record<string, unknown>>, thread: ProgramParts["thread"]): void {
  if (thread === undefined) {
    // A reactor is initialised, and then waits for calls that nobody makes.
    const entry = exports._start ?? exports._initialize;
    (entry as () => void)();
    return;
  }
  const entry = exports.wasi_thread_start;
  if (typeof entry !== "function") throw new WebAssembly.RuntimeError("no wasi_thread_start to run a thread");
  entry(thread.id, thread.startArg);
}

/** What the guest's own code did: V8 tells it by the class of what it throws. */
function trapOf(thrown: unknown): ProgramOutcome | undefined {
  if (thrown instanceof WebAssembly.RuntimeError) return { kind: "trap", message: thrown.message };
  if (thrown instanceof WebAssembly.LinkError) return { kind: "trap", message: thrown.message };
  if (thrown instanceof RangeError && thrown.message.includes("call stack")) {
    return { kind: "trap", message: "call stack exhausted" };
  }
  if (thrown instanceof TypeError && CONVERSION.test(thrown.message)) {
    return { kind: "trap", message: "a function of WASI, or _start, with other types than WASI has for it" };
  }
  const { Exception } = WebAssembly as { Exception?: new () => object };
  if (Exception !== undefined && thrown instanceof Exception) {
    return { kind: "trap", message: "an exception that nobody caught" };
  }
  return undefined;
}

/**
 * What JavaScript says where a number meets a bigint: V8 links a function of ours to an import of any type, and a module
 * may say that it takes an `i64` or a struct of its own for a descriptor, or gives two results. Numbers have no other way to be refused.
 */
const CONVERSION = /BigInt|object to primitive|is not iterable|multi-return/;

function describe(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.message}\n${thrown.stack ?? ""}` : String(thrown);
}
