/**
 * Counts the types of all modules that this process has compiled. V8 keeps each for good, whichever module it came from, and ends the process at the
 * two millionth.
 */
import { WpodError } from "../core/error.ts";
import { BinaryReader, MalformedError, type Section, SectionId } from "../core/wasm/reader.ts";
import { readObjectTypes } from "../core/wasm/type-section.ts";
import { TYPES_MAX } from "./limits.ts";

/** Programs of all known languages have less, unless they have objects of their own. A thousand types at most. */
const SMALL_BYTES = 4096;

const counted = new Set<string>();
let count = 0;

/**
 * @param sections of a module that is about to be compiled
 * @throws WpodError LIMIT_REACHED
 */
export function countTypes(bytes: Uint8Array, sections: readonly Section[]): void {
  const section = sections.find(({ id }) => id === SectionId.type);
  if (section === undefined || section.end - section.content <= SMALL_BYTES) return;
  const content = bytes.subarray(section.content, section.end);
  // Not an import: few programs have so many, and it takes part of every start.
  const { createHash } = process.getBuiltinModule("node:crypto");
  const digest = createHash("sha256").update(content).digest("base64");
  if (counted.has(digest)) return;
  const more = typeCount(content);
  if (count + more > TYPES_MAX) {
    throw new WpodError(
      "LIMIT_REACHED",
      `the module has ${more} types, and ${TYPES_MAX - count} of the ${TYPES_MAX} that a process may compile are left`,
      { hint: "run it in a process of its own" },
    );
  }
  counted.add(digest);
  count += more;
}

function typeCount(content: Uint8Array): number {
  try {
    const reader = new BinaryReader(content);
    return readObjectTypes({ count: reader.count(), reader }).length;
  } catch (error) {
    // It isn't compiled.
    if (error instanceof MalformedError) return 0;
    throw error;
  }
}
