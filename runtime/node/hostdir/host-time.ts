/**
 * A time for Node's `utimes`: seconds, in decimal. It makes a double of them, and near today one double is 238 ns from the
 * next. Given as a number, a time before 1970 would be taken for the present.
 *
 * The host gets the first double that isn't earlier: what was whole microseconds (or milliseconds, as most programs store
 * them) is still the same when its reader cuts off the rest. The nearest double made 0.789 into 0.788999915.
 *
 * @see https://github.com/nodejs/node/blob/main/lib/internal/fs/utils.js `toUnixTimestamp`
 * @see https://github.com/libuv/libuv/blob/v1.x/src/unix/fs.c `uv__fs_to_timespec`, which cuts off what is below 1 ns
 */
export function hostSeconds(timeNs: bigint): string {
  SECONDS[0] = Number(timeNs) / 1e9;
  if (timeNs !== 0n) BITS[0]! -= timeNs < 0n ? -1n : 1n; // the division may have rounded up
  while (hostNs(SECONDS[0]!) < timeNs) BITS[0]! += SECONDS[0]! < 0 ? -1n : 1n;
  return String(SECONDS[0]);
}

/** A double, and its bits: the next double has the next number, away from 0. */
const SECONDS = new Float64Array(1);
const BITS = new BigInt64Array(SECONDS.buffer);

/** What the host makes of it. */
function hostNs(seconds: number): bigint {
  const whole = Math.trunc(seconds);
  return BigInt(whole) * 1_000_000_000n + BigInt(Math.trunc((seconds - whole) * 1e9));
}
