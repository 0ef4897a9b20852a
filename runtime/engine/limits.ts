/** The engine's defaults. `spec/limits.json` gives each with its unit and reason; `test/unit/limits.test.ts` compares the two. */

/** Bytes of one stream that a result holds. */
export const COLLECT_BYTES_MAX = 16 * 1024 * 1024;

/** What a container may have of memory when nobody says: its programs' together, and what of its files is in memory. */
export const MEMORY_BYTES_MAX = 4 * 1024 * 1024 * 1024;

/** What one thread of a program has for objects beside its memory; less under a smaller limit, but no less than the second. */
export const HEAP_BYTES_MAX = 1536 * 1024 * 1024;
export const HEAP_BYTES_MIN = 32 * 1024 * 1024;

/** Types of all modules that one process compiles, those of small modules not counted. */
export const TYPES_MAX = 1_000_000;

/** What a container's writable layer may hold. */
export const DISK_BYTES_MAX = 2 * 1024 * 1024 * 1024;
export const INODES_MAX = 1_000_000;

/** What of the contents of one writable layer or volume is in memory; the rest is on disk. */
export const RESIDENT_BYTES_MAX = 64 * 1024 * 1024;

/** What one volume may hold. */
export const VOLUME_BYTES_MAX = 16 * 1024 * 1024 * 1024;

/** What one tmpfs may hold. */
export const TMPFS_BYTES_MAX = 64 * 1024 * 1024;

/** Descriptors that a program may have open. */
export const DESCRIPTORS_MAX = 1024;
/** The most that somebody may want. */
export const DESCRIPTORS_WANTED_MAX = 65_536;

/** Files that the programs of a container may have open together, beyond what each finds open. */
export const OPEN_FILES_MAX = 4096;

/** Threads of all programs of a container, the first of each included. */
export const THREADS_MAX = 128;

/** What is read of an image's passwd and group. */
export const PASSWD_BYTES_MAX = 1024 * 1024;

/** A log is rotated before a file would grow over this, and so many files are kept. */
export const LOG_FILE_BYTES_MAX = 10 * 1024 * 1024;
export const LOG_FILES_MAX = 3;
/** Bytes a second that a log takes: who prints more waits for it. */
export const LOG_BPS_MAX = 64 * 1024 * 1024;
