/**
 * How modules were rewritten at an earlier start, in a folder of the store's: so that the next one needn't find it out again.
 *
 * A file holds a patch, and the bytes of the module that it depends on. It is taken for a module only where that has the same bytes there, or
 * where whoever asks knows by a key that it is the same one. Whatever is wrong with a file, it is as if it weren't there.
 *
 * | what | how |
 * |---|---|
 * | a line of text, and spaces up to 512 bytes | version of wpod, what was done, the module's size, how many numbers and bytes follow, the key |
 * | numbers of 32 bits | a note; how many ranges are read; start and end of each; for each piece start and end in the module, or 2^32 - 1 and its size |
 * | bytes | those that are new, one behind the other |
 * | both again | by which damage is found: comparing is done by the machine's own code, and nothing else at a start is as fast |
 * | bytes | those that are read |
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyPatch, isNew, type Patch, type Piece, type Range } from "../../core/wasm/patch.ts";
import { temporaryName } from "./staging.ts";

/** A larger one is found out each time. */
export const REWRITTEN_FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Files in the folder; the oldest goes first. */
export const REWRITTEN_FILES_MAX = 64;

const HEADER_BYTES = 512;
const NEW = 0xffff_ffff;
/** Of a module, for its file's name: so many bytes, each so far from the next. */
const NAMED_COUNT = 256;
const NAMED_STEP = 251;

export interface Rewritten {
  readonly bytes: Uint8Array;
  /** Of the patch. */
  readonly note: number;
}

export class RewrittenModules {
  readonly #folder: string;
  readonly #version: string;

  /** @param folder made when it is first needed, in one that is there */
  constructor(folder: string, version: string) {
    this.#folder = folder;
    this.#version = version;
  }

  /**
   * @param how names what `plan` does: the same name, the same patch
   * @param plan undefined: the module stays as it is
   * @param key the same for the same module, where that is known: then the patch needn't say what it depends on
   */
  get(module: Uint8Array, how: string, plan: () => Patch | undefined, key = ""): Rewritten {
    const path = join(this.#folder, `${sum(module, key)}-${module.length}-${how}`);
    let patch = this.#read(path, module, how, key);
    if (patch === undefined) {
      // Of one that stays as it is, everything was looked at.
      patch = plan() ?? { reads: [[0, module.length]], pieces: [[0, module.length]] };
      this.#write(path, module, how, key, patch);
    }
    const { pieces, note = 0 } = patch;
    const [first] = pieces;
    const isWhole = pieces.length === 1 && !isNew(first!) && first![1] - first![0] === module.length;
    return { bytes: isWhole ? module : applyPatch(module, patch), note };
  }

  #read(path: string, module: Uint8Array, how: string, key: string): Patch | undefined {
    let file: Buffer;
    try {
      file = readFileSync(path);
    } catch {
      return undefined;
    }
    const header = file.toString("latin1", 0, HEADER_BYTES);
    const [, , , , numberCount = 0, newBytes = 0] = header.split(" ").map(Number);
    if (header !== this.#header(module, how, key, numberCount, newBytes)) return undefined;
    const partBytes = 4 * numberCount + newBytes;
    const part = file.subarray(HEADER_BYTES, HEADER_BYTES + partBytes);
    const again = file.subarray(HEADER_BYTES + partBytes, HEADER_BYTES + 2 * partBytes);
    if (part.length !== partBytes || Buffer.compare(part, again) !== 0) return undefined;
    const numbers = new Uint32Array(part.buffer, part.byteOffset, numberCount);
    const reads: Range[] = [];
    let at = HEADER_BYTES + 2 * partBytes;
    let next = 2;
    for (let left = numbers[1]!; left > 0; left--, next += 2) {
      const [start, end] = [numbers[next]!, numbers[next + 1]!];
      const stored = file.subarray(at, at + end - start);
      if (Buffer.compare(stored, module.subarray(start, end)) !== 0) return undefined;
      reads.push([start, end]);
      at += end - start;
    }
    if (at !== file.length) return undefined;
    const pieces: Piece[] = [];
    at = 4 * numberCount;
    for (; next < numberCount; next += 2) {
      const [start, end] = [numbers[next]!, numbers[next + 1]!];
      if (start !== NEW) pieces.push([start, end]);
      else {
        pieces.push(part.subarray(at, at + end));
        at += end;
      }
    }
    return { reads, pieces, note: numbers[0]! };
  }

  /** Whoever can't write does without. */
  #write(path: string, module: Uint8Array, how: string, key: string, patch: Patch): void {
    const { reads, pieces, note = 0 } = patch;
    const numbers = Uint32Array.from([
      note,
      reads.length,
      ...reads.flat(),
      ...pieces.flatMap((piece) => (isNew(piece) ? [NEW, piece.length] : piece)),
    ]);
    const added = pieces.filter(isNew);
    const newBytes = added.reduce((whole, { length }) => whole + length, 0);
    const readBytes = reads.reduce((whole, [start, end]) => whole + end - start, 0);
    if (numbers.byteLength + newBytes + readBytes > REWRITTEN_FILE_BYTES_MAX) return;
    const header = this.#header(module, how, key, numbers.length, newBytes);
    if (header.length !== HEADER_BYTES) return;
    // See `code-cache.cjs`: the next run needs none of the code that found this out.
    (globalThis as Record<symbol, unknown>)[Symbol.for("wpod.ranOnce")] = true;
    const part = [new Uint8Array(numbers.buffer), ...added];
    const read = reads.map(([start, end]) => module.subarray(start, end));
    try {
      mkdirSync(this.#folder, { mode: 0o700 });
    } catch {
      // It is there, or can't be.
    }
    const temporary = join(this.#folder, temporaryName("tmp"));
    try {
      this.#makeRoom();
      const file = Buffer.concat([Buffer.from(header, "latin1"), ...part, ...part, ...read]);
      writeFileSync(temporary, file, { mode: 0o600, flag: "wx" });
      renameSync(temporary, path);
    } catch {
      removeQuietly(temporary);
    }
  }

  #makeRoom(): void {
    const names = readdirSync(this.#folder);
    if (names.length < REWRITTEN_FILES_MAX) return;
    const byAge = names
      .map((name) => join(this.#folder, name))
      .map((path) => ({ path, writtenMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
      .sort((a, b) => a.writtenMs - b.writtenMs);
    for (const { path } of byAge.slice(0, names.length - REWRITTEN_FILES_MAX + 1))
      rmSync(path, { force: true });
  }

  #header(module: Uint8Array, how: string, key: string, numberCount: number, newBytes: number): string {
    const fields = ["wpod-rewritten", this.#version, how, module.length, numberCount, newBytes, key];
    return `${fields.join(" ")}\n`.padEnd(HEADER_BYTES);
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Where its folder isn't one, it isn't there either.
  }
}

/** Tells files apart, as a name has to. */
function sum(module: Uint8Array, key: string): number {
  let whole = module.length | 0;
  const add = (value: number) => {
    whole = Math.imul(whole ^ value, 0x01000193);
  };
  for (let index = 0; index < key.length; index++) add(key.charCodeAt(index));
  for (let index = 0; index < NAMED_COUNT && key === ""; index++)
    add(module[(index * NAMED_STEP) % module.length]!);
  return whole >>> 0;
}
