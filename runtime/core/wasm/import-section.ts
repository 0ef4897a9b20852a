/**
 * Reads a module's imports one by one, to the byte: what only looks at them and what rewrites a memory among them both use it.
 * @see https://webassembly.github.io/spec/core/binary/modules.html#import-section
 */
import { type MemoryType, readMemoryType } from "./memory-type.ts";
import { BinaryReader, MalformedError, type Section } from "./reader.ts";
import { readTableType } from "./table-type.ts";

export type ExternalKind = "function" | "table" | "memory" | "global" | "tag";

/** Kinds by their number in the binary format. */
export const EXTERNAL_KINDS: readonly ExternalKind[] = ["function", "table", "memory", "global", "tag"];

export interface ImportEntry {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternalKind;
  /** For a memory. */
  readonly memory: MemoryType | undefined;
  /** Offsets of the type behind the kind, and of what follows it. */
  readonly typeStart: number;
  readonly typeEnd: number;
}

/** @throws MalformedError */
export function walkImports(bytes: Uint8Array, section: Section, visit: (entry: ImportEntry) => void): void {
  const reader = new BinaryReader(bytes, section.content, section.end);
  for (let left = reader.count(); left > 0; left--) {
    const module = reader.name();
    const name = reader.name();
    const kindOffset = reader.offset;
    const kind = EXTERNAL_KINDS[reader.byte()];
    if (kind === undefined) throw new MalformedError("has an import of an unknown kind", kindOffset);
    const typeStart = reader.offset;
    const memory = kind === "memory" ? readMemoryType(reader) : undefined;
    if (memory === undefined) skipType(reader, kind);
    visit({ module, name, kind, memory, typeStart, typeEnd: reader.offset });
  }
  expectEnd(reader, "import");
}

/** @throws MalformedError when a section holds more than it counted */
export function expectEnd(reader: BinaryReader, sectionName: string): void {
  if (!reader.atEnd)
    throw new MalformedError(`has bytes that mean nothing in its ${sectionName} section`, reader.offset);
}

function skipType(reader: BinaryReader, kind: ExternalKind): void {
  switch (kind) {
    case "function":
      reader.u32();
      return;
    case "table":
      readTableType(reader);
      return;
    case "global":
      reader.skipValueType();
      reader.byte();
      return;
    case "tag":
      reader.byte();
      reader.u32();
  }
}
