/**
 * Tells whether a program died for want of memory: the last `memory.grow` that it ran was refused.
 *
 * WebAssembly tells nobody but the program that its memory couldn't grow. So each `memory.grow` becomes a call of a
 * function that is appended to the module, which grows, and notes in an appended global whether that failed. Types,
 * functions, globals and exports are only appended, so that nothing is renumbered and names stay right.
 */
import { InstructionError, skipValueType, walkInstructions } from "./instructions.ts";

/** Name of the exported global: 1 when the last growth was refused. */
export const MEMORY_REFUSED_EXPORT = "wpod:memory_refused";

const HEADER_BYTES = 8;
const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  memory: 5,
  global: 6,
  export: 7,
  code: 10,
} as const;
/** Order of the known sections in a module: by number, but for tags (13) behind memories and the data count (12) before code. */
const ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
const MEMORY_GROW = 0x40;
const I32 = 0x7f;
const I64 = 0x7e;
/** Holds offsets into function bodies, which move. */
const CODE_METADATA = "metadata.code.";

interface Section {
  id: number;
  /** Offset of the id byte, of the content, and of what follows. */
  start: number;
  content: number;
  end: number;
}

/**
 * @returns the module with every `memory.grow` watched; the same bytes when there is none, or when the module holds
 *   what this walker doesn't know (then nothing is told, and nothing is lost)
 */
export function watchMemory(bytes: Uint8Array): Uint8Array {
  try {
    return watch(bytes);
  } catch (error) {
    if (error instanceof InstructionError) return bytes;
    throw error;
  }
}

function watch(bytes: Uint8Array): Uint8Array {
  const sections = readSections(bytes);
  const byId = new Map(sections.filter((section) => section.id !== SECTION.custom).map((s) => [s.id, s]));
  const code = byId.get(SECTION.code);
  if (code === undefined) return bytes;
  const imports = countImports(bytes, byId.get(SECTION.import));
  const memories = [...imports.memories, ...readMemories(bytes, byId.get(SECTION.memory))];
  const defined = readCount(bytes, byId.get(SECTION.function));
  const firstWatcher = imports.functionCount + defined;

  const used = new Map<number, number>();
  const bodies = rewriteCode(bytes, code, (memoryIndex) => {
    if (memoryIndex >= memories.length) throw new InstructionError("no such memory", code.start);
    let watcher = used.get(memoryIndex);
    if (watcher === undefined) {
      watcher = firstWatcher + used.size;
      used.set(memoryIndex, watcher);
    }
    return watcher;
  });
  if (used.size === 0) return bytes;

  const typeCount = countTypes(bytes, byId.get(SECTION.type));
  const globalIndex = imports.globalCount + readCount(bytes, byId.get(SECTION.global));
  const watchers = [...used.keys()].map((memoryIndex) => ({ memoryIndex, wide: memories[memoryIndex]! }));

  const appended = new Map<number, Uint8Array[]>([
    [SECTION.type, [functionType(I32), functionType(I64)]],
    [SECTION.function, watchers.map(({ wide }) => unsigned(typeCount.index + (wide ? 1 : 0)))],
    [SECTION.global, [Uint8Array.of(I32, 1, 0x41, 0, 0x0b)]],
    [SECTION.export, [exportGlobal(globalIndex)]],
  ]);
  const out: Uint8Array[] = [bytes.subarray(0, HEADER_BYTES)];
  const pending = new Set(appended.keys());
  for (const section of sections) {
    if (section.id === SECTION.custom) {
      if (!isCodeMetadata(bytes, section)) out.push(bytes.subarray(section.start, section.end));
      continue;
    }
    for (const id of pending) {
      if (ORDER.indexOf(id) < ORDER.indexOf(section.id)) {
        out.push(...vectorSection(id, 0, EMPTY, appended.get(id)!));
        pending.delete(id);
      }
    }
    if (section.id === SECTION.code) {
      const count = readCount(bytes, code);
      const codes = watchers.map((watcher) => watcherBody(watcher, globalIndex));
      out.push(...vectorSection(SECTION.code, count, bodies, codes));
    } else if (pending.delete(section.id)) {
      const [count, rest] = readNumber(bytes, section.content, section.end);
      out.push(
        ...vectorSection(section.id, count, [bytes.subarray(rest, section.end)], appended.get(section.id)!),
      );
    } else {
      out.push(bytes.subarray(section.start, section.end));
    }
  }
  return concatenate(out);
}

const EMPTY: Uint8Array[] = [];

/** `(func (param n) (result n) (local n) local.get 0, memory.grow, local.tee 1, n.const -1, n.eq, global.set, local.get 1)` */
function watcherBody(
  { memoryIndex, wide }: { memoryIndex: number; wide: boolean },
  globalIndex: number,
): Uint8Array {
  const type = wide ? I64 : I32;
  const body = concatenate([
    Uint8Array.of(1, 1, type, 0x20, 0, MEMORY_GROW),
    unsigned(memoryIndex),
    Uint8Array.of(0x22, 1, wide ? 0x42 : 0x41, 0x7f, wide ? 0x51 : 0x46, 0x24),
    unsigned(globalIndex),
    Uint8Array.of(0x20, 1, 0x0b),
  ]);
  return concatenate([unsigned(body.length), body]);
}

function functionType(type: number): Uint8Array {
  return Uint8Array.of(0x60, 1, type, 1, type);
}

function exportGlobal(index: number): Uint8Array {
  const name = new TextEncoder().encode(MEMORY_REFUSED_EXPORT);
  return concatenate([unsigned(name.length), name, Uint8Array.of(3), unsigned(index)]);
}

function vectorSection(id: number, count: number, old: Uint8Array[], added: Uint8Array[]): Uint8Array[] {
  const countBytes = unsigned(count + added.length);
  let sizeBytes = countBytes.length;
  for (const piece of old) sizeBytes += piece.length;
  for (const piece of added) sizeBytes += piece.length;
  return [Uint8Array.of(id), unsigned(sizeBytes), countBytes, ...old, ...added];
}

/** The bodies of all functions in pieces: what is untouched is one piece, whatever its length. */
function rewriteCode(
  bytes: Uint8Array,
  code: Section,
  watcherOf: (memoryIndex: number) => number,
): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let [count, at] = readNumber(bytes, code.content, code.end);
  let copied = at;
  for (; count > 0; count--) {
    const bodyStart = at;
    const [sizeBytes, content] = readNumber(bytes, at, code.end);
    const end = content + sizeBytes;
    if (end > code.end) throw new InstructionError("a function ends outside the code section", at);
    const calls: { start: number; end: number; call: Uint8Array }[] = [];
    walkInstructions(bytes, skipLocals(bytes, content, end), end, (opcode, start, after) => {
      if (opcode !== MEMORY_GROW) return;
      const [memoryIndex] = readNumber(bytes, start + 1, after);
      calls.push({
        start,
        end: after,
        call: concatenate([Uint8Array.of(0x10), unsigned(watcherOf(memoryIndex))]),
      });
    });
    if (calls.length > 0) {
      const body: Uint8Array[] = [];
      let from = content;
      for (const { start, end: after, call } of calls) {
        body.push(bytes.subarray(from, start), call);
        from = after;
      }
      body.push(bytes.subarray(from, end));
      const whole = concatenate(body);
      pieces.push(bytes.subarray(copied, bodyStart), unsigned(whole.length), whole);
      copied = end;
    }
    at = end;
  }
  pieces.push(bytes.subarray(copied, code.end));
  return pieces;
}

function skipLocals(bytes: Uint8Array, content: number, end: number): number {
  let [count, at] = readNumber(bytes, content, end);
  for (; count > 0; count--) at = skipValueType(bytes, readNumber(bytes, at, end)[1], end);
  return at;
}

function readSections(bytes: Uint8Array): Section[] {
  const sections: Section[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const [sizeBytes, content] = readNumber(bytes, at + 1, bytes.length);
    const end = content + sizeBytes;
    if (end > bytes.length) throw new InstructionError("a section ends outside the module", at);
    sections.push({ id: bytes[at]!, start: at, content, end });
    at = end;
  }
  return sections;
}

/** Counts what takes an index, and tells of each memory whether it has 64-bit addresses. */
function countImports(bytes: Uint8Array, section: Section | undefined) {
  const counts = { functionCount: 0, globalCount: 0, memories: [] as boolean[] };
  if (section === undefined) return counts;
  let [count, at] = readNumber(bytes, section.content, section.end);
  for (; count > 0; count--) {
    at = skipName(bytes, skipName(bytes, at, section.end), section.end);
    const kind = bytes[at++];
    if (kind === 0) {
      counts.functionCount++;
      at = readNumber(bytes, at, section.end)[1];
    } else if (kind === 1) {
      at = skipLimits(bytes, skipValueType(bytes, at, section.end), section.end);
    } else if (kind === 2) {
      counts.memories.push(isWide(bytes[at]!));
      at = skipLimits(bytes, at, section.end);
    } else if (kind === 3) {
      counts.globalCount++;
      at = skipValueType(bytes, at, section.end) + 1;
    } else if (kind === 4) {
      at = readNumber(bytes, at + 1, section.end)[1];
    } else {
      throw new InstructionError("unknown kind of import", at);
    }
  }
  return counts;
}

function readMemories(bytes: Uint8Array, section: Section | undefined): boolean[] {
  const memories: boolean[] = [];
  if (section === undefined) return memories;
  let [count, at] = readNumber(bytes, section.content, section.end);
  for (; count > 0; count--) {
    memories.push(isWide(bytes[at]!));
    at = skipLimits(bytes, at, section.end);
  }
  return memories;
}

/** Bit 2 of the flags: 64-bit addresses. */
function isWide(flags: number): boolean {
  return (flags & 4) !== 0;
}

function skipLimits(bytes: Uint8Array, at: number, end: number): number {
  const flags = bytes[at]!;
  if (flags > 7) throw new InstructionError("unknown limits", at);
  const afterMinimum = readNumber(bytes, at + 1, end)[1];
  return (flags & 1) !== 0 ? readNumber(bytes, afterMinimum, end)[1] : afterMinimum;
}

/** Index of the next type: a recursion group counts as one in the vector, but defines several. */
function countTypes(bytes: Uint8Array, section: Section | undefined): { index: number } {
  if (section === undefined) return { index: 0 };
  let index = 0;
  let [groups, at] = readNumber(bytes, section.content, section.end);
  for (; groups > 0; groups--) {
    let members = 1;
    if (bytes[at] === 0x4e) [members, at] = readNumber(bytes, at + 1, section.end);
    for (; members > 0; members--, index++) at = skipSubtype(bytes, at, section.end);
  }
  return { index };
}

function skipSubtype(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (bytes[at] === 0x50 || bytes[at] === 0x4f) {
    let supers: number;
    [supers, at] = readNumber(bytes, at + 1, end);
    for (; supers > 0; supers--) at = readNumber(bytes, at, end)[1];
  }
  const form = bytes[at++];
  if (form === 0x60) return skipTypes(bytes, skipTypes(bytes, at, end, 0), end, 0);
  if (form === 0x5f) return skipTypes(bytes, at, end, 1);
  if (form === 0x5e) return skipValueType(bytes, at, end) + 1;
  throw new InstructionError("unknown kind of type", at);
}

/** @param mutability bytes behind each type: a field's */
function skipTypes(bytes: Uint8Array, start: number, end: number, mutability: number): number {
  let [count, at] = readNumber(bytes, start, end);
  for (; count > 0; count--) at = skipValueType(bytes, at, end) + mutability;
  return at;
}

function readCount(bytes: Uint8Array, section: Section | undefined): number {
  return section === undefined ? 0 : readNumber(bytes, section.content, section.end)[0];
}

function isCodeMetadata(bytes: Uint8Array, section: Section): boolean {
  const [sizeBytes, at] = readNumber(bytes, section.content, section.end);
  const name = bytes.subarray(at, Math.min(at + sizeBytes, section.end));
  return new TextDecoder().decode(name).startsWith(CODE_METADATA);
}

function skipName(bytes: Uint8Array, at: number, end: number): number {
  const [sizeBytes, content] = readNumber(bytes, at, end);
  if (content + sizeBytes > end) throw new InstructionError("a name ends outside its section", at);
  return content + sizeBytes;
}

/** An unsigned LEB128, and where it ends. */
function readNumber(bytes: Uint8Array, start: number, end: number): [number, number] {
  let value = 0;
  let scale = 1;
  for (let at = start; at < end && at < start + 10; at++) {
    const byte = bytes[at]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [value, at + 1];
    scale *= 128;
  }
  throw new InstructionError("a number doesn't end", start);
}

function unsigned(value: number): Uint8Array {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...out, rest]);
    out.push((rest % 128) | 0x80);
  }
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  let sizeBytes = 0;
  for (const piece of pieces) sizeBytes += piece.length;
  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
