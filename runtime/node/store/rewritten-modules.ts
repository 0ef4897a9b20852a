/**
 * How modules were rewritten at an earlier start, in a folder of the store's: so that the next one needn't find it out again.
 *
 * A file holds a patch, and the bytes of the module that it depends on. It is taken for a module only where that has the same bytes there:
 * so nothing depends on what a name or a checksum may have in common. Whatever is wrong with a file, it is as if it weren't there.
 *
 * | what | how |
 * |---|---|
 * | a line of text, and spaces up to 256 bytes | version of wpod, what was done, the module's size, how many numbers and bytes follow, their checksum |
 * | numbers of 32 bits | how many ranges are read; start and end of each; for each piece start and end in the module, or 2^32 - 1 and its size |
 * | bytes | those that are read, then those that are new, one behind the other |
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyPatch, isNew, type Patch, type Range } from "../../core/wasm/patch.ts";
import { temporaryName } from "./staging.ts";

/** A larger one is found out each time. */
export const REWRITTEN_FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Files in the folder; the oldest goes first. */
export const REWRITTEN_FILES_MAX = 64;

const HEADER_BYTES = 256;
const NEW = 0xffff_ffff;
/** Of a module, for its file's name. */
const NAMED_BYTES = 64 * 1024;

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
   */
  get(module: Uint8Array, how: string, plan: () => Patch | undefined): Uint8Array {
    const start = module.subarray(0, NAMED_BYTES);
    const path = join(this.#folder, `${checksum(start)}-${module.length}-${how}`);
    let patch = this.#read(path, module, how);
    if (patch === undefined) {
      // Of one that stays as it is, everything was looked at.
      patch = plan() ?? { reads: [[0, module.length]], pieces: [[0, module.length]] };
      this.#write(path, module, how, patch);
    }
    const [first] = patch.pieces;
    const isWhole = patch.pieces.length === 1 && !isNew(first!) && first![1] - first![0] === module.length;
    return isWhole ? module : applyPatch(module, patch);
  }

  #read(path: string, module: Uint8Array, how: string): Patch | undefined {
    let file: Buffer;
    try {
      file = readFileSync(path);
    } catch {
      return undefined;
    }
    const content = file.subarray(HEADER_BYTES);
    const numberCount = Number(file.toString("latin1", 0, HEADER_BYTES).split(" ")[4]);
    if (file.toString("latin1", 0, HEADER_BYTES) !== this.#header(module, how, numberCount, content))
      return undefined;
    const numbers = new Uint32Array(content.buffer, content.byteOffset, numberCount);
    const reads: Range[] = [];
    let at = 4 * numberCount;
    let next = 1;
    for (let left = numbers[0]!; left > 0; left--, next += 2) {
      const [start, end] = [numbers[next]!, numbers[next + 1]!];
      const stored = content.subarray(at, at + end - start);
      if (Buffer.compare(stored, module.subarray(start, end)) !== 0) return undefined;
      reads.push([start, end]);
      at += end - start;
    }
    const pieces: (Range | Uint8Array)[] = [];
    for (; next < numberCount; next += 2) {
      const [start, end] = [numbers[next]!, numbers[next + 1]!];
      if (start !== NEW) pieces.push([start, end]);
      else {
        pieces.push(content.subarray(at, at + end));
        at += end;
      }
    }
    return { reads, pieces };
  }

  /** Whoever can't write does without. */
  #write(path: string, module: Uint8Array, how: string, { reads, pieces }: Patch): void {
    const numbers = Uint32Array.from([
      reads.length,
      ...reads.flat(),
      ...pieces.flatMap((piece) => (isNew(piece) ? [NEW, piece.length] : piece)),
    ]);
    const read = reads.map(([start, end]) => module.subarray(start, end));
    const content = Buffer.concat([new Uint8Array(numbers.buffer), ...read, ...pieces.filter(isNew)]);
    if (content.length > REWRITTEN_FILE_BYTES_MAX) return;
    const header = this.#header(module, how, numbers.length, content);
    try {
      mkdirSync(this.#folder, { mode: 0o700 });
    } catch {
      // It is there, or can't be.
    }
    const temporary = join(this.#folder, temporaryName("tmp"));
    try {
      this.#makeRoom();
      writeFileSync(temporary, Buffer.concat([Buffer.from(header, "latin1"), content]), {
        mode: 0o600,
        flag: "wx",
      });
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

  #header(module: Uint8Array, how: string, numberCount: number, content: Uint8Array): string {
    const sum = checksum(content);
    const fields = ["wpod-rewritten", this.#version, how, module.length, numberCount, content.length, sum];
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

/** Tells damage, not malice. By words of 32 bits: nothing of Node's that could do it is loaded at a start. */
function checksum(bytes: Uint8Array): number {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
  let sum = bytes.length | 0;
  for (let index = 0; index < words.length; index++) sum = Math.imul(sum ^ words[index]!, 0x01000193);
  for (let index = words.length * 4; index < bytes.length; index++)
    sum = Math.imul(sum ^ bytes[index]!, 0x01000193);
  return sum >>> 0;
}
