/**
 * The type of a memory: how large it is at the start, and how large it may become.
 * @see https://webassembly.github.io/spec/core/binary/types.html#binary-limits
 */
import { type BinaryReader, MalformedError, unsigned } from "./reader.ts";

export interface MemoryType {
  readonly minimumPages: number;
  /** undefined: as far as the addresses reach. */
  readonly maximumPages: number | undefined;
  readonly shared: boolean;
  /** Addresses of 64 bits. */
  readonly memory64: boolean;
  /** 65,536; with the custom page sizes proposal it may be 1. */
  readonly pageSizeBytes: number;
}

export const PAGE_BYTES = 65536;

// Bits of the byte that stands in front of limits.
const HAS_MAXIMUM = 1;
const SHARED = 2;
const MEMORY_64 = 4;
const CUSTOM_PAGE_SIZE = 8;

/** @throws MalformedError also for a shared memory without a maximum, and for flags that aren't known */
export function readMemoryType(reader: BinaryReader): MemoryType {
  const start = reader.offset;
  const flags = reader.byte();
  if (flags > 15)
    throw new MalformedError(`has a memory of an unknown kind (flags 0x${flags.toString(16)})`, start);
  const memory64 = (flags & MEMORY_64) !== 0;
  const shared = (flags & SHARED) !== 0;
  const read = () => (memory64 ? reader.u64() : reader.u32());
  const minimumPages = read();
  const maximumPages = (flags & HAS_MAXIMUM) !== 0 ? read() : undefined;
  if (shared && maximumPages === undefined) {
    throw new MalformedError("has a shared memory without a maximum", start);
  }
  if (maximumPages !== undefined && maximumPages < minimumPages) {
    throw new MalformedError("has a memory whose maximum is under its minimum", start);
  }
  const pageSizeLog2 = (flags & CUSTOM_PAGE_SIZE) !== 0 ? reader.u32() : 16;
  if (pageSizeLog2 !== 16 && pageSizeLog2 !== 0) {
    throw new MalformedError(`has a memory with pages of 2^${pageSizeLog2} bytes`, start);
  }
  const type = { minimumPages, maximumPages, shared, memory64, pageSizeBytes: 2 ** pageSizeLog2 };
  if ((maximumPages ?? minimumPages) > addressablePages(type)) {
    throw new MalformedError("has a memory with more pages than it has addresses for", start);
  }
  return type;
}

/** How many pages its addresses reach: the maximum of a memory that declares none. */
export function addressablePages(type: Pick<MemoryType, "memory64" | "pageSizeBytes">): number {
  return Math.min((type.memory64 ? 2 ** 64 : 2 ** 32) / type.pageSizeBytes, Number.MAX_SAFE_INTEGER);
}

export function writeMemoryType(type: MemoryType): number[] {
  const custom = type.pageSizeBytes !== PAGE_BYTES;
  const flags =
    (type.maximumPages === undefined ? 0 : HAS_MAXIMUM) |
    (type.shared ? SHARED : 0) |
    (type.memory64 ? MEMORY_64 : 0) |
    (custom ? CUSTOM_PAGE_SIZE : 0);
  return [
    flags,
    ...unsigned(type.minimumPages),
    ...(type.maximumPages === undefined ? [] : unsigned(type.maximumPages)),
    ...(custom ? unsigned(Math.log2(type.pageSizeBytes)) : []),
  ];
}

/** How much it takes before it grows. May exceed what a number can count exactly; it then exceeds every limit too. */
export function minimumBytes(type: MemoryType): number {
  return type.minimumPages * type.pageSizeBytes;
}
