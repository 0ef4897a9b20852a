/** Containers of a root, also those of other processes: what is recorded, and their logs. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { generateName } from "../core/container/name.ts";
import { WpodError } from "../core/error.ts";
import { processStart } from "../node/host/process-identity.ts";
import { ContainerRecords } from "../node/store/containers.ts";
import type { Store } from "../node/store/store.ts";
import { logLimitsOf } from "./log-limits.ts";
import type { EngineRecord, RecordKeeper } from "./record.ts";
import type { ContainerInfo, Containers, LogLine } from "./types.ts";
import type { LocalVolumes } from "./volumes.ts";

/** Sent to the process of a foreground `wpod run`, which ends its container at once: `rm -f`. */
export const KILL_SIGNAL = "SIGUSR2";

export class LocalContainers implements Containers, RecordKeeper {
  readonly #root: string;
  readonly #store: () => Store;
  readonly #volumes: LocalVolumes;
  readonly #endHere: (id: string) => Promise<boolean>;
  #records: ContainerRecords<EngineRecord> | undefined;

  /** @param endHere ends a container of this very engine; false when it isn't one */
  constructor(
    root: string,
    store: () => Store,
    volumes: LocalVolumes,
    endHere: (id: string) => Promise<boolean>,
  ) {
    this.#endHere = endHere;
    this.#root = root;
    this.#store = store;
    this.#volumes = volumes;
  }

  get #rows(): ContainerRecords<EngineRecord> {
    this.#records ??= new ContainerRecords(this.#store().database);
    return this.#records;
  }

  async list({ all = false }: { all?: boolean } = {}): Promise<ContainerInfo[]> {
    return this.#rows
      .list()
      .filter((record) => all || record.status === "running")
      .map(toInfo);
  }

  async get(reference: string): Promise<ContainerInfo> {
    return toInfo(this.#rows.get(reference));
  }

  async remove(
    reference: string,
    { force = false, volumes = false }: { force?: boolean; volumes?: boolean } = {},
  ): Promise<string> {
    const record = this.#rows.get(reference);
    if (record.status === "running") {
      if (!force) throw stillRunning(record.id);
      if (!(await this.#endHere(record.id))) await this.#killElsewhere(record);
    }
    this.delete(record);
    if (volumes) this.#volumes.removeAnonymous(record.mounts);
    return record.id;
  }

  async *logs(
    reference: string,
    options: { follow?: boolean; tail?: number; sinceNs?: bigint; untilNs?: bigint } = {},
  ): AsyncIterable<LogLine> {
    const record = this.#rows.get(reference);
    if (record.logPath === undefined) {
      throw new WpodError(
        "UNSUPPORTED",
        `container "${record.name}" keeps no log: it was run with --rm or without a log driver`,
      );
    }
    const { followLog, readLog } = await import("../node/log/log-reader.ts");
    const { follow, ...query } = options;
    const ended = () => {
      try {
        return this.#rows.get(record.id).status !== "running";
      } catch {
        return true;
      }
    };
    const { fileCountMax } = logLimitsOf(record.limits);
    yield* follow
      ? followLog(record.logPath, fileCountMax, query, ended)
      : readLog(record.logPath, fileCountMax, query);
  }

  insert(record: EngineRecord): void {
    record.processStart = hostOf(record);
    if (record.logPath !== undefined) mkdirSync(this.folder(record.id), { recursive: true, mode: 0o700 });
    for (let attempt = 1; ; attempt++) {
      try {
        this.#rows.insert(record);
        return;
      } catch (error) {
        const taken = error instanceof WpodError && error.code === "NAME_IN_USE";
        if (!taken || !record.nameIsGenerated || attempt > NAME_ATTEMPTS_MAX) throw error;
        record.name = generateName(randomBelow, attempt - 1);
      }
    }
  }

  update(record: EngineRecord): void {
    record.processStart = hostOf(record);
    this.#rows.update(record);
  }

  delete(record: EngineRecord): void {
    this.#rows.delete(record.id);
    if (record.logPath !== undefined || !record.autoRemove)
      rmSync(this.folder(record.id), { recursive: true, force: true });
    if (record.autoRemove) this.#volumes.removeAnonymous(record.mounts);
  }

  folder(id: string): string {
    return join(this.#root, "containers", id);
  }

  /** Only a process that is known to be that container's host, and to know the signal, is sent one. */
  async #killElsewhere(record: EngineRecord): Promise<void> {
    const known = record.hostKind === "cli" && record.processStart !== "" && process.platform !== "win32";
    if (!known || processStart(record.pid) !== record.processStart) {
      throw new WpodError("CONTAINER_STATE", `container ${record.id} runs inside another program`, {
        hint: "end it there",
      });
    }
    process.kill(record.pid, KILL_SIGNAL);
    const deadlineMs = Date.now() + KILL_WAIT_MS;
    while (processStart(record.pid) === record.processStart) {
      if (Date.now() > deadlineMs) {
        throw new WpodError("CONTAINER_STATE", `container ${record.id} doesn't end`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

const KILL_WAIT_MS = 10_000;
/** Each name that is tried is longer than the one before. */
const NAME_ATTEMPTS_MAX = 20;

/** Names need no secrecy. */
export function randomBelow(max: number): number {
  return Math.floor(Math.random() * max);
}

export function stillRunning(id: string): WpodError {
  return new WpodError(
    "CONTAINER_STATE",
    `cannot remove container ${id} as it is running - running or paused containers cannot be removed without force: container state improper`,
    { hint: "end it first, or remove it with --force" },
  );
}

function hostOf(record: EngineRecord): string {
  return record.status === "running" ? (processStart(record.pid) ?? "") : "";
}

export function toInfo({
  processStart: _start,
  hostKind: _kind,
  nameIsGenerated: _generated,
  ...info
}: EngineRecord): ContainerInfo {
  return info;
}
