/**
 * WASI preview 1 origins of a seek: `u8`. Snapshot 0 numbers them in another order.
 *
 * @see https://github.com/WebAssembly/WASI/blob/snapshot-01/phases/snapshot/docs.md#whence
 */
import type { Whence } from "./system.ts";

/** Names by value. */
export const WHENCE_NAMES: readonly Whence[] = ["set", "current", "end"];

/** Names by value in `wasi_unstable`. */
export const WHENCE_NAMES_UNSTABLE: readonly Whence[] = ["current", "end", "set"];
