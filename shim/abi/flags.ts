/**
 * The small flag sets of WASI preview 1. Bits that are not listed are refused with EINVAL.
 *
 * Values follow `spec/wasi-preview1/types.json`.
 * @see https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#types
 */

/** `fdflags`, u16: status flags of a descriptor. */
export const FdFlags = { APPEND: 1, DSYNC: 2, NONBLOCK: 4, RSYNC: 8, SYNC: 16 } as const;

/** `oflags`, u16: how `path_open` opens. */
export const OpenFlags = { CREAT: 1, DIRECTORY: 2, EXCL: 4, TRUNC: 8 } as const;

/** `lookupflags`, u32: how the last component of a path is looked up. */
export const LookupFlags = { SYMLINK_FOLLOW: 1 } as const;

/** `fstflags`, u16: which times to set, and to what. */
export const TimeFlags = { ATIM: 1, ATIM_NOW: 2, MTIM: 4, MTIM_NOW: 8 } as const;

/** `subclockflags`, u16. */
export const ClockSubscriptionFlags = { ABSTIME: 1 } as const;

/** `eventrwflags`, u16: what a poll tells of a descriptor. */
export const EventFlags = { HANGUP: 1 } as const;

/** `sdflags`, u8: the ends of a socket to shut down. */
export const ShutdownFlags = { RD: 1, WR: 2 } as const;

/** `riflags`, u16: how to receive. */
export const ReceiveFlags = { PEEK: 1, WAITALL: 2 } as const;

/** `roflags`, u16: how it was received. */
export const ReceivedFlags = { DATA_TRUNCATED: 1 } as const;
