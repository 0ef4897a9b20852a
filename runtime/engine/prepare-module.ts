/** What is done to the bytes of a program, so that it stays within its container. Nothing is rewritten that doesn't have to be. */
import { WpodError } from "../core/error.ts";
import type { MeterExports } from "../core/kernel/spec.ts";
import { explainMemory, type ProgramSource } from "../core/wasm/explain.ts";
import type { Interruptible } from "../core/wasm/interruptible.ts";
import { capMemory, type MalformedModule } from "../core/wasm/memory-cap.ts";
import type { MemoryType } from "../core/wasm/memory-type.ts";
import { watchMemory } from "../core/wasm/memory-watch.ts";
import { addMetering, type MeteredModule } from "../core/wasm/metering.ts";
import { inspectModule, type ModuleInspection } from "../core/wasm/module-inspection.ts";
import { flagWaits } from "../core/wasm/wait-flag.ts";
import { enterWorkingDirectory, relativePathsWork } from "../core/wasm/working-directory.ts";
import { isValid } from "./confine-module.ts";
import { MEMORY_BYTES_MAX } from "./limits.ts";

/** What a container does to the programs that it runs. */
export interface Placement {
  readonly memoryBytesMax: number | undefined;
  /** Absolute. */
  readonly workdir: string;
  /** They count their work, so that they can be made to wait. */
  readonly isMetered: boolean;
}

export interface PreparedModule {
  readonly bytes: Uint8Array;
  /** It starts where it was told to. */
  readonly startsInWorkdir: boolean;
  /** What it imports as its memory, as far as that may grow. */
  readonly memory: MemoryType | undefined;
  /** It makes objects beside its memory, on the heap of its thread. */
  readonly makesObjects: boolean;
  /** It asks before its memory grows. */
  readonly memoryWatched: boolean;
  /** Of one that counts its work. */
  readonly meter: MeterExports | undefined;
}

/**
 * @param confined see `confineModule`
 * @param inspection of the module as it came
 * @throws WpodError PROGRAM_INVALID, MEMORY_LIMIT
 */
export function prepareModule(
  confined: Interruptible,
  inspection: ModuleInspection,
  { memoryBytesMax, workdir, isMetered }: Placement,
  source: ProgramSource,
): PreparedModule {
  const { memories: declared } = inspection;
  // Only in a shared memory a program can wait by itself; one that is metered waits in code that was added.
  const mayWait = isMetered || declared.some(({ shared }) => shared);
  let prepared = confined.bytes;
  if (mayWait && !isValid(prepared)) return { ...UNCHANGED, bytes: prepared };
  let startsInWorkdir = true;
  const capped = capMemory(prepared, memoryBytesMax ?? MEMORY_BYTES_MAX);
  if (capped.kind !== "capped") throw explainMemory(capped, source.path);
  const { memories } = capped;
  let memoryWatched = false;
  // One memory of 32-bit addresses can't have more than the usual limit: the module needn't be rewritten for it.
  if (memoryBytesMax !== undefined || capped.changed) {
    // Who asks before it grows may be allowed more while it runs; but what it imports has to fit what it is given.
    const isGiven = declared.some(({ imported }) => imported);
    const unwatched = isGiven ? capped.bytes : prepared;
    const watched = watchMemory(unwatched, declared, true);
    memoryWatched = watched !== unwatched;
    prepared = memoryWatched ? watched : capped.bytes;
  }
  // Behind the watch: a page that the working directory takes is not the program's wish.
  if (workdir !== "/") {
    const entered = enterWorkingDirectory(prepared, inspectModule(prepared), workdir);
    prepared = entered.bytes;
    startsInWorkdir = relativePathsWork(entered.support);
  }
  // Behind all that adds code: that is counted too.
  const metered = isMetered ? meter(prepared, source) : undefined;
  prepared = metered?.bytes ?? prepared;
  if (mayWait) prepared = flagWaits(prepared);
  // Two imported ones would be one: such a module is told what it lacks.
  const importedCount = declared.filter(({ imported }) => imported).length;
  return {
    bytes: prepared,
    startsInWorkdir,
    memory: importedCount === 1 ? memories[0] : undefined,
    makesObjects: confined.makesObjects,
    memoryWatched,
    meter: metered && { memory: metered.memory, start: metered.start },
  };
}

/** V8 explains what is wrong, when it compiles it. */
const UNCHANGED = {
  startsInWorkdir: true,
  memory: undefined,
  makesObjects: false,
  memoryWatched: false,
  meter: undefined,
};

function meter(bytes: Uint8Array, source: ProgramSource): MeteredModule {
  const metered = addMetering(bytes);
  if (metered.kind === "metered") return metered;
  throw explainUnmetered(metered, source.path);
}

function explainUnmetered({ problem }: MalformedModule, path: string): WpodError {
  return new WpodError(
    "PROGRAM_INVALID",
    `${path} can't be held to a limit on CPU time: it ${problem.message}, at byte ${problem.offset}`,
    { hint: "run it without the limit, or with Node.js that may inspect its threads: --allow-inspector" },
  );
}
