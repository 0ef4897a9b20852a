/**
 * Instructions as bytes, for code that is added to a module; named as the text format names them.
 * @see https://webassembly.github.io/spec/core/binary/instructions.html
 */
import { signed, unsigned } from "./reader.ts";

export const unreachable = [0x00];
export const ret = [0x0f];
export const drop = [0x1a];
export const select = [0x1b];
export const when = (...code: (readonly number[])[]) => [0x04, 0x40, ...code.flat(), 0x0b];
export const block = (...code: (readonly number[])[]) => [0x02, 0x40, ...code.flat(), 0x0b];
export const forEver = (...code: (readonly number[])[]) => [0x03, 0x40, ...code.flat(), 0x0b];
export const again = (depth: number) => [0x0c, depth];
export const leaveIf = (depth: number) => [0x0d, depth];
export const call = (index: number) => [0x10, ...unsigned(index)];

export const localGet = (index: number) => [0x20, ...unsigned(index)];
export const localSet = (index: number) => [0x21, ...unsigned(index)];
export const localTee = (index: number) => [0x22, ...unsigned(index)];
export const globalGet = (index: number) => [0x23, ...unsigned(index)];
export const globalSet = (index: number) => [0x24, ...unsigned(index)];

export const load8 = [0x2d, 0, 0];
export const store8 = (offset: number) => [0x3a, 0, ...unsigned(offset)];
export const store32 = [0x36, 2, 0];
export const memoryGrow = [0x40, 0];

export const i32Const = (value: number) => [0x41, ...signed(value)];
export const i32Eqz = [0x45];
export const i32Eq = [0x46];
export const i32LeU = [0x4d];
export const i32GeU = [0x4f];
export const i32Add = [0x6a];
export const i32Sub = [0x6b];
export const i32Mul = [0x6c];
export const i32And = [0x71];
export const i32Shl = [0x74];
export const i32ShrU = [0x76];

export const i64Const = (value: number) => [0x42, ...signed(value)];
export const i64Eqz = [0x50];
export const i64GtU = [0x56];
export const i64Add = [0x7c];
export const i64ShrU = [0x88];
export const i32WrapI64 = [0xa7];
export const i64ExtendI32U = [0xad];

/** Atomic access to the memory with that index, at a constant address: 0 is pushed first, behind it the operands. */
const atomic = (opcode: number, alignLog2: number) => (memory: number, offset: number) => [
  ...[0xfe, opcode, alignLog2 | 0x40],
  ...unsigned(memory),
  ...unsigned(offset),
];
export const memoryAtomicWait32 = atomic(0x01, 2);
export const i64AtomicLoad = atomic(0x11, 3);
export const i64AtomicLoad32U = atomic(0x16, 2);
export const i32AtomicStore = atomic(0x17, 2);
export const i64AtomicRmwAdd = atomic(0x1f, 3);
