/**
 * What the user's configuration file says of containers: what each has when nobody says, and whether one may start beside the others.
 * Without such a file nothing of it is loaded.
 */
import { WpodError } from "../core/error.ts";
import type { Reservation } from "../core/quota/reservation.ts";
import { loadUserConfig, type UserConfig } from "../node/config/user-config.ts";
import type { CpuDemand, Release, UserLedger } from "../node/host/user-ledger.ts";
import type { Store } from "../node/store/store.ts";
import type { EngineRecord } from "./record.ts";
import type { Limits, RunOptions } from "./types.ts";

/** Answers when a container may start, with what gives back what it reserved. Undefined: nobody limits what all have together. */
export type Admit = (record: EngineRecord, container: Sharer) => Promise<Release> | undefined;

/** A container that runs, where CPU time is divided among all of its user's. */
export interface Sharer extends CpuDemand {
  /** What it may use now. */
  partCpus: number;
}

/** How often parts are divided anew. It costs a millisecond. */
const DIVIDE_MS = 250;

export class UserLimits {
  readonly #store: () => Store;
  #ledger: Promise<UserLedger> | undefined;
  /** That run here, by id. */
  readonly #sharers = new Map<string, Sharer>();
  #dividing: NodeJS.Timeout | undefined;

  constructor(store: () => Store) {
    this.#store = store;
  }

  /**
   * For one container: its limits, with the defaults of the file, and its admission.
   * @throws WpodError CONFIG_INVALID, USAGE
   */
  async of(options: RunOptions): Promise<{ limits: Limits; totalCpus: number; admit: Admit }> {
    const given = options.limits ?? {};
    checkReservation(given);
    // Read for each: who edits it expects that of the next one.
    const config = await loadUserConfig();
    if (config === undefined) return { limits: given, totalCpus: Infinity, admit: () => undefined };
    const said = Object.entries(given).filter(([, value]) => value !== undefined);
    const limits: Limits = { ...config.defaults, ...Object.fromEntries(said) };
    const { cpus, memoryBytes } = config.totals;
    const totalCpus = cpus ?? Infinity;
    if (cpus === undefined && memoryBytes === undefined) return { limits, totalCpus, admit: () => undefined };
    const admit: Admit = async (record, container) => {
      const release = await this.#admit(record, config, options);
      if (cpus !== undefined) this.#share(record.id, container, cpus);
      return () => {
        this.#sharers.delete(record.id);
        release();
      };
    };
    return { limits, totalCpus, admit };
  }

  #share(id: string, container: Sharer, totalCpus: number): void {
    this.#sharers.set(id, container);
    if (this.#dividing !== undefined) return;
    const divide = async () => {
      if (this.#sharers.size === 0) {
        clearInterval(this.#dividing);
        this.#dividing = undefined;
        return;
      }
      const parts = (await this.#ledger!).share(totalCpus, this.#sharers);
      for (const [of, part] of parts) {
        const sharer = this.#sharers.get(of);
        if (sharer !== undefined) sharer.partCpus = part;
      }
    };
    this.#dividing = setInterval(() => void divide(), DIVIDE_MS);
    this.#dividing.unref();
    void divide();
  }

  async #admit(
    { id, name, limits }: EngineRecord,
    config: UserConfig,
    options: RunOptions,
  ): Promise<Release> {
    this.#ledger ??= import("../node/host/user-ledger.ts").then(
      (module) => new module.UserLedger(this.#store().database),
    );
    const { totals, overcommit, waitMs } = config;
    return (await this.#ledger).admit({
      id,
      name,
      totals,
      reservation: reservationOf(limits),
      waitMs: overcommit === "refuse" ? 0 : waitMs,
      signal: options.signal,
      onWait: (reason) => options.onWarning?.(`container "${name}" waits: ${reason}`),
    });
  }

  /** Nobody waits any more. The store is open until then. */
  async close(): Promise<void> {
    clearInterval(this.#dividing);
    (await this.#ledger)?.close();
  }
}

/** What is limited and not reserved is reserved as it is limited. */
function reservationOf(limits: Limits): Reservation {
  return {
    cpus: limits.cpuReservation ?? limits.cpus ?? 0,
    memoryBytes: limits.memoryReservationBytes ?? limits.memoryBytesMax ?? 0,
  };
}

function checkReservation({ memoryReservationBytes, memoryBytesMax, cpuReservation, cpus }: Limits): void {
  check("memory", memoryReservationBytes, memoryBytesMax, "bytes");
  check("CPU time", cpuReservation, cpus, "CPUs");
}

function check(what: string, reserved: number | undefined, limit: number | undefined, unit: string): void {
  if (reserved === undefined) return;
  if (!(reserved >= 0 && reserved < Infinity)) {
    throw new WpodError("USAGE", `${reserved} ${unit} of ${what} can't be reserved: that is no amount`);
  }
  if (limit !== undefined && reserved > limit) {
    throw new WpodError("USAGE", `${reserved} ${unit} of ${what} are reserved, and the limit is ${limit}`, {
      hint: "reserve less, or raise the limit",
    });
  }
}
