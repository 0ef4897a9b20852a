/** The engine's defaults. `spec/limits.json` gives each with its unit and reason; a test compares the two. */
export const LIMITS = {
  /** Bytes of one stream that a result holds. */
  collectBytesMax: 16 * 1024 * 1024,
  diskBytesMax: 8 * 1024 * 1024 * 1024,
  inodesMax: 1_000_000,
  tmpfsBytesMax: 64 * 1024 * 1024,
  descriptorsMax: 1024,
  /** What is read of an image's passwd and group. */
  passwdBytesMax: 1024 * 1024,
  log: { fileBytesMax: 10 * 1024 * 1024, fileCountMax: 3 },
} as const;
