/** Bounds of a container's log. How fast it may be written stands in its `IoPage`. */
export interface LogLimitsSpec {
  /** A file is rotated before it would grow over this. */
  fileBytesMax: number;
  fileCountMax: number;
  /** Nobody waits for it: what is too much is dropped. */
  drops: boolean;
}

/** Less has no room for a record. */
export const LOG_FILE_BYTES_MIN = 32 * 1024;
/** Each rotation renames all of them. */
export const LOG_FILE_COUNT_MAX = 100;
