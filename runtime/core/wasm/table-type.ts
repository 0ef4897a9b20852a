/**
 * The type of a table, as far as code has to know it.
 * @see https://webassembly.github.io/spec/core/binary/types.html#table-types
 */
import { type BinaryReader, MalformedError } from "./reader.ts";

export interface TableType {
  /** Addresses of 64 bits. */
  readonly table64: boolean;
}

// Bits of the byte that stands in front of limits.
const HAS_MAXIMUM = 1;
const TABLE_64 = 4;

/** @throws MalformedError also for flags that aren't known */
export function readTableType(reader: BinaryReader): TableType {
  reader.skipValueType();
  const flagsOffset = reader.offset;
  const flags = reader.byte();
  if (flags > 7) throw new MalformedError("has a table of an unknown kind", flagsOffset);
  const table64 = (flags & TABLE_64) !== 0;
  for (let left = (flags & HAS_MAXIMUM) !== 0 ? 2 : 1; left > 0; left--)
    table64 ? reader.u64() : reader.u32();
  return { table64 };
}
