/** What a guest may ask for in one call. `spec/limits.json` has the reasons; `test/unit/shim/limits.test.ts` compares the two. */

/** Buffers of one scattered read or gathered write. */
export const IOVECS_MAX = 1024;

/** Subscriptions of one `poll_oneoff`. */
export const SUBSCRIPTIONS_MAX = 4096;

/** Bytes of a path, or of what a symbolic link is to point to. */
export const PATH_BYTES_MAX = 4096;

/** Bytes of a gathered write that go out in one piece. */
export const GATHER_BYTES_MAX = 65_536;

/** Bytes asked of the source of randomness at once. */
export const RANDOM_BYTES_MAX = 65_536;
