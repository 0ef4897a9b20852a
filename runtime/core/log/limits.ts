/** Bounds of a container's log. */
export interface LogLimitsSpec {
  /** A file is rotated before it would grow over this. */
  fileBytesMax: number;
  fileCountMax: number;
}
