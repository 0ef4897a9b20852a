/**
 * Makes a program reachable wherever it is: by whoever ends it, and by whoever makes it wait.
 *
 * V8 looks for interrupts where a function is entered and where a loop begins anew, but not everywhere:
 *
 * - A loop in baseline code looks only when it has used up what decides about better code, some 100,000 rounds later. Rounds that fill
 *   a gigabyte each take a day.
 * - Optimised code that calls nothing doesn't look at its entry. A tail call isn't a call there: functions that call each other so never look.
 *
 * So a call of an empty function goes before each instruction that works on as much as its operands say, that makes something on the
 * heap of its thread, and before each tail call. What calls is looked at. Measured on Node 26: ended within 10 ms, before not at all.
 *
 * It is also how a thread whose heap is full ends: V8 lets it have 16 MiB more, and ends it at the next look. What doesn't fit in
 * these ends the process. So a length of an array that is larger goes through a function that makes it one that V8 refuses.
 */
import { call, i32Const, i32LeU, localGet, select } from "./assembly.ts";
import { ByteWriter } from "./bytes.ts";
import { COMPILED_BYTES_MAX, CompileCost, FUNCTION_COST_MAX } from "./compile-cost.ts";
import { explainCostlyFunction } from "./explain.ts";
import { expectEnd } from "./import-section.ts";
import { Wanted, walkInstructions } from "./instructions.ts";
import { ModuleEditor, ValueType } from "./module-editor.ts";
import { BinaryReader, unsigned } from "./reader.ts";

const THROW = 0x08;
/** struct.new to array.new_elem; only array.get and the like are between them. */
const FIRST_OBJECT = 0xfb000;
const LAST_OBJECT = 0xfb00a;

const OPCODES: ReadonlySet<number> = new Set([
  THROW,
  0x12, // return_call
  0x13, // return_call_indirect
  0x15, // return_call_ref
  0x40, // memory.grow
  FIRST_OBJECT,
  0xfb001, // struct.new_default
  0xfb006, // array.new
  0xfb007, // array.new_default
  0xfb008, // array.new_fixed
  0xfb009, // array.new_data
  LAST_OBJECT,
  0xfb010, // array.fill
  0xfb011, // array.copy
  0xfb012, // array.init_data
  0xfb013, // array.init_elem
  0xfc008, // memory.init
  0xfc00a, // memory.copy
  0xfc00b, // memory.fill
  0xfc00c, // table.init
  0xfc00e, // table.copy
  0xfc00f, // table.grow
  0xfc011, // table.fill
]);

/** A call, and a byte by which the size of its function may grow. */
const CALL_BYTES = 5;

const WANTED = new Uint8Array(0x100).fill(Wanted.never);
for (const opcode of OPCODES) WANTED[opcode > 0xff ? opcode >> 12 : opcode] = Wanted.always;

/** Array.new and the like, whose length is on top of the stack: `array.new_fixed` has at most 10,000. */
const LENGTHS: ReadonlySet<number> = new Set([0xfb006, 0xfb007, 0xfb009, 0xfb00a]);

/** One array. V8 gives a full heap 16 MiB more. */
export const ARRAY_BYTES_MAX = 8 * 1024 * 1024;

interface Place {
  readonly offset: number;
  readonly makesObject: boolean;
  /** Of an element of the array that is made. */
  readonly elementBytes: number | undefined;
}

export interface Interruptible {
  /** The same array where it is reachable as it is. */
  readonly bytes: Uint8Array;
  /** It makes objects, as many as it likes: they are on the heap of its thread. */
  readonly makesObjects: boolean;
}

/**
 * @param bytes a module; never written to
 * @throws MalformedError; WpodError PROGRAM_INVALID for a function that would be compiled for long: there it can't be reached
 */
export function makeInterruptible(bytes: Uint8Array): Interruptible {
  const editor = new ModuleEditor(bytes);
  const places = findPlaces(editor);
  if (places.length === 0) return { bytes, makesObjects: false };
  const look = call(editor.addFunction(editor.addType({ params: [], results: [] }), 0, []));
  const lengths = new Map<number, number[]>();
  const codeAt = ({ elementBytes }: Place): readonly number[] => {
    if (elementBytes === undefined) return look;
    const known = lengths.get(elementBytes) ?? call(addLengthCheck(editor, elementBytes));
    lengths.set(elementBytes, known);
    return known;
  };
  editor.replaceCode([insert(editor.code, places, codeAt)]);
  return { bytes: editor.finish(), makesObjects: places.some((place) => place.makesObject) };
}

/** `(func (param i32) (result i32) local.get 0, i32.const -1, local.get 0, i32.const MAX, i32.le_u, select)` */
function addLengthCheck(editor: ModuleEditor, elementBytes: number): number {
  const type = editor.addType({ params: [ValueType.i32], results: [ValueType.i32] });
  const most = i32Const(ARRAY_BYTES_MAX / elementBytes);
  return editor.addFunction(type, 0, [localGet(0), i32Const(-1), localGet(0), most, i32LeU, select].flat());
}

/** In the order of their offsets. */
function findPlaces(editor: ModuleEditor): Place[] {
  const { count, reader } = editor.code;
  const { bytes } = reader;
  const places: Place[] = [];
  let objectTypes: ModuleEditor["objectTypes"] | undefined;
  const visit = (opcode: number, offset: number, end: number): void => {
    if (!OPCODES.has(opcode)) return;
    let elementBytes: number | undefined;
    if (LENGTHS.has(opcode)) {
      objectTypes ??= editor.objectTypes;
      const operands = new BinaryReader(bytes, offset + 1, end);
      operands.u32(); // the opcode's number behind its prefix
      const type = objectTypes[operands.u32()];
      if (type?.kind === "array") elementBytes = type.elementBytes;
    }
    const makesObject = opcode === THROW || (opcode >= FIRST_OBJECT && opcode <= LAST_OBJECT);
    places.push({ offset, makesObject, elementBytes });
  };
  const cost = new CompileCost(editor);
  const first = editor.counts.function - count;
  for (let place = 0; place < count; place++) {
    const sizeBytes = reader.u32();
    const body = new BinaryReader(bytes, reader.offset, reader.offset + sizeBytes);
    reader.skip(sizeBytes);
    const localCount = body.skipLocals();
    if (sizeBytes > COMPILED_BYTES_MAX || cost.of(first + place, body, localCount) > FUNCTION_COST_MAX) {
      throw explainCostlyFunction(first + place);
    }
    walkInstructions(bytes, body.offset, body.end, visit, WANTED);
  }
  expectEnd(reader, "code");
  return places;
}

/** All bodies, with code at these places. */
function insert(
  { count, reader }: { count: number; reader: BinaryReader },
  places: readonly Place[],
  codeAt: (place: Place) => readonly number[],
): Uint8Array {
  const { bytes } = reader;
  const out = new ByteWriter(reader.end - reader.offset + places.length * CALL_BYTES);
  let next = 0;
  for (let left = count; left > 0; left--) {
    const sizeBytes = reader.u32();
    let copied = reader.offset;
    reader.skip(sizeBytes);
    const own: Place[] = [];
    while (next < places.length && places[next]!.offset < reader.offset) own.push(places[next++]!);
    const codes = own.map(codeAt);
    out.write(unsigned(sizeBytes + codes.reduce((sum, code) => sum + code.length, 0)));
    for (const [index, { offset }] of own.entries()) {
      out.copy(bytes, copied, offset);
      out.write(codes[index]!);
      copied = offset;
    }
    out.copy(bytes, copied, reader.offset);
  }
  return out.bytes;
}
