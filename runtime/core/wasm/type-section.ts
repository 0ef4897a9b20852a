/**
 * Reads a module's types: those of functions as far as it takes to know a function by its type, of structs and arrays how much of
 * the heap one takes. Types stand alone or in groups that may refer to each other; an index counts types, not groups.
 * @see https://webassembly.github.io/spec/core/binary/types.html#binary-rectype
 */
import { expectEnd } from "./import-section.ts";
import { type BinaryReader, COUNT_MAX, MalformedError } from "./reader.ts";

export interface FunctionType {
  /** Value types by their first byte: of 0x63 and 0x64, references, the heap type isn't told. */
  readonly params: readonly number[];
  readonly results: readonly number[];
}

/** What an object takes of the heap, without its header: of a struct, and of each element of an array. */
export type ObjectType =
  | { readonly kind: "struct"; readonly fieldCount: number }
  | { readonly kind: "array"; readonly elementBytes: number };

type DefinedType = (FunctionType & { readonly kind: "function" }) | ObjectType;

interface TypeVector {
  readonly count: number;
  readonly reader: BinaryReader;
}

const GROUP = 0x4e;
const SUBTYPE = 0x50;
const FINAL_SUBTYPE = 0x4f;
const FUNCTION = 0x60;
const STRUCT = 0x5f;
const ARRAY = 0x5e;

/** Bytes of an element by its type; references have eight, like the larger numbers. */
const ELEMENT_BYTES = new Map([
  [0x78, 1], // i8
  [0x77, 2], // i16
  [0x7f, 4], // i32
  [0x7d, 4], // f32
  [0x7b, 16], // v128
]);
const REFERENCE_BYTES = 8;

/**
 * @param section its number of entries, and a reader behind that number
 * @returns types by index; undefined for one that isn't a function's
 * @throws MalformedError
 */
export function readTypes(section: TypeVector): (FunctionType | undefined)[] {
  return readDefinedTypes(section).map((type) => (type.kind === "function" ? type : undefined));
}

/**
 * @returns types by index; undefined for a function's
 * @throws MalformedError
 */
export function readObjectTypes(section: TypeVector): (ObjectType | undefined)[] {
  return readDefinedTypes(section).map((type) => (type.kind === "function" ? undefined : type));
}

function readDefinedTypes({ count, reader }: TypeVector): DefinedType[] {
  const types: DefinedType[] = [];
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

function readType(reader: BinaryReader): DefinedType {
  const start = reader.offset;
  let form = reader.byte();
  if (form === SUBTYPE || form === FINAL_SUBTYPE) {
    for (let supertypes = reader.count(); supertypes > 0; supertypes--) reader.u32();
    form = reader.byte();
  }
  switch (form) {
    case FUNCTION:
      return { kind: "function", params: readValueTypes(reader), results: readValueTypes(reader) };
    case STRUCT: {
      const fieldCount = reader.count();
      for (let left = fieldCount; left > 0; left--) skipField(reader);
      return { kind: "struct", fieldCount };
    }
    case ARRAY: {
      const elementBytes = ELEMENT_BYTES.get(reader.bytes[reader.offset]!) ?? REFERENCE_BYTES;
      skipField(reader);
      return { kind: "array", elementBytes };
    }
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
