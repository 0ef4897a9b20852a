/**
 * Instructions that may work for a second, because an operand says on how much: no check comes between. The length is always on
 * top of the stack.
 * @see https://webassembly.github.io/spec/core/binary/instructions.html
 */
import type { AddressTypes } from "./address-types.ts";
import type { LengthUnit } from "./meter-functions.ts";
import { ValueType } from "./module-editor.ts";
import { BinaryReader } from "./reader.ts";

export interface Length {
  readonly type: ValueType;
  readonly unit: LengthUnit;
}

type Rule = (operands: BinaryReader, addresses: AddressTypes) => Length;

const I32_BYTES: Length = { type: ValueType.i32, unit: "bytes" };
const I32_ELEMENTS: Length = { type: ValueType.i32, unit: "elements" };
const I64_BYTES: Length = { type: ValueType.i64, unit: "bytes" };
const I64_ELEMENTS: Length = { type: ValueType.i64, unit: "elements" };

/** Of arrays, and of segments. */
const elements: Rule = () => I32_ELEMENTS;
const ofMemory: Rule = (operands, { memory64 }) => (memory64[operands.u32()] ? I64_BYTES : I32_BYTES);
const ofTable: Rule = (operands, { table64 }) => (table64[operands.u32()] ? I64_ELEMENTS : I32_ELEMENTS);
// From one to another, the length is as narrow as the narrower of the two.
const ofMemories: Rule = (operands, addresses) => {
  const target = ofMemory(operands, addresses);
  const source = ofMemory(operands, addresses);
  return target === I64_BYTES ? source : target;
};
const ofTables: Rule = (operands, addresses) => {
  const target = ofTable(operands, addresses);
  const source = ofTable(operands, addresses);
  return target === I64_ELEMENTS ? source : target;
};

const RULES = new Map<number, Rule>([
  [0xfb006, elements], // array.new
  [0xfb007, elements], // array.new_default
  [0xfb009, elements], // array.new_data
  [0xfb00a, elements], // array.new_elem
  [0xfb010, elements], // array.fill
  [0xfb011, elements], // array.copy
  [0xfb012, elements], // array.init_data
  [0xfb013, elements], // array.init_elem
  [0xfc008, () => I32_BYTES], // memory.init
  [0xfc00a, ofMemories], // memory.copy
  [0xfc00b, ofMemory], // memory.fill
  [0xfc00c, elements], // table.init
  [0xfc00e, ofTables], // table.copy
  [0xfc00f, ofTable], // table.grow
  [0xfc011, ofTable], // table.fill
]);

/**
 * @param start offset of the instruction, `end` of what follows it
 * @returns undefined for an instruction that is over at once
 * @throws MalformedError
 */
export function chargedLength(
  bytes: Uint8Array,
  opcode: number,
  start: number,
  end: number,
  addresses: AddressTypes,
): Length | undefined {
  const rule = RULES.get(opcode);
  if (rule === undefined) return undefined;
  const operands = new BinaryReader(bytes, start + 1, end);
  operands.u32(); // the opcode's number behind its prefix
  return rule(operands, addresses);
}
