/** Writes the header of one regular file, in the ustar format. */
import { assert } from "../error.ts";

const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
/** Eleven octal digits. */
const SIZE_BYTES_MAX = 0o77777777777;

export interface TarFileHeader {
  /** ASCII, at most 100 bytes. */
  path: string;
  sizeBytes: number;
  mode: number;
}

/**
 * The owner is root and the time 1970: the same file always gives the same bytes.
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html, "ustar Interchange Format"
 */
export function tarHeader({ path, sizeBytes, mode }: TarFileHeader): Uint8Array<ArrayBuffer> {
  assert(path.length > 0 && path.length <= NAME_BYTES_MAX, "a path fits its field");
  assert(sizeBytes <= SIZE_BYTES_MAX, "a size fits its field");
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string) => block.set(new TextEncoder().encode(text), at);
  put(0, path);
  put(100, octal(mode, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(sizeBytes, 11));
  put(136, octal(0, 11));
  put(148, "        "); // the checksum counts itself as spaces
  put(156, "0");
  put(257, "ustar\x0000");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return block;
}

/** Zeros between the end of a content and the next header. */
export function tarPaddingBytes(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
