/**
 * Tells whether a program died for want of memory: the last `memory.grow` that it ran was refused.
 *
 * WebAssembly tells nobody but the program that its memory couldn't grow. So each `memory.grow` becomes a call of a
 * function that is added to the module, which grows, and notes in an added global whether that failed.
 */
import { ModuleEditor, ValueType } from "./module-editor.ts";
import type { ModuleMemory } from "./module-inspection.ts";
import { MalformedError, unsigned } from "./reader.ts";

/** Name of the exported global: 1 when the last growth was refused. */
export const MEMORY_REFUSED_EXPORT = "wpod:memory_refused";

const MEMORY_GROW = 0x40;
const CALL = 0x10;

/**
 * @param memories those of the module, by index
 * @returns the module with every `memory.grow` watched; the same bytes when it holds what can't be edited (an instruction
 *   that isn't known, types of the garbage collection proposal): then nothing is told, and nothing is lost
 */
export function watchMemory(bytes: Uint8Array, memories: readonly ModuleMemory[]): Uint8Array {
  if (memories.length === 0) return bytes;
  try {
    const editor = new ModuleEditor(bytes);
    const refused = editor.addGlobal();
    const watchers: number[] = [];
    for (const [memoryIndex, { memory64 }] of memories.entries()) {
      const watcher = addWatcher(editor, memoryIndex, memory64, refused);
      if (watcher === undefined) return bytes;
      watchers.push(watcher);
    }
    editor.exportGlobal(MEMORY_REFUSED_EXPORT, refused);
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

/** `(func (param n) (result n) (local n) local.get 0, memory.grow, local.tee 1, n.const -1, n.eq, global.set, local.get 1)` */
function addWatcher(
  editor: ModuleEditor,
  memoryIndex: number,
  memory64: boolean,
  refused: number,
): number | undefined {
  const size = memory64 ? ValueType.i64 : ValueType.i32;
  const type = editor.addType({ params: [size], results: [size] });
  if (type === undefined) return undefined;
  const [minusOne, equal] = memory64 ? [0x42, 0x51] : [0x41, 0x46];
  const code = [
    ...[0x20, 0, MEMORY_GROW, ...unsigned(memoryIndex), 0x22, 1],
    ...[minusOne!, 0x7f, equal!, 0x24, ...unsigned(refused), 0x20, 1],
  ];
  return editor.addFunction(type, 1, code, size);
}
