/**
 * Makes a module count its own work, so that a host can pause it, bound it, and tell what it used, without an inspector and
 * without a call out of WebAssembly.
 *
 * Everything is appended, so that nothing is renumbered: types, a memory that is shared with the host (`meter-memory.ts`), a
 * global, functions (`meter-functions.ts`), exports. Into the code go checks (`meter-checks.ts`), and charges for single
 * instructions that work on much (`charged-instructions.ts`). One round is one check, or what a charge takes for one.
 *
 * Custom sections stay, debug information too, whose offsets into the code no longer fit; only hints about code are replaced.
 */
import { assert } from "../error.ts";
import { readAddressTypes } from "./address-types.ts";
import type { MalformedModule } from "./memory-cap.ts";
import { PAGE_BYTES } from "./memory-type.ts";
import { CheckInserter } from "./meter-checks.ts";
import { MeterFunctions } from "./meter-functions.ts";
import { ModuleEditor } from "./module-editor.ts";
import { OwnReferences } from "./own-references.ts";
import { MalformedError, SectionId } from "./reader.ts";

export interface MeteringOptions {
  /** Checks between two looks; a power of two from 1 to 2^20. */
  readonly interval: number;
}

export type Metering = MeteredModule | MalformedModule;

export interface MeteredModule {
  readonly kind: "metered";
  readonly bytes: Uint8Array;
  /** Name of the exported memory, for a `MeterControl`. */
  readonly memory: string;
  /**
   * Name of what was the start function: to be called once the memory is known, before any other export. It would else run, for
   * as long as it likes, while nobody has the memory. undefined where there is none.
   */
  readonly start: string | undefined;
}

/** 1,024 rounds take some microseconds; a look takes as long as some ten of them. */
const INTERVAL = 1024;
const INTERVAL_MAX = 2 ** 20;

// Names of exports, or the beginning of them where the module has such names itself.
const MEMORY_EXPORT = "wpod.meter";
const START_EXPORT = "wpod.start";

const PAGE = { minimumPages: 1, maximumPages: 1, shared: true, memory64: false, pageSizeBytes: PAGE_BYTES };
const BRANCH_HINTS = "metadata.code.branch_hint";

/**
 * @param module whatever a guest brought; never written to
 * @returns malformed also for a module that is near a limit of V8's, and would be over it with what is added
 */
export function addMetering(module: Uint8Array, options: Partial<MeteringOptions> = {}): Metering {
  const interval = options.interval ?? INTERVAL;
  assert(
    interval >= 1 && interval <= INTERVAL_MAX && Number.isInteger(Math.log2(interval)),
    "an interval is a power of two from 1 to 2^20",
  );
  try {
    return meter(module, interval);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { kind: "malformed", problem: error.problem };
  }
}

function meter(module: Uint8Array, interval: number): MeteredModule {
  const editor = new ModuleEditor(module);
  const { counts, sections, code } = editor;
  const references = new OwnReferences(module, counts);
  references.checkSections(sections);
  const addresses = readAddressTypes(module, sections, references.check);

  const memoryIndex = editor.addMemory(PAGE);
  const fuel = editor.addGlobal(interval);
  const functions = new MeterFunctions(editor, memoryIndex, fuel, interval);
  const firstFunction = counts.function - code.count;
  const checked = { bytes: module, references, addresses, firstFunction };
  const paramCount = (functionIndex: number) => editor.signature(functionIndex)?.params.length ?? 0;
  const inserter = new CheckInserter(checked, code.reader, functions, fuel, paramCount);
  const { bodies, hints } = inserter.insert(code);
  editor.replaceCode([bodies]);
  editor.addCustomSection(BRANCH_HINTS, [hints]);

  const memory = editor.freeExportName(MEMORY_EXPORT);
  editor.export("memory", memory, memoryIndex);
  const hasStart = sections.some(({ id }) => id === SectionId.start);
  const start = hasStart ? editor.freeExportName(START_EXPORT) : undefined;
  if (start !== undefined) editor.exportStart(start);
  return { kind: "metered", bytes: editor.finish(), memory, start };
}
