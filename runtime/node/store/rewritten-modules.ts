/**
 * Modules that were rewritten at an earlier start, in a folder of the store's: so that the next one needn't do it again.
 *
 * A file holds a module as it was, and what became of it. It is taken for another start only where that module is the same to the
 * byte: so nothing depends on what a name or a checksum may have in common. Whatever is wrong with a file, it is as if it weren't there.
 *
 * | offset | what |
 * |---|---|
 * | 0 | a line of text, and spaces: version of wpod, what was done, both sizes, checksum of what became of it |
 * | 256 | the module |
 * | at the next multiple of 8 | what became of it; nothing where that is the same |
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryName } from "./staging.ts";

/** A larger one is rewritten each time: next to compiling it, that takes little. */
export const REWRITTEN_MODULE_BYTES_MAX = 1024 * 1024;
/** Files in the folder; the oldest goes first. */
export const REWRITTEN_FILES_MAX = 64;

const HEADER_BYTES = 256;

export class RewrittenModules {
  readonly #folder: string;
  readonly #version: string;

  /** @param folder made when it is first needed, in one that is there */
  constructor(folder: string, version: string) {
    this.#folder = folder;
    this.#version = version;
  }

  /**
   * @param how names what `rewrite` does: the same name, the same bytes
   * @param rewrite may answer the module itself
   */
  get(module: Uint8Array, how: string, rewrite: () => Uint8Array): Uint8Array {
    if (module.length > REWRITTEN_MODULE_BYTES_MAX) return rewrite();
    const path = join(this.#folder, `${checksum(module)}-${module.length}-${how}`);
    const known = this.#read(path, module, how);
    if (known !== undefined) return known;
    const rewritten = rewrite();
    this.#write(path, module, how, rewritten);
    return rewritten;
  }

  #read(path: string, module: Uint8Array, how: string): Uint8Array | undefined {
    let file: Buffer;
    try {
      file = readFileSync(path);
    } catch {
      return undefined;
    }
    const start = rewrittenOffset(module);
    const rewritten = file.subarray(start);
    if (file.toString("latin1", 0, HEADER_BYTES) !== this.#header(module, how, rewritten)) return undefined;
    if (Buffer.compare(file.subarray(HEADER_BYTES, HEADER_BYTES + module.length), module) !== 0)
      return undefined;
    return rewritten.length === 0 ? module : rewritten;
  }

  /** Whoever can't write does without. */
  #write(path: string, module: Uint8Array, how: string, rewritten: Uint8Array): void {
    const result = rewritten === module ? new Uint8Array() : rewritten;
    const start = rewrittenOffset(module);
    const file = Buffer.alloc(start + result.length);
    file.write(this.#header(module, how, result), "latin1");
    file.set(module, HEADER_BYTES);
    file.set(result, start);
    try {
      mkdirSync(this.#folder, { mode: 0o700 });
    } catch {
      // It is there, or can't be.
    }
    const temporary = join(this.#folder, temporaryName("tmp"));
    try {
      this.#makeRoom();
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

  #header(module: Uint8Array, how: string, rewritten: Uint8Array): string {
    const fields = [
      "wpod-rewritten",
      this.#version,
      how,
      module.length,
      rewritten.length,
      checksum(rewritten),
    ];
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

function rewrittenOffset(module: Uint8Array): number {
  return Math.ceil((HEADER_BYTES + module.length) / 8) * 8;
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
