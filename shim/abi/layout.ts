/**
 * Layouts of the structs that cross the boundary: sizes and offsets in bytes, little endian, naturally aligned.
 * What no field covers is padding, and is written as zeros.
 *
 * Values follow `spec/wasi-preview1/types.json` and, for `wasi_unstable`, `types-unstable.json` beside it.
 * @see https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#types
 */

export const IOVEC = { sizeBytes: 8, buf: 0, buf_len: 4 } as const;

export const DIRENT = { sizeBytes: 24, d_next: 0, d_ino: 8, d_namlen: 16, d_type: 20 } as const;

export const FDSTAT = {
  sizeBytes: 24,
  fs_filetype: 0,
  fs_flags: 2,
  fs_rights_base: 8,
  fs_rights_inheriting: 16,
} as const;

export const FILESTAT = {
  sizeBytes: 64,
  dev: 0,
  ino: 8,
  filetype: 16,
  nlink: 24,
  size: 32,
  atim: 40,
  mtim: 48,
  ctim: 56,
} as const;

/** Snapshot 0: `nlink` is a `u32`. */
export const FILESTAT_UNSTABLE = {
  sizeBytes: 56,
  dev: 0,
  ino: 8,
  filetype: 16,
  nlink: 20,
  size: 24,
  atim: 32,
  mtim: 40,
  ctim: 48,
} as const;

export const PRESTAT = { sizeBytes: 8, tag: 0, pr_name_len: 4 } as const;

export interface SubscriptionLayout {
  readonly sizeBytes: number;
  readonly userdata: number;
  readonly tag: number;
  readonly clock_id: number;
  readonly clock_timeout: number;
  readonly clock_flags: number;
  readonly file_descriptor: number;
}

export const SUBSCRIPTION: SubscriptionLayout = {
  sizeBytes: 48,
  userdata: 0,
  tag: 8,
  clock_id: 16,
  clock_timeout: 24,
  clock_flags: 40,
  file_descriptor: 16,
};

/** Snapshot 0: a clock begins with an identifier (`u64`) that nothing reads. */
export const SUBSCRIPTION_UNSTABLE: SubscriptionLayout = {
  sizeBytes: 56,
  userdata: 0,
  tag: 8,
  clock_id: 24,
  clock_timeout: 32,
  clock_flags: 48,
  file_descriptor: 16,
};

export const EVENT = { sizeBytes: 32, userdata: 0, error: 8, type: 10, nbytes: 16, flags: 24 } as const;
