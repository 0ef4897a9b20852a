/** Finds where a module's own code waits: `memory.atomic.wait32`, `memory.atomic.wait64`. */
import { Wanted, walkInstructions } from "./instructions.ts";
import { ModuleEditor } from "./module-editor.ts";
import { BinaryReader, MalformedError } from "./reader.ts";

const ATOMIC = 0xfe;
const WAIT_32 = 0xfe001;
const WAIT_64 = 0xfe002;
const WANTED = new Uint8Array(0x100).fill(Wanted.never);
WANTED[ATOMIC] = Wanted.always;

/** @returns their offsets; none of a module that V8 won't take either */
export function findWaits(bytes: Uint8Array): number[] {
  const offsets: number[] = [];
  const visit = (opcode: number, start: number) => {
    if (opcode === WAIT_32 || opcode === WAIT_64) offsets.push(start);
  };
  try {
    const { count, reader } = new ModuleEditor(bytes).code;
    for (let left = count; left > 0; left--) {
      const sizeBytes = reader.u32();
      const body = new BinaryReader(bytes, reader.offset, reader.offset + sizeBytes);
      reader.skip(sizeBytes);
      body.skipLocals();
      walkInstructions(bytes, body.offset, body.end, visit, WANTED);
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  return offsets;
}
