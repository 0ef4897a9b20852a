/** What a terminal does with what a program writes: OPOST with ONLCR. @see termios(3) */

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Every newline behind a return. The same bytes when there is none. */
export function addReturns(source: Uint8Array): Uint8Array {
  let newlines = 0;
  for (const byte of source) if (byte === NEWLINE) newlines++;
  if (newlines === 0) return source;
  const target = new Uint8Array(source.length + newlines);
  let length = 0;
  for (const byte of source) {
    if (byte === NEWLINE) target[length++] = RETURN;
    target[length++] = byte;
  }
  return target;
}
