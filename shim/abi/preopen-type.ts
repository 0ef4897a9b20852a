/**
 * WASI preview 1 kinds of what is open at the start: `u8`.
 *
 * @see https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#preopentype
 */
export const PreopenType = { DIR: 0 } as const;
