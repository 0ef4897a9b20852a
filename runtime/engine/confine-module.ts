/**
 * What is done to a module wherever it runs: long calls become fast, what it makes beside its memory is bounded, and it can be interrupted. All of it
 * depends on the module alone, and is found out once.
 */
import { explainInstance, explainProblem, type ProgramSource } from "../core/wasm/explain.ts";
import { boundInstanceHeap } from "../core/wasm/instance-heap.ts";
import { type Interruptible, makeInterruptible } from "../core/wasm/interruptible.ts";
import type { ModuleInspection } from "../core/wasm/module-inspection.ts";
import { applyPatch, compose, insertions, type Patch } from "../core/wasm/patch.ts";
import { MalformedError } from "../core/wasm/reader.ts";
import { planReentry } from "../core/wasm/reentry.ts";
import { chooseReentry } from "../core/wasm/reentry-choice.ts";
import type { RewrittenModules } from "../node/store/rewritten-modules.ts";

export interface Confinement {
  /** Where patches are kept. */
  readonly rewritten: RewrittenModules;
  readonly reentry: boolean;
}

/**
 * @param key the same for the same bytes, where that is known
 * @throws WpodError PROGRAM_INVALID
 */
export function confineModule(
  bytes: Uint8Array,
  inspection: ModuleInspection,
  key: string | undefined,
  source: ProgramSource,
  { rewritten, reentry }: Confinement,
): Interruptible {
  const plan = (): Patch => {
    const choice = reentry ? chooseReentry(inspection) : undefined;
    const first = choice && planReentry(bytes, choice);
    const fast = first === undefined ? bytes : applyPatch(bytes, first);
    const confined = confine(fast, source);
    const second = insertions(fast, confined.bytes);
    return {
      // Whoever confines looks at everything.
      reads: key === undefined ? [[0, bytes.length]] : [],
      pieces: first === undefined ? second : compose(first.pieces, second),
      note: confined.makesObjects ? 1 : 0,
    };
  };
  const found = rewritten.get(bytes, reentry ? "reentry" : "confined", plan, key);
  return { bytes: found.bytes, makesObjects: found.note !== 0 };
}

/** What isn't known may be what can't be confined. What V8 doesn't know either it explains itself, when it compiles it. */
function confine(bytes: Uint8Array, source: ProgramSource): Interruptible {
  try {
    const heap = boundInstanceHeap(bytes);
    if (heap.kind === "refused") throw explainInstance(heap);
    return makeInterruptible(heap.bytes);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    if (!isValid(bytes)) return { bytes, makesObjects: false };
    throw explainProblem(error.problem, source.path);
  }
}

export function isValid(bytes: Uint8Array): boolean {
  return WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>);
}
