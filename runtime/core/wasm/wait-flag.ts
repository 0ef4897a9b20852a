/**
 * A program of threads waits in its own code (`memory.atomic.wait32`): nobody may make its thread wait a second time then, in an
 * interrupt (`thread-waits.ts` says why). So it tells by an added global that it waits; who is to wait for something else behind that sets
 * the global to 2, and it calls a function of the host's, in an added table.
 */
import { ByteWriter } from "./bytes.ts";
import { Wanted, walkInstructions } from "./instructions.ts";
import { ModuleEditor, ValueType } from "./module-editor.ts";
import { BinaryReader, unsigned } from "./reader.ts";

/** Name of the exported global: not 0 while its thread waits; 2: the function is to be called. */
export const WAITING_EXPORT = "wpod:waiting";
/** Name of the exported table with that function, `(i64) -> i32`: neither means anything. */
export const WAITED_EXPORT = "wpod:waited";

const ATOMICS = 0xfe;
const WAITS: ReadonlySet<number> = new Set([0xfe001, 0xfe002]);
const WANTED = new Uint8Array(0x100).fill(Wanted.never);
WANTED[ATOMICS] = Wanted.always;

/**
 * @param bytes a module that V8 takes: a reference to a global that it hasn't would become one to the added one; never written to
 * @returns the same bytes where it never waits
 * @throws MalformedError
 */
export function flagWaits(bytes: Uint8Array): Uint8Array {
  const editor = new ModuleEditor(bytes);
  const { count, reader } = editor.code;
  const bodies = findWaits(count, reader);
  if (bodies.every(({ waits }) => waits.length === 0)) return bytes;
  const flag = editor.addGlobal();
  editor.export("global", WAITING_EXPORT, flag);
  const type = editor.addType({ params: [ValueType.i64], results: [ValueType.i32] });
  const table = editor.addTable();
  editor.export("table", WAITED_EXPORT, table);
  const set = (value: number) => [0x41, value, 0x24, ...unsigned(flag)];
  const before = set(1);
  // global.get flag, ..., i32.const 1, i32.gt_u, if, i64.const 0, i32.const 0, call_indirect, drop, end
  const call = [0x42, 0, 0x41, 0, 0x11, ...unsigned(type), ...unsigned(table), 0x1a];
  const after = [0x23, ...unsigned(flag), ...set(0), 0x41, 1, 0x4b, 0x04, 0x40, ...call, 0x0b];
  const out = new ByteWriter(reader.end);
  for (const { start, end, waits } of bodies) {
    out.write(unsigned(end - start + waits.length * (before.length + after.length)));
    let copied = start;
    for (const wait of waits) {
      out.copy(bytes, copied, wait.start);
      out.write(before);
      out.copy(bytes, wait.start, wait.end);
      out.write(after);
      copied = wait.end;
    }
    out.copy(bytes, copied, end);
  }
  editor.replaceCode([out.bytes]);
  return editor.finish();
}

interface Body {
  start: number;
  end: number;
  waits: { start: number; end: number }[];
}

function findWaits(count: number, reader: BinaryReader): Body[] {
  const { bytes } = reader;
  return Array.from({ length: count }, () => {
    const sizeBytes = reader.u32();
    const start = reader.offset;
    reader.skip(sizeBytes);
    const body = { start, end: reader.offset, waits: [] as Body["waits"] };
    const code = new BinaryReader(bytes, start, body.end);
    code.skipLocals();
    const visit = (opcode: number, from: number, to: number) => {
      if (WAITS.has(opcode)) body.waits.push({ start: from, end: to });
    };
    walkInstructions(bytes, code.offset, body.end, visit, WANTED);
    return body;
  });
}
