/** The file type bits of `st_mode`, as memfs keeps them in its nodes. @see inode(7) */
import { FileType } from "../../../shim/abi/filetype.ts";

export const Mode = {
  typeMask: 0o170000,
  fifo: 0o010000,
  characterDevice: 0o020000,
  directory: 0o040000,
  blockDevice: 0o060000,
  regular: 0o100000,
  symlink: 0o120000,
  permissions: 0o7777,
} as const;

/** A FIFO is "unknown": WASI preview 1 has no number for it. */
export function fileTypeOf(mode: number): FileType {
  switch (mode & Mode.typeMask) {
    case Mode.regular:
      return FileType.regularFile;
    case Mode.directory:
      return FileType.directory;
    case Mode.symlink:
      return FileType.symbolicLink;
    case Mode.characterDevice:
      return FileType.characterDevice;
    case Mode.blockDevice:
      return FileType.blockDevice;
    default:
      return FileType.unknown;
  }
}
