/**
 * Reads a module's element segments: what tables are filled with, and what waits to be put there.
 * @see https://webassembly.github.io/spec/core/binary/modules.html#element-section
 */
import { type InstructionVisitor, walkExpression } from "./instructions.ts";
import type { BinaryReader } from "./reader.ts";

export interface ElementVisitor {
  /** It is put into that table. */
  table?(index: number, offset: number): void;
  /** A segment of so many begins. */
  segment?(elementCount: number): void;
  /** Of a constant expression: an offset, or an element. */
  readonly instruction: InstructionVisitor;
  /** An element that is a function, by its index. */
  function(index: number, offset: number): void;
}

/** @throws MalformedError */
export function walkElements(reader: BinaryReader, visitor: ElementVisitor): void {
  const expression = () => {
    reader.offset = walkExpression(reader.bytes, reader.offset, reader.end, visitor.instruction);
  };
  for (let left = reader.count(); left > 0; left--) {
    const flags = reader.u32();
    const passive = (flags & 1) !== 0;
    const explicit = (flags & 2) !== 0;
    const expressions = (flags & 4) !== 0;
    const tableOffset = reader.offset;
    const table = !passive && explicit ? reader.u32() : 0;
    if (!passive) visitor.table?.(table, tableOffset);
    if (!passive) expression();
    if ((passive || explicit) && expressions) reader.skipValueType();
    else if (passive || explicit) reader.byte();
    // Ten million of them may be there: more than of anything else that is counted.
    const elementCount = reader.u32();
    visitor.segment?.(elementCount);
    for (let elements = elementCount; elements > 0; elements--) {
      const start = reader.offset;
      if (expressions) expression();
      else visitor.function(reader.u32(), start);
    }
  }
}
