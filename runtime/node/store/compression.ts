/** How a blob is compressed, told by its first bytes, and how it is unpacked. */
import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { looksLikeTar } from "../../core/image/tar.ts";

/** Bytes of output handed on at a time: fewer, larger steps between the thread pool and this thread. */
const CHUNK_BYTES = 1024 * 1024;

/** Bytes that `recognize` wants to see: two blocks of a tar. */
export const START_BYTES = 1024;

/** What the content of a file is. */
export type ContentKind = "gzip" | "zstd" | "xz" | "bzip2" | "tar" | "wasm" | "unknown";

/** @param start the first `START_BYTES` of it, or all of it */
export function recognize(start: Uint8Array): ContentKind {
  const begins = (...bytes: number[]) => bytes.every((byte, index) => start[index] === byte);
  if (begins(0x1f, 0x8b)) return "gzip";
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  // A skippable frame of zstd: some writers put one first.
  if (((start[0] ?? 0) & 0xf0) === 0x50 && start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18)
    return "zstd";
  if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a)) return "xz";
  if (begins(0x42, 0x5a, 0x68)) return "bzip2";
  if (begins(0x00, 0x61, 0x73, 0x6d)) return "wasm";
  return looksLikeTar(start) ? "tar" : "unknown";
}

export function createDecompressor(kind: "gzip" | "zstd"): Transform {
  return kind === "gzip"
    ? createGunzip({ chunkSize: CHUNK_BYTES })
    : createZstdDecompress({ chunkSize: CHUNK_BYTES });
}
