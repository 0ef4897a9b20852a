/**
 * Named volumes: a row each, and a folder under `volumes/` that `layerdir/` keeps. One engine at a time has a volume open; its
 * row says for which container, and in which process, so that one that died holds nothing.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isValidName } from "../../core/container/name.ts";
import { WpodError } from "../../core/error.ts";
import { processStart } from "../host/process-identity.ts";
import { randomHex } from "../host/random.ts";
import { transaction } from "./database.ts";
import { temporaryPath } from "./staging.ts";
import type { Store } from "./store.ts";

export interface VolumeRecord {
  name: string;
  createdMs: number;
  labels: Readonly<Record<string, string>>;
  /** As they were given: wpod's own driver has none. */
  options: Readonly<Record<string, string>>;
  /** Nobody chose the name. */
  anonymous: boolean;
}

export interface NewVolume {
  name: string | undefined;
  labels: Readonly<Record<string, string>>;
  options: Readonly<Record<string, string>>;
}

export class VolumeStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Where its files are. It need not be there: it is made with the first of them. */
  folder(name: string): string {
    return join(this.#store.root, "volumes", name);
  }

  /** @throws WpodError NAME_INVALID, VOLUME_EXISTS */
  create({ name, labels, options }: NewVolume, nowMs: number): VolumeRecord {
    const record: VolumeRecord = {
      name: checkVolumeName(name ?? randomHex(32)),
      createdMs: nowMs,
      labels,
      options,
      anonymous: name === undefined,
    };
    if (this.#insert(record)) return record;
    throw new WpodError(
      "VOLUME_EXISTS",
      `volume with name ${record.name} already exists: volume already exists`,
      { hint: `use it, or remove it with: wpod volume rm ${record.name}` },
    );
  }

  /** Makes the volume when there is none of the name. @throws WpodError NAME_INVALID */
  ensure(name: string, nowMs: number): void {
    checkVolumeName(name);
    this.#insert({ name, createdMs: nowMs, labels: {}, options: {}, anonymous: false });
  }

  #insert(record: VolumeRecord): boolean {
    const { changes } = this.#store.database
      .prepare("INSERT OR IGNORE INTO volumes (name, record) VALUES (?, ?)")
      .run(record.name, JSON.stringify(record));
    return changes !== 0;
  }

  /** By name. */
  list(): VolumeRecord[] {
    const rows = this.#store.database.prepare("SELECT record FROM volumes ORDER BY name").all();
    return rows.map(({ record }) => JSON.parse(record as string) as VolumeRecord);
  }

  /** @throws WpodError VOLUME_NOT_FOUND */
  get(name: string): VolumeRecord {
    const row = this.#store.database.prepare("SELECT record FROM volumes WHERE name = ?").get(name);
    if (row === undefined) {
      throw new WpodError("VOLUME_NOT_FOUND", `no volume with name "${name}" found: no such volume`);
    }
    return JSON.parse(row.record as string) as VolumeRecord;
  }

  /** Ids of the containers, also of those that have ended, that have it among their mounts. */
  users(name: string): string[] {
    const rows = this.#store.database
      .prepare(
        `SELECT id FROM containers WHERE EXISTS (
           SELECT 1 FROM json_each(containers.record, '$.mounts') AS mount
           WHERE json_extract(mount.value, '$.type') = 'volume' AND json_extract(mount.value, '$.source') = ?
         ) ORDER BY created_ms`,
      )
      .all(name);
    return rows.map(({ id }) => id as string);
  }

  /**
   * Takes a volume for a container of this process, and those that its engine lets share it.
   * @throws WpodError VOLUME_NOT_FOUND, VOLUME_IN_USE
   */
  hold(name: string, container: string): void {
    const { database } = this.#store;
    transaction(database, () => {
      this.get(name);
      const holder = this.#holder(name);
      if (holder !== undefined && holder.container !== container) throw inUseBy(name, holder);
      database
        .prepare("UPDATE volumes SET holder = ?, holder_pid = ?, holder_start = ? WHERE name = ?")
        .run(container, process.pid, processStart(process.pid) ?? "", name);
    });
  }

  /** The container that took it ends before another one that shares it. Does nothing when another one has it. */
  pass(name: string, container: string, to: string): void {
    this.#store.database
      .prepare("UPDATE volumes SET holder = ? WHERE name = ? AND holder = ? AND holder_pid = ?")
      .run(to, name, container, process.pid);
  }

  /** Does nothing when another one has it. */
  release(name: string, container: string): void {
    this.#store.database
      .prepare("UPDATE volumes SET holder = NULL WHERE name = ? AND holder = ? AND holder_pid = ?")
      .run(name, container, process.pid);
  }

  /** Undefined also where its process is gone. */
  #holder(name: string): Holder | undefined {
    const row = this.#store.database
      .prepare("SELECT holder, holder_pid, holder_start FROM volumes WHERE name = ?")
      .get(name) as { holder: string | null; holder_pid: number; holder_start: string } | undefined;
    if (row === undefined || row.holder === null) return undefined;
    if (processStart(row.holder_pid) !== row.holder_start) return undefined;
    return { container: row.holder, pid: row.holder_pid };
  }

  /**
   * Removes a volume that no container has.
   * @returns bytes that it had on disk
   * @throws WpodError VOLUME_NOT_FOUND, VOLUME_IN_USE
   */
  remove(name: string): number {
    const { database } = this.#store;
    const doomed = temporaryPath(this.#store, "volume");
    transaction(database, () => {
      this.get(name);
      const holder = this.#holder(name);
      if (holder !== undefined) throw inUseBy(name, holder);
      const users = this.users(name);
      if (users.length > 0) {
        throw new WpodError(
          "VOLUME_IN_USE",
          `volume ${name} is being used by the following container(s): ${users.join(", ")}: volume is being used`,
          { hint: "remove the containers first: wpod rm" },
        );
      }
      database.prepare("DELETE FROM volumes WHERE name = ?").run(name);
      // Out of the way at once: its name is free, and a half removed volume is never opened.
      moveAway(this.folder(name), doomed);
    });
    const sizeBytes = folderBytes(doomed);
    rmSync(doomed, { recursive: true, force: true });
    return sizeBytes;
  }

  /**
   * Removes those that no container has.
   * @param all also those whose name somebody chose
   * @param fits of these, which
   */
  prune(
    all: boolean,
    fits: (volume: VolumeRecord) => boolean,
  ): { removed: string[]; reclaimedBytes: number } {
    const removed: string[] = [];
    let reclaimedBytes = 0;
    for (const volume of this.list()) {
      if ((!all && !volume.anonymous) || !fits(volume)) continue;
      try {
        reclaimedBytes += this.remove(volume.name);
        removed.push(volume.name);
      } catch (error) {
        const { code } = error as { code?: unknown };
        if (code !== "VOLUME_IN_USE" && code !== "VOLUME_NOT_FOUND") throw error;
      }
    }
    return { removed, reclaimedBytes };
  }
}

interface Holder {
  container: string;
  pid: number;
}

function inUseBy(name: string, { container, pid }: Holder): WpodError {
  const where = pid === process.pid ? "" : ` of another wpod process (${pid})`;
  return new WpodError(
    "VOLUME_IN_USE",
    `volume "${name}" is in use by container ${container.slice(0, 12)}${where}`,
    { hint: "containers that one engine runs share a volume, those of others don't: wait for its end" },
  );
}

/** @throws WpodError NAME_INVALID */
export function checkVolumeName(name: string): string {
  if (isValidName(name)) return name;
  throw new WpodError(
    "NAME_INVALID",
    `running volume create option: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument`,
    name.includes("/") ? { hint: "to bind a directory of the host, write its whole path" } : {},
  );
}

function moveAway(path: string, to: string): void {
  try {
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    renameSync(path, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Of its files. */
function folderBytes(path: string): number {
  let sizeBytes = 0;
  try {
    for (const name of readdirSync(path)) sizeBytes += statSync(join(path, name)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return sizeBytes;
}
