/**
 * Volumes that containers of one thread have at the same time: each is opened once, by the first, and closed behind the last.
 * All their trees show the one file system, so what one container does is what the others see.
 */
import { assert } from "../error.ts";
import type { FilesMemory } from "../quota/files-memory.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import type { TreeServices } from "./container-tree.ts";

/** Behind those of any container's own file systems: one number wherever the volume is mounted, and no other's. */
const DEVICE_FIRST = 1n << 32n;

interface OpenVolume {
  readonly fileSystem: FileSystem;
  readonly services: Disposable;
  /** Memory of the containers that have it, in the order in which they came; undefined: nobody counts. */
  readonly users: (FilesMemory | undefined)[];
}

/** What one container has of them. Ends with its tree. */
export interface VolumeUse extends Disposable {
  /**
   * @param folder where the volume is
   * @param make opens it, when nobody has it. @throws WpodError STORE_UNUSABLE
   * @param memory of the container: what of a volume is in memory is charged to the first that came and is still there
   */
  open(
    folder: string,
    make: (device: bigint, services: TreeServices) => FileSystem,
    memory?: FilesMemory,
  ): FileSystem;
  /** Called at the end, while its volumes are open. */
  atEnd(clear: () => void): void;
}

export class SharedVolumes {
  readonly #openServices: () => TreeServices & Disposable;
  readonly #opened: (fileSystem: FileSystem) => void;
  /** By folder. */
  readonly #open = new Map<string, OpenVolume>();
  #nextDevice = DEVICE_FIRST;

  /**
   * @param openServices for one volume, which outlives the container that opens it
   * @param opened told of each, before anything is put into it
   */
  constructor(
    openServices: () => TreeServices & Disposable,
    opened: (fileSystem: FileSystem) => void = () => {},
  ) {
    this.#openServices = openServices;
    this.#opened = opened;
  }

  /** Volumes that somebody has. */
  get count(): number {
    return this.#open.size;
  }

  /** For one container. */
  use(): VolumeUse {
    const folders = new Map<string, FilesMemory | undefined>();
    const clears: (() => void)[] = [];
    return {
      open: (folder, make, memory) => {
        const volume = this.#open.get(folder) ?? this.#begin(folder, make);
        if (!folders.has(folder)) volume.users.push(memory);
        folders.set(folder, memory);
        charge(volume);
        return volume.fileSystem;
      },
      atEnd: (clear) => clears.push(clear),
      [Symbol.dispose]: () => {
        for (const clear of clears.splice(0)) clear();
        for (const [folder, memory] of folders) this.#leave(folder, memory);
        folders.clear();
      },
    };
  }

  #begin(folder: string, make: (device: bigint, services: TreeServices) => FileSystem): OpenVolume {
    const services = this.#openServices();
    try {
      const fileSystem = make(this.#nextDevice++, services);
      this.#opened(fileSystem);
      const volume = { fileSystem, services, users: [] };
      this.#open.set(folder, volume);
      return volume;
    } catch (error) {
      services[Symbol.dispose]();
      throw error;
    }
  }

  #leave(folder: string, memory: FilesMemory | undefined): void {
    const volume = this.#open.get(folder);
    assert(volume !== undefined, "whoever has a volume lets go of it once");
    volume.users.splice(volume.users.indexOf(memory), 1);
    charge(volume);
    if (volume.users.length > 0) {
      // The container that ends may be the only one that wrote: it has all on disk, as if it had been alone.
      volume.fileSystem.keeper?.flush();
      return;
    }
    this.#open.delete(folder);
    // Closes the keeper.
    volume.services[Symbol.dispose]();
  }
}

function charge({ fileSystem, users }: OpenVolume): void {
  const memory = users.find((user) => user !== undefined);
  fileSystem.space.pages?.chargeTo(memory);
  fileSystem.space.chargeInodesTo(memory);
}
