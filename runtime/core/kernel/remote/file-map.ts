/** Where the chunks of an open file are in the kernel's memory, as long as nobody changes it. */
import type { Mailbox } from "../../ipc/mailbox.ts";
import { CHUNK_BYTES } from "../../vfs/chunk.ts";
import { MAPPED_NUMBERS, Real } from "../protocol.ts";
import type { LocalView } from "./local-view.ts";

interface MappedChunk {
  readonly arena: WebAssembly.Memory;
  readonly offsetBytes: number;
}

export class FileMap {
  /** Of the view's attributes. */
  readonly stamp: number;
  readonly #firstIndex: number;
  readonly #view: LocalView;
  readonly #chunks: readonly MappedChunk[];
  readonly #sizeBytes: number;

  private constructor(
    view: LocalView,
    firstIndex: number,
    chunks: readonly MappedChunk[],
    sizeBytes: number,
  ) {
    this.#view = view;
    this.stamp = view.attributesStamp;
    this.#firstIndex = firstIndex;
    this.#chunks = chunks;
    this.#sizeBytes = sizeBytes;
  }

  /** From an answer to `map`. Undefined when its memory hasn't come. */
  static read(mailbox: Mailbox, view: LocalView, offset: number, count: number): FileMap | undefined {
    const { data, reals } = mailbox;
    const places = new Int32Array(data.buffer, data.byteOffset, count * MAPPED_NUMBERS);
    const chunks: MappedChunk[] = [];
    for (let index = 0; index < count; index++) {
      const arena = view.arena(places[index * MAPPED_NUMBERS]!);
      if (arena === undefined) return undefined;
      chunks.push({ arena, offsetBytes: places[index * MAPPED_NUMBERS + 1]! });
    }
    return new FileMap(view, Math.floor(offset / CHUNK_BYTES), chunks, reals[Real.length]!);
  }

  has(index: number): boolean {
    const at = index - this.#firstIndex;
    return at >= 0 && at < this.#chunks.length;
  }

  /** Bytes read, short at the end of the file; undefined where not all of it is here. */
  read(target: Uint8Array, offset: number): number | undefined {
    const count = Math.min(target.length, this.#sizeBytes - offset);
    if (count <= 0) return 0;
    let done = 0;
    while (done < count) {
      const at = offset + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const chunk = this.#chunks[index - this.#firstIndex];
      if (chunk === undefined) return undefined;
      const inChunk = at - index * CHUNK_BYTES;
      const piece = Math.min(count - done, CHUNK_BYTES - inChunk);
      const part = piece === target.length ? target : target.subarray(done, done + piece);
      this.#view.copy(part, chunk.arena, chunk.offsetBytes + inChunk);
      done += piece;
    }
    return count;
  }
}
