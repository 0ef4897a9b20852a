/**
 * Finds functions by the names that a compiler left in the name section. That section is a comment: it may be missing, and what
 * it says may be wrong, so whoever uses an index checks the function's type.
 * @see https://webassembly.github.io/spec/core/appendix/custom.html#name-section
 */
import { BinaryReader, MalformedError, type Section } from "./reader.ts";

const FUNCTION_NAMES = 1;

/**
 * Looks at every name and decodes only those that could be meant: a large program has 50,000.
 * @param wanted names of ASCII letters
 * @returns function index by name; of several functions with one name, the first
 */
export function findFunctions(
  bytes: Uint8Array,
  names: Section,
  wanted: ReadonlySet<string>,
): Map<string, number> {
  const found = new Map<string, number>();
  const lengths = new Set([...wanted].map((name) => name.length));
  const reader = new BinaryReader(bytes, names.content, names.end);
  try {
    while (!reader.atEnd && found.size < wanted.size) {
      const id = reader.byte();
      const sizeBytes = reader.u32();
      const end = reader.offset + sizeBytes;
      if (id !== FUNCTION_NAMES) {
        reader.skip(sizeBytes);
        continue;
      }
      for (let left = reader.count(); left > 0 && reader.offset < end; left--) {
        const index = reader.u32();
        const encoded = reader.bytesWithLength();
        if (!lengths.has(encoded.length)) continue;
        const name = String.fromCharCode(...encoded);
        if (wanted.has(name) && !found.has(name)) found.set(name, index);
      }
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  return found;
}
