/**
 * By how much each instruction changes the height of the operand stack, for those that need nothing but their opcode to say so.
 *
 * Missing are instructions that depend on a type (blocks, calls), and those behind which nothing runs: whoever follows the stack
 * knows them by name. Missing too are garbage collection and the older exceptions.
 * @see https://webassembly.github.io/spec/core/appendix/index-instructions.html
 */

/** Of an instruction that isn't in these tables. */
export const UNKNOWN_EFFECT = 127;

const PLAIN = table([
  [0x01, 0x01, 0], // nop
  [0x1a, 0x1a, -1], // drop
  [0x1b, 0x1c, -2], // select
  [0x20, 0x20, 1], // local.get
  [0x21, 0x21, -1], // local.set
  [0x22, 0x22, 0], // local.tee
  [0x23, 0x23, 1], // global.get
  [0x24, 0x24, -1], // global.set
  [0x25, 0x25, 0], // table.get
  [0x26, 0x26, -2], // table.set
  [0x28, 0x35, 0], // loads
  [0x36, 0x3e, -2], // stores
  [0x3f, 0x3f, 1], // memory.size
  [0x40, 0x40, 0], // memory.grow
  [0x41, 0x44, 1], // constants
  [0x45, 0x45, 0], // i32.eqz
  [0x46, 0x4f, -1], // comparisons
  [0x50, 0x50, 0], // i64.eqz
  [0x51, 0x66, -1],
  [0x67, 0x69, 0], // i32: of one number, then of two
  [0x6a, 0x78, -1],
  [0x79, 0x7b, 0], // i64
  [0x7c, 0x8a, -1],
  [0x8b, 0x91, 0], // f32
  [0x92, 0x98, -1],
  [0x99, 0x9f, 0], // f64
  [0xa0, 0xa6, -1],
  [0xa7, 0xc4, 0], // conversions
  [0xd0, 0xd0, 1], // ref.null
  [0xd1, 0xd1, 0], // ref.is_null
  [0xd2, 0xd2, 1], // ref.func
  [0xd3, 0xd3, -1], // ref.eq
  [0xd4, 0xd4, 0], // ref.as_non_null
]);

/** 0xFC: saturating conversions, bulk memory, tables, wide arithmetic. */
const MISC = table([
  [0, 7, 0],
  [8, 8, -3], // memory.init
  [9, 9, 0], // data.drop
  [10, 12, -3], // memory.copy memory.fill table.init
  [13, 13, 0], // elem.drop
  [14, 14, -3], // table.copy
  [15, 15, -1], // table.grow
  [16, 16, 1], // table.size
  [17, 17, -3], // table.fill
  [19, 20, -2], // i64.add128 i64.sub128
  [21, 22, 0], // i64.mul_wide_s, _u
]);

/** 0xFD: SIMD. */
const SIMD = table([
  [0, 10, 0], // loads
  [11, 11, -2], // v128.store
  [12, 12, 1], // v128.const
  [13, 14, -1], // shuffle swizzle
  [15, 20, 0], // splats
  [21, 22, 0], // lanes: extract, replace
  [23, 23, -1],
  [24, 25, 0],
  [26, 26, -1],
  [27, 27, 0],
  [28, 28, -1],
  [29, 29, 0],
  [30, 30, -1],
  [31, 31, 0],
  [32, 32, -1],
  [33, 33, 0],
  [34, 76, -1], // the last lane, and comparisons
  [77, 77, 0], // v128.not
  [78, 81, -1],
  [82, 82, -2], // v128.bitselect
  [83, 83, 0], // v128.any_true
  [84, 87, -1], // loads of a lane
  [88, 91, -2], // stores of a lane
  [92, 100, 0],
  [101, 102, -1], // i8x16.narrow
  [103, 106, 0], // roundings of f32x4
  [107, 115, -1],
  [116, 117, 0], // f64x2.ceil f64x2.floor
  [118, 121, -1],
  [122, 122, 0], // f64x2.trunc
  [123, 123, -1], // i8x16.avgr_u
  [124, 129, 0],
  [130, 130, -1], // i16x8.q15mulr_sat_s
  [131, 132, 0],
  [133, 134, -1], // i16x8.narrow
  [135, 138, 0],
  [139, 147, -1],
  [148, 148, 0], // f64x2.nearest
  [149, 153, -1],
  [155, 159, -1],
  [160, 161, 0],
  [163, 164, 0],
  [167, 170, 0],
  [171, 174, -1],
  [177, 177, -1],
  [181, 186, -1],
  [188, 191, -1],
  [192, 193, 0],
  [195, 196, 0],
  [199, 202, 0],
  [203, 206, -1],
  [209, 209, -1],
  [213, 223, -1],
  [224, 225, 0], // f32x4
  [227, 227, 0],
  [228, 235, -1],
  [236, 237, 0], // f64x2
  [239, 239, 0],
  [240, 247, -1],
  [248, 255, 0], // conversions
  [256, 256, -1], // relaxed: swizzle
  [257, 260, 0],
  [261, 268, -2], // of three vectors
  [269, 274, -1],
  [275, 275, -2], // dot_add
]);

/** 0xFE: threads. */
const ATOMIC = table([
  [0, 0, -1], // memory.atomic.notify
  [1, 2, -2], // memory.atomic.wait
  [3, 3, 0], // atomic.fence
  [16, 22, 0], // loads
  [23, 29, -2], // stores
  [30, 71, -1], // read, change, write
  [72, 78, -2], // compare and exchange
]);

/** @param opcode as `walkInstructions` tells it */
export function stackEffect(opcode: number): number {
  if (opcode < 0x100) return PLAIN[opcode]!;
  const number = opcode % 0x1000;
  switch ((opcode - number) / 0x1000) {
    case 0xfc:
      return MISC[number] ?? UNKNOWN_EFFECT;
    case 0xfd:
      return SIMD[number] ?? UNKNOWN_EFFECT;
    case 0xfe:
      return ATOMIC[number] ?? UNKNOWN_EFFECT;
    default:
      return UNKNOWN_EFFECT;
  }
}

function table(rows: readonly (readonly [number, number, number])[]): Int8Array {
  const last = rows.at(-1)![1];
  const effects = new Int8Array(Math.max(0x100, last + 1)).fill(UNKNOWN_EFFECT);
  for (const [from, to, effect] of rows) effects.fill(effect, from, to + 1);
  return effects;
}
