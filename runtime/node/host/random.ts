/**
 * The host's randomness. Read from the system's device where there is one: Node's crypto module takes 5 ms to load,
 * a sixth of a whole start.
 *
 * @see random(4)
 */
import { openSync, readSync } from "node:fs";

/** The longest piece that `getRandomValues` takes. */
const RANDOM_BYTES_MAX = 65_536;

let device: number | undefined;

/** So many bytes that can't be guessed, as lower-case hex digits: two for each. */
export function randomHex(byteCount: number): string {
  const bytes = Buffer.alloc(byteCount);
  fillRandom(bytes);
  return bytes.toString("hex");
}

/** Fills it with bytes that can't be guessed. */
export function fillRandom(target: Uint8Array): void {
  let filled = 0;
  if (process.platform !== "win32") {
    device ??= openSync("/dev/urandom", "r");
    while (filled < target.length) filled += readSync(device, target, filled, target.length - filled, null);
    return;
  }
  for (; filled < target.length; filled += RANDOM_BYTES_MAX) {
    const piece = new Uint8Array(Math.min(RANDOM_BYTES_MAX, target.length - filled));
    target.set(crypto.getRandomValues(piece), filled);
  }
}
