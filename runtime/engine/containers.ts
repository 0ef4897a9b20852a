/** Containers of a root, also those of other processes: what is recorded, and their logs. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { generateName } from "../core/container/name.ts";
import type { ControlRequest, LimitChanges } from "../core/control/messages.ts";
import { WpodError } from "../core/error.ts";
import type { LogLimitsSpec } from "../core/log/limits.ts";
import type { ContainerUsage } from "../core/quota/container-usage.ts";
import { controlPath } from "../node/control/control-path.ts";
import { removeSocket } from "../node/control/control-server.ts";
import { processStart } from "../node/host/process-identity.ts";
import { ContainerRecords } from "../node/store/containers.ts";
import type { Store } from "../node/store/store.ts";
import { checkLimits } from "./check-limits.ts";
import type { EngineRecord, RecordKeeper } from "./record.ts";
import type { Container, ContainerInfo, Containers, Limits, LogLine } from "./types.ts";
import type { LocalVolumes } from "./volumes.ts";

/** Sent to the process of a foreground `wpod run`, which ends its container at once: `rm -f`. */
export const KILL_SIGNAL = "SIGUSR2";

export class LocalContainers implements Containers, RecordKeeper {
  readonly #root: string;
  readonly #store: () => Store;
  readonly #logLimits: LogLimitsSpec;
  readonly #volumes: LocalVolumes;
  readonly #here: (id: string) => RunningHere | undefined;
  #records: ContainerRecords<EngineRecord> | undefined;

  /** @param here a container that runs in this very engine */
  constructor(
    root: string,
    store: () => Store,
    volumes: LocalVolumes,
    logLimits: LogLimitsSpec,
    here: (id: string) => RunningHere | undefined,
  ) {
    this.#here = here;
    this.#root = root;
    this.#store = store;
    this.#volumes = volumes;
    this.#logLimits = logLimits;
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
      const container = this.#here(record.id);
      if (container === undefined) await this.#killElsewhere(record);
      else await container.end();
    }
    this.delete(record);
    // Where its process was killed.
    removeSocket(controlPath(this.#root, record.id));
    if (volumes) this.#volumes.removeAnonymous(record.mounts);
    return record.id;
  }

  async stats(reference: string): Promise<ContainerUsage> {
    const record = this.#rows.get(reference);
    if (record.status !== "running") throw notRunning(record.name);
    const here = this.#here(record.id);
    return here === undefined
      ? ((await this.#ask(record, { kind: "stats" })) as ContainerUsage)
      : here.stats();
  }

  async update(reference: string, limits: Limits): Promise<string> {
    const record = this.#rows.get(reference);
    const here = this.#here(record.id);
    if (here !== undefined) await here.update(limits);
    else if (record.status === "running") {
      await this.#ask(record, { kind: "update", limits: limits as LimitChanges });
    } else {
      const next = { ...record.limits, ...limits };
      checkLimits(next);
      this.#rows.update({ ...record, limits: next });
    }
    return record.id;
  }

  async #ask(record: EngineRecord, request: ControlRequest): Promise<unknown> {
    const { askContainer } = await import("../node/control/control-client.ts");
    const isAlive = () => processStart(record.pid) === record.processStart;
    return askContainer(controlPath(this.#root, record.id), record.id, request, isAlive);
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
    const { fileCountMax } = this.#logLimits;
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

  write(record: EngineRecord): void {
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

/** A container of this engine. */
type RunningHere = Pick<Container, "stats" | "update"> & { end(): Promise<void> };

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

export function notRunning(name: string): WpodError {
  return new WpodError("CONTAINER_STATE", `container "${name}" is not running`);
}

export function toInfo({
  processStart: _start,
  hostKind: _kind,
  nameIsGenerated: _generated,
  ...info
}: EngineRecord): ContainerInfo {
  return info;
}
