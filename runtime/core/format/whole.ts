/** A figure as the kernel writes it: a whole number, never below 0, and never in the form 1e+21. */
export function whole(value: number): string {
  return value > 0 && value < Infinity ? BigInt(Math.floor(value)).toString() : "0";
}
