/**
 * Reads the tables that a module defines.
 * @see https://webassembly.github.io/spec/core/binary/modules.html#table-section
 */
import { expectEnd } from "./import-section.ts";
import { type InstructionVisitor, walkExpression } from "./instructions.ts";
import { BinaryReader, type Section } from "./reader.ts";
import { readTableType, type TableType } from "./table-type.ts";

/** In front of a table that isn't filled with null; behind it stands what with. */
const TABLE_WITH_INITIALIZER = 0x40;

/**
 * @param visit gets each type, and where its limits stand
 * @param visitInitializer gets the instructions of tables' initial elements
 * @throws MalformedError
 */
export function walkTables(
  bytes: Uint8Array,
  section: Section,
  visit: (type: TableType, limitsStart: number, limitsEnd: number) => void,
  visitInitializer: InstructionVisitor,
): void {
  const reader = new BinaryReader(bytes, section.content, section.end);
  for (let left = reader.count(); left > 0; left--) {
    const hasInitializer = bytes[reader.offset] === TABLE_WITH_INITIALIZER;
    if (hasInitializer) reader.skip(2);
    const elementType = new BinaryReader(bytes, reader.offset, reader.end);
    elementType.skipValueType();
    visit(readTableType(reader), elementType.offset, reader.offset);
    if (hasInitializer) reader.offset = walkExpression(bytes, reader.offset, reader.end, visitInitializer);
  }
  expectEnd(reader, "table");
}
