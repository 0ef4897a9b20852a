/**
 * Reads the layers of the store. A worker thread imports this file alone: it needs no database, only paths.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { Errno } from "../../../shim/abi/errno.ts";
import type { BlobReader } from "../../../shim/abi/system.ts";
import { WpodError } from "../../core/error.ts";
import { openIndex } from "../../core/image/binary-index.ts";
import type { LayerIndex } from "../../core/image/layer-index.ts";

export interface OpenLayer {
  index: LayerIndex;
  blob: BlobReader;
  /** Gives the descriptor back; the blob must not be read after that. */
  close(): void;
}

/** @throws WpodError BLOB_CORRUPT when a file is missing, damaged, or not as long as it was */
export function openLayer(paths: { indexPath: string; tarPath: string }): OpenLayer {
  let bytes: Uint8Array;
  let fd: number;
  try {
    bytes = readFileSync(paths.indexPath);
    fd = openSync(paths.tarPath, "r");
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "is missing" : "can't be read";
    throw damaged(paths, why, error);
  }
  try {
    const index = openIndex(bytes);
    const sizeBytes = fstatSync(fd).size;
    if (sizeBytes !== index.tarSizeBytes) {
      throw damaged(paths, `has ${sizeBytes} bytes, where ${index.tarSizeBytes} were written`, undefined);
    }
    return { index, blob: new FileBlob(fd, sizeBytes), close: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    if (error instanceof WpodError && error.message.startsWith("the index"))
      throw damaged(paths, "has a damaged index", error);
    throw error;
  }
}

export interface OpenBlob extends BlobReader {
  /** Gives the descriptor back; nothing must be read after that. */
  close(): void;
}

/** The content of a layer alone. Undefined when it can't be read. */
export function openBlob({ tarPath }: { tarPath: string }): OpenBlob | undefined {
  try {
    const fd = openSync(tarPath, "r");
    return new FileBlob(fd, fstatSync(fd).size);
  } catch {
    return undefined;
  }
}

class FileBlob implements OpenBlob {
  readonly sizeBytes: number;
  readonly #fd: number;

  constructor(fd: number, sizeBytes: number) {
    this.#fd = fd;
    this.sizeBytes = sizeBytes;
  }

  read(target: Uint8Array, offset: number): number {
    let count = 0;
    try {
      while (count < target.length) {
        const bytes = readSync(this.#fd, target, count, target.length - count, offset + count);
        if (bytes === 0) break;
        count += bytes;
      }
    } catch {
      return -Errno.EIO;
    }
    return count;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function damaged({ tarPath }: { tarPath: string }, why: string, cause: unknown): WpodError {
  const hex = /([0-9a-f]{64})\.tar$/.exec(tarPath)?.[1];
  const name = hex === undefined ? tarPath : `sha256:${hex}`;
  return new WpodError("BLOB_CORRUPT", `layer ${name} ${why}`, { hint: "load the image again", cause });
}
