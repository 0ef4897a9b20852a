/**
 * What a person did wrong: one sentence, what to do, and a code that never changes. Caught once, in `cli/main.ts`,
 * which owns the exit status; embedders switch on `code`.
 */

/** Stable codes. `spec/errors.json` says for each what it means and which exit status the command line gives it. */
export type ErrorCode =
  | "USAGE" // a flag or an argument
  | "IMAGE_NOT_KNOWN"
  | "IMAGE_IN_USE"
  | "IMAGE_INVALID" // a manifest, config or layer that breaks its specification
  | "IMAGE_PLATFORM" // nothing in the image that wpod can run
  | "IMAGE_FORMAT" // a file that is none of the formats of an image
  | "REFERENCE_INVALID"
  | "BLOB_CORRUPT"
  | "STORE_FULL"
  | "STORE_UNUSABLE" // no right to write, another version, not a directory
  | "CONTAINER_NOT_FOUND"
  | "CONTAINER_RUNNING"
  | "CONTAINER_STATE"
  | "VOLUME_NOT_FOUND"
  | "VOLUME_IN_USE"
  | "VOLUME_EXISTS"
  | "NAME_INVALID"
  | "NAME_IN_USE"
  | "MOUNT_INVALID"
  | "WORKDIR_NOT_FOUND"
  | "USER_NOT_FOUND"
  | "ARGUMENTS_TOO_LONG" // E2BIG
  | "COMMAND_NOT_FOUND" // exit 127
  | "COMMAND_NOT_EXECUTABLE" // exit 126
  | "PROGRAM_INVALID" // not WebAssembly, truncated, refused by the compiler
  | "PROGRAM_IMPORTS" // needs functions that wpod doesn't have
  | "PROGRAM_COMPONENT" // a component: later
  | "LIMIT_REACHED" // as many as there may be
  | "KERNEL_LOST" // the thread with the files that programs share has ended
  | "MEMORY_LIMIT" // the module's minimum is over the limit
  | "CONFIG_INVALID" // the user's configuration file
  | "RESERVATION_REFUSED" // what a container reserves doesn't fit into the user's limits
  | "FILE_NOT_FOUND" // a file of the host
  | "UNSUPPORTED" // known to docker, comes later
  | "ABORTED";

export class WpodError extends Error {
  override readonly name = "WpodError";
  readonly code: ErrorCode;
  /** What to do about it; printed on a line of its own. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint;
  }
}

/** For what we did wrong: a broken invariant ends the container loudly, and is never made into an errno. */
export function assert(condition: unknown, whatHadToBeTrue: string): asserts condition {
  if (!condition) throw new Error(`wpod defect: ${whatHadToBeTrue}`);
}
