/**
 * The index of one layer: what the tar of a layer says, looked up by directory without reading the tar again.
 *
 * Paths are relative to the layer's root, components joined by `/`, no leading or trailing slash; the root is "".
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md
 */

export type EntryType = "file" | "directory" | "symlink" | "character-device" | "block-device" | "fifo";

export interface LayerEntry {
  readonly name: string;
  readonly type: EntryType;
  /** `0o7777`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Bytes of content as the guest sees it (a sparse file's whole size). */
  readonly sizeBytes: number;
  /** Where the content starts in the uncompressed tar of the layer. */
  readonly offsetBytes: number;
  /** Where a symbolic link points; "" otherwise. */
  readonly target: string;
  /** Entries of one layer with the same number are hard links to one file. Unique otherwise. */
  readonly inode: number;
  readonly linkCount: number;
  /** For a sparse file: pieces that are stored, in order; what lies between is zeros. Undefined: all is stored. */
  readonly pieces: readonly SparsePiece[] | undefined;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** A directory without a header in the tar, only with paths under it: a lower layer's attributes win. */
  readonly implied?: boolean;
}

export interface SparsePiece {
  /** In the file. */
  readonly startBytes: number;
  readonly sizeBytes: number;
  /** In the tar. */
  readonly offsetBytes: number;
}

/** What the tree asks of a layer. Look-ups of one directory must not cost the whole index. */
export interface LayerIndex {
  readonly entryCount: number;
  /** Children of a directory in this layer, without whiteouts; empty where the layer doesn't mention it. */
  children(directory: string): readonly LayerEntry[];
  /** The entry of the root, when the tar has one (`./`). */
  root(): LayerEntry | undefined;
  /** Names under this directory that hide what lower layers have (`.wh.NAME`). `children` may have one, too: it is seen. */
  whiteouts(directory: string): readonly string[];
  /** The directory hides everything that lower layers have in it (`.wh..wh..opq`). */
  isOpaque(directory: string): boolean;
}
