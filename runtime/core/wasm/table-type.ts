/**
 * The type of a table, as far as code has to know it.
 * @see https://webassembly.github.io/spec/core/binary/types.html#table-types
 */
import { type BinaryReader, MalformedError, unsigned } from "./reader.ts";

export interface TableType {
  readonly minimum: number;
  /** undefined: as far as V8 lets it grow. */
  readonly maximum: number | undefined;
  /** Addresses of 64 bits. */
  readonly table64: boolean;
}

// Bits of the byte that stands in front of limits. V8 takes no shared tables yet.
const HAS_MAXIMUM = 1;
const TABLE_64 = 4;

/** @throws MalformedError also for flags that aren't known */
export function readTableType(reader: BinaryReader): TableType {
  reader.skipValueType();
  const flagsOffset = reader.offset;
  const flags = reader.byte();
  if (flags > 7) throw new MalformedError("has a table of an unknown kind", flagsOffset);
  const table64 = (flags & TABLE_64) !== 0;
  const read = () => (table64 ? reader.u64() : reader.u32());
  const minimum = read();
  const maximum = (flags & HAS_MAXIMUM) !== 0 ? read() : undefined;
  return { minimum, maximum, table64 };
}

/** The limits, with a maximum, without the type of elements that stands in front of them. */
export function writeTableLimits({ minimum, table64 }: TableType, maximum: number): number[] {
  const flags = HAS_MAXIMUM | (table64 ? TABLE_64 : 0);
  return [flags, ...unsigned(minimum), ...unsigned(maximum)];
}
