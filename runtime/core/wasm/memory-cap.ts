/**
 * Caps what a module can take, by writing a smaller maximum into the types of its memories. V8 then refuses `memory.grow` at that
 * page: exactly, and with no code of ours on the way.
 *
 * The budget is for all memories of a module together. Each gets its minimum; what is left is divided so that nobody's share is
 * smaller than it has to be: those that declare less than an equal share get what they declare, the others share the rest equally.
 * So the sum never exceeds the budget, and a single memory may take all of it.
 */
import { expectEnd, walkImports } from "./import-section.ts";
import {
  addressablePages,
  type MemoryType,
  minimumBytes,
  readMemoryType,
  writeMemoryType,
} from "./memory-type.ts";
import {
  BinaryReader,
  expectModule,
  MalformedError,
  type Problem,
  type Section,
  SectionId,
  walkSections,
} from "./reader.ts";
import { replaceBytes } from "./section-edit.ts";

export type MemoryCap = CappedMemory | RefusedMemory | MalformedModule;

export interface CappedMemory {
  readonly kind: "capped";
  /** The whole module; the same array when nothing had to be changed. */
  readonly bytes: Uint8Array;
  readonly changed: boolean;
  /** Of all memories together, as they start, and as far as they can grow. */
  readonly minimumBytes: number;
  readonly maximumBytes: number;
  /** By memory index, imported ones first: what the module says now. An imported one has to be made with such limits. */
  readonly memories: readonly MemoryType[];
}

/** It can't even start in the budget. */
export interface RefusedMemory {
  readonly kind: "refused";
  readonly minimumBytes: number;
  readonly limitBytes: number;
}

/** Nothing is said about its memory, and it must not be run uncapped. */
export interface MalformedModule {
  readonly kind: "malformed";
  readonly problem: Problem;
}

/** A memory's type, and the bytes of the module where it stands. */
interface Place {
  readonly type: MemoryType;
  readonly start: number;
  readonly end: number;
  readonly section: Section;
}

/**
 * @param bytes a module; never written to
 * @param bytesMax the budget; counts by whole pages, rounded down
 */
export function capMemory(bytes: Uint8Array, bytesMax: number): MemoryCap {
  let places: Place[];
  try {
    places = findMemories(bytes);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { kind: "malformed", problem: error.problem };
  }

  const types = places.map(({ type }) => type);
  const minimum = sum(types.map(minimumBytes));
  if (minimum > bytesMax) return { kind: "refused", minimumBytes: minimum, limitBytes: bytesMax };

  const memories = shareBudget(types, bytesMax);
  const changed = memories.some((type, index) => type.maximumPages !== types[index]!.maximumPages);
  return {
    kind: "capped",
    bytes: changed ? splice(bytes, places, memories) : bytes,
    changed,
    minimumBytes: minimum,
    maximumBytes: sum(memories.map((type) => maximumPagesOf(type) * type.pageSizeBytes)),
    memories,
  };
}

function findMemories(bytes: Uint8Array): Place[] {
  expectModule(bytes);
  const places: Place[] = [];
  walkSections(bytes, (section) => {
    if (section.id === SectionId.import) {
      walkImports(bytes, section, ({ memory, typeStart, typeEnd }) => {
        if (memory !== undefined) places.push({ type: memory, start: typeStart, end: typeEnd, section });
      });
    } else if (section.id === SectionId.memory) {
      const reader = new BinaryReader(bytes, section.content, section.end);
      for (let left = reader.count(); left > 0; left--) {
        const start = reader.offset;
        const type = readMemoryType(reader);
        places.push({ type, start, end: reader.offset, section });
      }
      expectEnd(reader, "memory");
    }
  });
  return places;
}

/** @returns the types with a maximum each; see the top of this file for the rule */
function shareBudget(types: readonly MemoryType[], bytesMax: number): MemoryType[] {
  const capped = new Array<MemoryType>(types.length);
  let spareBytes = bytesMax - sum(types.map(minimumBytes));
  // Who wants least comes first: what it leaves of its equal share is there for those behind.
  const order = types
    .map((_, index) => index)
    .sort((a, b) => wishedBytes(types[a]!) - wishedBytes(types[b]!) || a - b);
  for (const [place, index] of order.entries()) {
    const type = types[index]!;
    const shareBytes = Math.min(spareBytes / (order.length - place), wishedBytes(type));
    const extraPages = Math.floor(shareBytes / type.pageSizeBytes);
    const maximumPages = type.minimumPages + extraPages;
    // Where the budget is no bound, a memory without a maximum stays without: the module needn't be copied for it.
    capped[index] = maximumPages === maximumPagesOf(type) ? type : { ...type, maximumPages };
    spareBytes -= extraPages * type.pageSizeBytes;
  }
  return capped;
}

/** How much a memory could take on top of its minimum, for all that it says. */
function wishedBytes(type: MemoryType): number {
  return (maximumPagesOf(type) - type.minimumPages) * type.pageSizeBytes;
}

function maximumPagesOf(type: MemoryType): number {
  return type.maximumPages ?? addressablePages(type);
}

/** The module with new types in the old places. */
function splice(bytes: Uint8Array, places: readonly Place[], memories: readonly MemoryType[]): Uint8Array {
  return replaceBytes(
    bytes,
    places.map((place, index) => ({ ...place, bytes: writeMemoryType(memories[index]!) })),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
