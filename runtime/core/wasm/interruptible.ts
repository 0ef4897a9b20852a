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
 */
import { call } from "./assembly.ts";
import { ByteWriter } from "./bytes.ts";
import { expectEnd } from "./import-section.ts";
import { Wanted, walkInstructions } from "./instructions.ts";
import { ModuleEditor } from "./module-editor.ts";
import { BinaryReader, unsigned } from "./reader.ts";

const OPCODES: ReadonlySet<number> = new Set([
  0x08, // throw
  0x12, // return_call
  0x13, // return_call_indirect
  0x15, // return_call_ref
  0x40, // memory.grow
  0xfb000, // struct.new
  0xfb001, // struct.new_default
  0xfb006, // array.new
  0xfb007, // array.new_default
  0xfb008, // array.new_fixed
  0xfb009, // array.new_data
  0xfb00a, // array.new_elem
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

const WANTED = new Uint8Array(0x100).fill(Wanted.never);
for (const opcode of OPCODES) WANTED[opcode > 0xff ? opcode >> 12 : opcode] = Wanted.always;

/**
 * @param bytes a module; never written to
 * @returns the same bytes where it is reachable as it is
 * @throws MalformedError
 */
export function makeInterruptible(bytes: Uint8Array): Uint8Array {
  const editor = new ModuleEditor(bytes);
  const { count, reader } = editor.code;
  const places = findPlaces(count, reader);
  if (places.length === 0) return bytes;
  const look = call(editor.addFunction(editor.addType({ params: [], results: [] }), 0, []));
  editor.replaceCode([insert(editor.code, places, look)]);
  return editor.finish();
}

/** Offsets of these instructions, in order. */
function findPlaces(count: number, reader: BinaryReader): number[] {
  const { bytes } = reader;
  const places: number[] = [];
  const visit = (opcode: number, start: number): void => {
    if (OPCODES.has(opcode)) places.push(start);
  };
  for (let left = count; left > 0; left--) {
    const sizeBytes = reader.u32();
    const body = new BinaryReader(bytes, reader.offset, reader.offset + sizeBytes);
    reader.skip(sizeBytes);
    body.skipLocals();
    walkInstructions(bytes, body.offset, body.end, visit, WANTED);
  }
  expectEnd(reader, "code");
  return places;
}

/** All bodies, with code at these places. */
function insert(
  { count, reader }: { count: number; reader: BinaryReader },
  places: readonly number[],
  code: readonly number[],
): Uint8Array {
  const { bytes } = reader;
  const out = new ByteWriter(reader.end - reader.offset + places.length * (code.length + 1));
  let next = 0;
  for (let left = count; left > 0; left--) {
    const sizeBytes = reader.u32();
    let copied = reader.offset;
    reader.skip(sizeBytes);
    const first = next;
    while (next < places.length && places[next]! < reader.offset) next++;
    out.write(unsigned(sizeBytes + (next - first) * code.length));
    for (let place = first; place < next; place++) {
      out.copy(bytes, copied, places[place]!);
      out.write(code);
      copied = places[place]!;
    }
    out.copy(bytes, copied, reader.offset);
  }
  return out.bytes;
}
