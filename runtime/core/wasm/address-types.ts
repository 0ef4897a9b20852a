/** Which memories and tables of a module have addresses, and lengths, of 64 bits. */
import { expectEnd, walkImports } from "./import-section.ts";
import type { InstructionVisitor } from "./instructions.ts";
import { readMemoryType } from "./memory-type.ts";
import { BinaryReader, type Section, SectionId } from "./reader.ts";
import { walkTables } from "./table-section.ts";
import { readTableType } from "./table-type.ts";

/** By index, imported ones first. */
export interface AddressTypes {
  readonly memory64: readonly boolean[];
  readonly table64: readonly boolean[];
}

/**
 * @param visitInitializer gets the instructions of tables' initial elements
 * @throws MalformedError
 */
export function readAddressTypes(
  bytes: Uint8Array,
  sections: readonly Section[],
  visitInitializer: InstructionVisitor,
): AddressTypes {
  const memory64: boolean[] = [];
  const table64: boolean[] = [];
  for (const section of sections) {
    const reader = new BinaryReader(bytes, section.content, section.end);
    if (section.id === SectionId.import) {
      walkImports(bytes, section, ({ kind, memory, typeStart, typeEnd }) => {
        if (memory !== undefined) memory64.push(memory.memory64);
        if (kind === "table")
          table64.push(readTableType(new BinaryReader(bytes, typeStart, typeEnd)).table64);
      });
    } else if (section.id === SectionId.memory) {
      for (let left = reader.count(); left > 0; left--) memory64.push(readMemoryType(reader).memory64);
      expectEnd(reader, "memory");
    } else if (section.id === SectionId.table) {
      walkTables(bytes, section, (type) => table64.push(type.table64), visitInitializer);
    }
  }
  return { memory64, table64 };
}
