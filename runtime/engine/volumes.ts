/** The named volumes of a store, as the public API shows them. */
import { parseVolumeLimits } from "../core/quota/volume-limits.ts";
import type { Store } from "../node/store/store.ts";
import { checkVolumeName, type VolumeRecord, VolumeStore } from "../node/store/volumes.ts";
import type { VolumePlace } from "./mounts.ts";
import type { MountSpec, VolumeInfo, Volumes } from "./types.ts";

export class LocalVolumes implements Volumes {
  readonly #store: () => Store;
  /** By volume: containers of this engine that have it. The first one's name is in its row. */
  readonly #holders = new Map<string, Set<string>>();

  constructor(store: () => Store) {
    this.#store = store;
  }

  get #rows(): VolumeStore {
    return new VolumeStore(this.#store());
  }

  async create(
    options: {
      name?: string;
      labels?: Readonly<Record<string, string>>;
      options?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<VolumeInfo> {
    const { name, labels = {}, options: given = {} } = options;
    parseVolumeLimits(given);
    return this.#info(this.#rows.create({ name, labels, options: given }, Date.now()));
  }

  async list(): Promise<VolumeInfo[]> {
    return this.#rows.list().map((record) => this.#info(record));
  }

  async get(name: string): Promise<VolumeInfo> {
    return this.#info(this.#rows.get(name));
  }

  async remove(name: string): Promise<void> {
    this.#rows.remove(name);
  }

  async prune(
    options: { all?: boolean; filter?: (volume: VolumeInfo) => boolean } = {},
  ): Promise<{ removed: string[]; reclaimedBytes: number }> {
    const { all = false, filter = () => true } = options;
    return this.#rows.prune(all, (record) => filter(this.#info(record)));
  }

  #info(record: VolumeRecord): VolumeInfo {
    const rows = this.#rows;
    return { ...record, path: rows.folder(record.name), containers: rows.users(record.name) };
  }

  /** Mounts of a new container, where each volume has a name, and is there. @throws WpodError NAME_INVALID */
  ensure(mounts: readonly MountSpec[]): MountSpec[] {
    for (const { type, source } of mounts) if (type === "volume" && source) checkVolumeName(source);
    return mounts.map((mount) => {
      if (mount.type !== "volume") return mount;
      if (mount.source === undefined || mount.source === "") {
        const { name } = this.#rows.create({ name: undefined, labels: {}, options: {} }, Date.now());
        return { ...mount, source: name };
      }
      this.#rows.ensure(mount.source, Date.now());
      return mount;
    });
  }

  /** Where a volume is, and what it may hold. @throws WpodError VOLUME_NOT_FOUND */
  place(name: string): VolumePlace {
    const rows = this.#rows;
    return { path: rows.folder(name), ...parseVolumeLimits(rows.get(name).options) };
  }

  /**
   * Takes all volumes of a container, or none.
   * @returns whether another container of this engine has one of them
   * @throws WpodError VOLUME_IN_USE: another engine has it; VOLUME_NOT_FOUND
   */
  hold(mounts: readonly MountSpec[], container: string): boolean {
    let isShared = false;
    try {
      for (const name of namesOf(mounts)) {
        const holders = this.#holders.get(name);
        if (holders === undefined) {
          this.#rows.hold(name, container);
          this.#holders.set(name, new Set([container]));
        } else {
          holders.add(container);
          isShared ||= holders.size > 1;
        }
      }
      return isShared;
    } catch (error) {
      this.release(mounts, container);
      throw error;
    }
  }

  release(mounts: readonly MountSpec[], container: string): void {
    for (const name of namesOf(mounts)) this.#release(name, container);
  }

  #release(name: string, container: string): void {
    const holders = this.#holders.get(name);
    if (holders?.delete(container) !== true) return;
    const [next] = holders;
    if (next !== undefined) {
      this.#rows.pass(name, container, next);
      return;
    }
    this.#holders.delete(name);
    this.#rows.release(name, container);
  }

  /** Of a container that is gone: volumes that nobody gave a name. */
  removeAnonymous(mounts: readonly MountSpec[]): void {
    const names = namesOf(mounts);
    if (names.length === 0) return;
    this.#rows.prune(false, ({ name }) => names.includes(name));
  }
}

function namesOf(mounts: readonly MountSpec[]): string[] {
  return [...new Set(mounts.filter(({ type }) => type === "volume").map(({ source }) => source!))];
}
