/** What a WebAssembly module says of itself: imports, exports, memories. Reads headers; code and data are stepped over. */
import { EXTERNAL_KINDS, type ExternalKind, expectEnd, walkImports } from "./import-section.ts";
import { type MemoryType, readMemoryType } from "./memory-type.ts";
import {
  BinaryReader,
  MalformedError,
  type Problem,
  type Section,
  SectionId,
  walkSections,
} from "./reader.ts";

export interface ModuleImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternalKind;
}

export interface ModuleExport {
  readonly name: string;
  readonly kind: ExternalKind;
  /** Among things of its kind; imported ones come first. */
  readonly index: number;
}

export interface ModuleMemory extends MemoryType {
  readonly imported: boolean;
}

/** A tool or language that the module names in its producers section. */
export interface Producer {
  readonly field: "language" | "processed-by" | "sdk";
  readonly name: string;
  readonly version: string;
}

/**
 * How a module is started, by what it exports. Command: `_start`, once. Reactor: `_initialize`, then other exports as they are called for.
 * @see https://github.com/WebAssembly/WASI/blob/main/legacy/application-abi.md
 */
export type EntryPoint = "command" | "reactor" | "none";

export interface ModuleInspection {
  readonly kind: "module";
  /** Where reading stopped. What stands before it is in the other fields. */
  readonly problem: Problem | undefined;
  readonly imports: readonly ModuleImport[];
  readonly exports: readonly ModuleExport[];
  /** By memory index: imported ones first. */
  readonly memories: readonly ModuleMemory[];
  /** Index of the function that runs when the module is instantiated. */
  readonly startFunction: number | undefined;
  readonly entryPoint: EntryPoint;
  readonly producers: readonly Producer[];
  readonly sections: readonly Section[];
}

/** Programs linked from many languages name a few. */
const PRODUCER_COUNT_MAX = 1000;

/** Files that a linker has to make a program of first: "object" (`-c`), "library" (dynamically linked). */
export type LinkerInput = "object" | "library";

/** @param bytes a file that starts with the eight bytes of a module, else the problem says so */
export function inspectModule(bytes: Uint8Array): ModuleInspection {
  const imports: ModuleImport[] = [];
  const exports: ModuleExport[] = [];
  const memories: ModuleMemory[] = [];
  const producers: Producer[] = [];
  const sections: Section[] = [];
  let startFunction: number | undefined;
  let problem: Problem | undefined;
  try {
    walkSections(bytes, (section) => {
      sections.push(section);
      if (section.id === SectionId.import) readImports(bytes, section, imports, memories);
      else if (section.id === SectionId.memory) readMemories(bytes, section, memories);
      else if (section.id === SectionId.export) readExports(bytes, section, exports);
      else if (section.id === SectionId.start) startFunction = readStart(bytes, section);
      else if (section.name === "producers") producers.push(...readProducers(bytes, section));
    });
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    problem = error.problem;
  }
  const entryPoint = entryPointOf(exports);
  return {
    kind: "module",
    problem,
    imports,
    exports,
    memories,
    startFunction,
    entryPoint,
    producers,
    sections,
  };
}

/** Whether the file still has to be linked, by the custom section that its compiler left. */
export function linkerInput(module: ModuleInspection): LinkerInput | undefined {
  const names = new Set(module.sections.map(({ name }) => name));
  if (names.has("linking")) return "object";
  return names.has("dylink.0") || names.has("dylink") ? "library" : undefined;
}

function entryPointOf(exports: readonly ModuleExport[]): EntryPoint {
  const has = (wanted: string) => exports.some(({ name, kind }) => name === wanted && kind === "function");
  if (has("_start")) return "command";
  return has("_initialize") ? "reactor" : "none";
}

function readImports(
  bytes: Uint8Array,
  section: Section,
  imports: ModuleImport[],
  memories: ModuleMemory[],
): void {
  walkImports(bytes, section, ({ module, name, kind, memory }) => {
    imports.push({ module, name, kind });
    if (memory !== undefined) memories.push({ ...memory, imported: true });
  });
}

function readMemories(bytes: Uint8Array, section: Section, memories: ModuleMemory[]): void {
  const reader = new BinaryReader(bytes, section.content, section.end);
  for (let left = reader.count(); left > 0; left--)
    memories.push({ ...readMemoryType(reader), imported: false });
  expectEnd(reader, "memory");
}

function readExports(bytes: Uint8Array, section: Section, exports: ModuleExport[]): void {
  const reader = new BinaryReader(bytes, section.content, section.end);
  for (let left = reader.count(); left > 0; left--) {
    const name = reader.name();
    const kindOffset = reader.offset;
    const kind = EXTERNAL_KINDS[reader.byte()];
    if (kind === undefined) throw new MalformedError("has an export of an unknown kind", kindOffset);
    exports.push({ name, kind, index: reader.u32() });
  }
  expectEnd(reader, "export");
}

function readStart(bytes: Uint8Array, section: Section): number {
  const reader = new BinaryReader(bytes, section.content, section.end);
  const index = reader.u32();
  expectEnd(reader, "start");
  return index;
}

/**
 * A custom section is only a comment: what is wrong in it makes no module malformed, and what was read up to there counts.
 * @see https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md
 */
function readProducers(bytes: Uint8Array, section: Section): Producer[] {
  const producers: Producer[] = [];
  const reader = new BinaryReader(bytes, section.content, section.end);
  try {
    for (let fields = reader.count(); fields > 0; fields--) {
      const field = reader.name();
      for (let values = reader.count(); values > 0 && producers.length < PRODUCER_COUNT_MAX; values--) {
        const name = reader.name();
        const version = reader.name();
        if (field === "language" || field === "processed-by" || field === "sdk")
          producers.push({ field, name, version });
      }
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  return producers;
}
