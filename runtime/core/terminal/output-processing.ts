/** What a terminal does with what a program writes: OPOST with ONLCR. @see termios(3) */

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Every newline behind a return. The same bytes when there is none. */
export function addReturns(source: Uint8Array): Uint8Array {
  let newline = source.indexOf(NEWLINE);
  if (newline < 0) return source;
  const target = new Uint8Array(source.length * 2);
  let length = 0;
  let start = 0;
  for (; newline >= 0; newline = source.indexOf(NEWLINE, start)) {
    target.set(source.subarray(start, newline), length);
    length += newline - start;
    target[length++] = RETURN;
    target[length++] = NEWLINE;
    start = newline + 1;
  }
  target.set(source.subarray(start), length);
  return target.subarray(0, length + source.length - start);
}
