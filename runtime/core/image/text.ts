/** Short UTF-8 texts in larger buffers: names in tar headers and in layer indexes. */

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The text of `bytes[start..end)`. What is no UTF-8 becomes U+FFFD: a guest's paths are UTF-8, it could not name such a
 * file otherwise.
 */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  // Nearly every name is ASCII and short: this is several times faster than a decoder's call.
  let text = "";
  for (let index = start; index < end; index++) {
    const byte = bytes[index] as number;
    if (byte >= 0x80) return decoder.decode(bytes.subarray(start, end));
    text += String.fromCharCode(byte);
  }
  return text;
}
