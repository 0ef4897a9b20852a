/**
 * WASI preview 1 advice on access: `u8`.
 *
 * @see https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#advice
 */
export const Advice = { NORMAL: 0, SEQUENTIAL: 1, RANDOM: 2, WILLNEED: 3, DONTNEED: 4, NOREUSE: 5 } as const;

export const ADVICE_MAX = Advice.NOREUSE;
