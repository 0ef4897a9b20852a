/**
 * WASI preview 1 event types: `u8`.
 *
 * @see https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#eventtype
 */
export const EventType = { CLOCK: 0, FD_READ: 1, FD_WRITE: 2 } as const;
