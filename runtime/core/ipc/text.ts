/** Strings in shared memory, as UTF-8. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const ASCII_END = 0x80;
/** Up to here a loop beats the call into the engine's encoder. */
const SHORT_UNITS = 64;

/** Writes `text` at `at`; answers how many bytes it took. There is room: paths are bounded before. */
export function putText(target: Uint8Array, at: number, text: string): number {
  const { length } = text;
  if (length <= SHORT_UNITS) {
    let index = 0;
    for (; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= ASCII_END) break;
      target[at + index] = unit;
    }
    if (index === length) return length;
  }
  return encoder.encodeInto(text, target.subarray(at)).written;
}

/** What was put there. What isn't UTF-8 becomes U+FFFD. */
export function takeText(source: Uint8Array, at: number, sizeBytes: number): string {
  if (sizeBytes <= TINY_BYTES) {
    const text = takeTiny(source, at, sizeBytes);
    if (text !== undefined) return text;
  }
  // A copy first: the other end may write while this one reads.
  return decoder.decode(source.slice(at, at + sizeBytes));
}

/** Most names are shorter; the engine's decoder takes longer to call than they take to read. */
const TINY_BYTES = 16;

/** Undefined when it isn't ASCII. Each byte is looked at once. */
function takeTiny(source: Uint8Array, at: number, sizeBytes: number): string | undefined {
  let text = "";
  for (let index = 0; index < sizeBytes; index++) {
    const byte = source[at + index]!;
    if (byte >= ASCII_END) return undefined;
    text += LETTERS[byte];
  }
  return text;
}

const LETTERS = Array.from({ length: ASCII_END }, (_, code) => String.fromCharCode(code));
