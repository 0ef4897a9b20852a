/** Bounds on what an image may ask of its reader. Images come from anywhere: nothing in them is unbounded. */

/** A manifest, an index or a config. Registries take 4 MiB; real ones have a few KiB. */
export const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

/** Layers of an image. Docker's own bound is 127. */
export const LAYERS_MAX = 512;

/** Entries of an index of manifests. */
export const INDEX_MANIFESTS_MAX = 4096;

/** Entries of one layer: each costs about 300 bytes while the layer is imported. */
export const LAYER_ENTRIES_MAX = 1_000_000;

/** Bytes of one uncompressed layer; what a small file of zeros unpacks to stops here. */
export const LAYER_BYTES_MAX = 64 * 1024 * 1024 * 1024;

/** Names, link targets and sparse pieces of one layer, as the index keeps them in memory. */
export const LAYER_METADATA_BYTES_MAX = 256 * 1024 * 1024;

/** One pax header or GNU long name. Go's reader, which docker uses, has the same bound. */
export const TAR_EXTENSION_BYTES_MAX = 1024 * 1024;

/** A path or link target, as PATH_MAX of Linux, with its NUL. */
export const PATH_BYTES_MAX = 4095;

/** One component of a path, as NAME_MAX of Linux. */
export const NAME_BYTES_MAX = 255;

/** Stored pieces of one sparse file. */
export const SPARSE_PIECES_MAX = 262_144;

/** Members of an archive of images (not of a layer). */
export const ARCHIVE_MEMBERS_MAX = 100_000;
