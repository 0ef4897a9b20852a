/**
 * Reads a module's types: those of functions as far as it takes to know a function by its type, of structs and arrays only
 * where they end. Types stand alone or in groups that may refer to each other; an index counts types, not groups.
 * @see https://webassembly.github.io/spec/core/binary/types.html#binary-rectype
 */
import { expectEnd } from "./import-section.ts";
import { type BinaryReader, COUNT_MAX, MalformedError } from "./reader.ts";

export interface FunctionType {
  /** Value types by their first byte: of 0x63 and 0x64, references, the heap type isn't told. */
  readonly params: readonly number[];
  readonly results: readonly number[];
}

const GROUP = 0x4e;
const SUBTYPE = 0x50;
const FINAL_SUBTYPE = 0x4f;
const FUNCTION = 0x60;
const STRUCT = 0x5f;
const ARRAY = 0x5e;

/**
 * @param section its number of entries, and a reader behind that number
 * @returns types by index; undefined for one that isn't a function's
 * @throws MalformedError
 */
export function readTypes({
  count,
  reader,
}: {
  count: number;
  reader: BinaryReader;
}): (FunctionType | undefined)[] {
  const types: (FunctionType | undefined)[] = [];
  for (let left = count; left > 0; left--) {
    let members = 1;
    if (!reader.atEnd && reader.bytes[reader.offset] === GROUP) {
      reader.skip(1);
      members = reader.count();
    }
    for (; members > 0; members--) types.push(readType(reader));
    if (types.length > COUNT_MAX) throw new MalformedError(`has more than ${COUNT_MAX} types`, reader.offset);
  }
  expectEnd(reader, "type");
  return types;
}

function readType(reader: BinaryReader): FunctionType | undefined {
  const start = reader.offset;
  let form = reader.byte();
  if (form === SUBTYPE || form === FINAL_SUBTYPE) {
    for (let supertypes = reader.count(); supertypes > 0; supertypes--) reader.u32();
    form = reader.byte();
  }
  switch (form) {
    case FUNCTION:
      return { params: readValueTypes(reader), results: readValueTypes(reader) };
    case STRUCT:
      for (let fields = reader.count(); fields > 0; fields--) skipField(reader);
      return undefined;
    case ARRAY:
      skipField(reader);
      return undefined;
    default:
      throw new MalformedError("has a type of an unknown kind", start);
  }
}

function readValueTypes(reader: BinaryReader): number[] {
  const types: number[] = [];
  for (let left = reader.count(); left > 0; left--) {
    types.push(reader.bytes[reader.offset]!);
    reader.skipValueType();
  }
  return types;
}

/** Its type, which may be a packed one of one byte, and whether it may be changed. */
function skipField(reader: BinaryReader): void {
  reader.skipValueType();
  reader.byte();
}
