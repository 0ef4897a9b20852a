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
  // A copy first: the other end may write while this one reads.
  return decoder.decode(source.slice(at, at + sizeBytes));
}
