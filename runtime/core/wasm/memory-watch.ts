/**
 * Tells whether a program died for want of memory: the last `memory.grow` that it ran was refused.
 *
 * WebAssembly tells nobody but the program that its memory couldn't grow. So each `memory.grow` becomes a call of a
 * function that is added to the module, which grows, and notes in an added global whether that failed. It may ask first: a
 * function of the host's, in a table that is added too, says whether the container has as much.
 */
import { walkInstructions } from "./instructions.ts";
import { ModuleEditor, ValueType } from "./module-editor.ts";
import type { ModuleMemory } from "./module-inspection.ts";
import { OwnReferences } from "./own-references.ts";
import { BinaryReader, MalformedError, unsigned } from "./reader.ts";

/** Name of the exported global: 1 when the last growth was refused. */
export const MEMORY_REFUSED_EXPORT = "wpod:memory_refused";

/** Name of the exported table whose one function `(i64) -> i32` is asked: so many pages? Then -1: it has grown, or not. */
export const MEMORY_ASK_EXPORT = "wpod:memory_ask";
/** Names of the exported memories, before their index. */
export const MEMORY_EXPORT = "wpod:memory#";
/** Name of what was the module's start function: it runs when there is somebody to ask. */
export const START_EXPORT = "wpod:start";

const MEMORY_GROW = 0x40;
const CALL = 0x10;

/**
 * @param memories those of the module, by index
 * @param asks it asks before it grows
 * @returns the module with every `memory.grow` watched; the same bytes when it holds what can't be edited (an instruction or a
 *   type that isn't known): then nothing is told, and nothing is lost
 */
export function watchMemory(bytes: Uint8Array, memories: readonly ModuleMemory[], asks = false): Uint8Array {
  if (memories.length === 0) return bytes;
  try {
    const editor = new ModuleEditor(bytes);
    checkReferences(editor, bytes);
    const refused = editor.addGlobal();
    const watchers: number[] = [];
    const asking = asks ? addAsking(editor) : undefined;
    for (const [memoryIndex, { memory64 }] of memories.entries()) {
      const watcher = addWatcher(editor, memoryIndex, memory64, refused, asking);
      watchers.push(watcher);
      if (asks) editor.export("memory", `${MEMORY_EXPORT}${memoryIndex}`, memoryIndex);
    }
    editor.export("global", MEMORY_REFUSED_EXPORT, refused);
    editor.replaceInstruction(MEMORY_GROW, (memoryIndex) => {
      const watcher = watchers[memoryIndex];
      if (watcher === undefined) throw new MalformedError("grows a memory that it doesn't have", 0);
      return [CALL, ...unsigned(watcher)];
    });
    return editor.finish();
  } catch (error) {
    if (error instanceof MalformedError) return bytes;
    throw error;
  }
}

/** Else it could put a function of its own in the place of the one that is asked. */
function checkReferences(
  { counts, sections, code: { count, reader } }: ModuleEditor,
  bytes: Uint8Array,
): void {
  const references = new OwnReferences(bytes, counts);
  references.checkSections(sections);
  for (let left = count; left > 0; left--) {
    const sizeBytes = reader.u32();
    const body = new BinaryReader(bytes, reader.offset, reader.offset + sizeBytes);
    reader.skip(sizeBytes);
    body.skipLocals();
    walkInstructions(bytes, body.offset, body.end, references.check, references.wanted);
  }
}

/** `call_indirect` of the function that is asked. */
function addAsking(editor: ModuleEditor): readonly number[] {
  const type = editor.addType({ params: [ValueType.i64], results: [ValueType.i32] });
  const table = editor.addTable();
  editor.export("table", MEMORY_ASK_EXPORT, table);
  editor.exportStart(START_EXPORT);
  return [0x41, 0, 0x11, ...unsigned(type), ...unsigned(table)];
}

/**
 * `(func (param n) (result n) (local n) local.get 0, memory.grow, local.tee 1, n.const -1, n.eq, global.set, local.get 1)`
 *
 * Where it asks: `local.get 0, ask, if, local.get 0, memory.grow, local.set 1, i64.const -1, ask, drop, else, n.const -1,
 * local.set 1, end, local.get 1, n.const -1, ...`.
 */
function addWatcher(
  editor: ModuleEditor,
  memoryIndex: number,
  memory64: boolean,
  refused: number,
  asking: readonly number[] | undefined,
): number {
  const size = memory64 ? ValueType.i64 : ValueType.i32;
  const type = editor.addType({ params: [size], results: [size] });
  const [minusOne, equal] = memory64 ? [0x42, 0x51] : [0x41, 0x46];
  const grow = [0x20, 0, MEMORY_GROW, ...unsigned(memoryIndex)];
  const grown =
    asking === undefined
      ? [...grow, 0x22, 1]
      : [
          ...[0x20, 0, ...(memory64 ? [] : [0xad]), ...asking, 0x04, 0x40, ...grow, 0x21, 1],
          ...[0x42, 0x7f, ...asking, 0x1a, 0x05, minusOne!, 0x7f, 0x21, 1, 0x0b, 0x20, 1],
        ];
  const code = [...grown, ...[minusOne!, 0x7f, equal!, 0x24, ...unsigned(refused), 0x20, 1]];
  return editor.addFunction(type, 1, code, size);
}
