/** A file system that lasts: kept in a folder of the host, opened in whatever thread calls. */
import { WpodError } from "../../core/error.ts";
import { FileSystem, type FileSystemOptions } from "../../core/vfs/file-system.ts";
import { type Arrival, type Journal, openJournal } from "../../core/vfs/journal/journal.ts";
import { HostFolder } from "./store-folder.ts";

/** What of the contents of one layer or volume is in memory at once, where nobody says otherwise. */
const RESIDENT_BYTES_MAX = 32 * 1024 * 1024;

export interface LayerDirectoryOptions extends FileSystemOptions {
  /** Names what the layers below are, and is only compared; "" where there are none. */
  identity: string;
  residentBytesMax?: number;
}

export interface LayerDirectory {
  readonly fileSystem: FileSystem;
  /** Bytes of contents that are in memory. */
  readonly residentBytes: number;
  /** All is durable, or a negative `Errno`. */
  sync(): number;
  /** Writes what is left, and lets go of the files. A negative `Errno`: something of it is lost. */
  close(): number;
}

/**
 * Opens what the folder has, or begins anew where there is none; nothing is written before something changes. One at a
 * time may have a folder open: that is for the caller to see to.
 * @throws WpodError STORE_UNUSABLE: of another version or user, over other layers, damaged
 */
export function openLayerDirectory(path: string, options: LayerDirectoryOptions): LayerDirectory {
  const fileSystem = new FileSystem(options);
  const journal = keepInFolder(fileSystem, path, options);
  return {
    fileSystem,
    get residentBytes() {
      return journal.pages.residentBytes;
    },
    sync: () => journal.sync(),
    close: () => journal.close(),
  };
}

/**
 * @param arrival what the file system has already; undefined: it gets what the folder has
 * @throws WpodError STORE_UNUSABLE
 */
export function keepInFolder(
  fileSystem: FileSystem,
  path: string,
  {
    identity,
    residentBytesMax = RESIDENT_BYTES_MAX,
  }: Pick<LayerDirectoryOptions, "identity" | "residentBytesMax">,
  arrival?: Arrival,
): Journal {
  try {
    return openJournal(fileSystem, new HostFolder(path, true), { identity, residentBytesMax }, arrival);
  } catch (cause) {
    if (!(cause instanceof WpodError) || cause.message.includes(path)) throw cause;
    throw new WpodError("STORE_UNUSABLE", `"${path}" can't be used: ${cause.message}`, {
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      cause,
    });
  }
}
