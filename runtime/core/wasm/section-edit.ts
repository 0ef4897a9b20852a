/** A module with other bytes in single places: changed sections in pieces, everything else as it was, in one copy. */
import { concatenate } from "./bytes.ts";
import { type Section, unsigned } from "./reader.ts";

/** `[start, end)`, which lies in the section, becomes these bytes. */
export interface Replacement {
  readonly section: Section;
  readonly start: number;
  readonly end: number;
  readonly bytes: readonly number[];
}

/** @param replacements in the order in which they stand in the module */
export function replaceBytes(bytes: Uint8Array, replacements: readonly Replacement[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  let copied = 0;
  for (const section of new Set(replacements.map((replacement) => replacement.section))) {
    const content: Uint8Array[] = [];
    let from = section.content;
    for (const { section: own, start, end, bytes: replaced } of replacements) {
      if (own !== section) continue;
      content.push(bytes.subarray(from, start), Uint8Array.from(replaced));
      from = end;
    }
    content.push(bytes.subarray(from, section.end));
    const sizeBytes = content.reduce((sum, piece) => sum + piece.length, 0);
    pieces.push(bytes.subarray(copied, section.start), Uint8Array.from([section.id, ...unsigned(sizeBytes)]));
    for (const piece of content) pieces.push(piece);
    copied = section.end;
  }
  pieces.push(bytes.subarray(copied));
  return concatenate(pieces);
}
