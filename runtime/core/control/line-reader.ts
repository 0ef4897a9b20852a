/** Cuts a stream of bytes into lines of text. */
import { CONTROL_LINE_BYTES_MAX } from "./messages.ts";

export class LineReader {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** @returns whole lines, without their ends; undefined when one is too long, or not ended and too long already */
  push(chunk: Uint8Array): string[] | undefined {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop()!;
    const isTooLong = [this.#rest, ...lines].some(({ length }) => length > CONTROL_LINE_BYTES_MAX);
    return isTooLong ? undefined : lines;
  }
}
