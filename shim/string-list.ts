/** Arguments or environment as a guest wants them: NUL-terminated strings, one after the other, and where each begins. */
import { encodeUtf8 } from "./memory.ts";

export class StringList {
  readonly bytes: Uint8Array;
  /** In `bytes`. */
  readonly starts: readonly number[];

  constructor(strings: readonly string[]) {
    const encoded = strings.map(encodeUtf8);
    this.bytes = new Uint8Array(encoded.reduce((size, string) => size + string.length + 1, 0));
    let at = 0;
    this.starts = encoded.map((string) => {
      const start = at;
      this.bytes.set(string, start);
      at += string.length + 1;
      return start;
    });
  }
}
