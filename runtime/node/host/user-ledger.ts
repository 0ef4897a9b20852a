/**
 * What the containers of a user reserve, whichever process hosts them: a table that all share, under the lock of its database. A process
 * that was killed leaves its rows, and they don't count from then on: who looks next takes them away.
 */
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { WpodError } from "../../core/error.ts";
import { type CpuClaim, divideCpus } from "../../core/quota/cpu-group.ts";
import {
  type Admission,
  type Claim,
  claim,
  type Reservation,
  type ReservationTotals,
  release,
  settle,
  stateOf,
} from "../../core/quota/reservation.ts";
import { Statements, transaction } from "../store/database.ts";
import { isStill, processStart } from "./process-identity.ts";

/** Nobody rings when another process ends: who waits looks so often. A look costs 0.1 ms. */
const LOOK_MS = 100;

/** Gives back what was reserved. */
export type Release = () => void;

export interface AdmissionWishes {
  /** Of the container. */
  readonly id: string;
  /** For what is said of it. */
  readonly name: string;
  readonly reservation: Reservation;
  /** Of all containers together. */
  readonly totals: ReservationTotals;
  /** 0: it is refused at once when it doesn't fit. */
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told why, when it has to wait. */
  readonly onWait?: ((reason: string) => void) | undefined;
}

type Row = Claim & CpuDemand;

/** What a container would use, of what there is for all. */
export type CpuDemand = Pick<CpuClaim, "shares" | "wantedCpus">;

export class UserLedger {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  /** Those of this process that wait: they look again when something is released here. */
  readonly #waiting = new Map<string, () => void>();
  #isClosed = false;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = new Statements(database);
  }

  /**
   * Answers when the container may start.
   * @throws WpodError RESERVATION_REFUSED, ABORTED
   */
  async admit(wishes: AdmissionWishes): Promise<Release> {
    const { id, name, totals, waitMs, signal } = wishes;
    if (this.#isClosed) throw aborted(name, signal);
    const startMs = performance.now();
    let admission = this.#claim(wishes);
    if (admission.kind === "waits") wishes.onWait?.(admission.reason);
    try {
      while (admission.kind === "waits") {
        const leftMs = startMs + waitMs - performance.now();
        if (leftMs <= 0) throw refused(name, `${admission.reason}, and it has waited for ${waitMs / 1000} s`);
        await this.#pause(id, Math.min(leftMs, LOOK_MS), signal);
        if (this.#isClosed || signal?.aborted) throw aborted(name, signal);
        admission = this.#look(id, totals);
      }
    } catch (error) {
      this.#release(id, totals);
      throw error;
    }
    if (admission.kind === "refused") throw refused(name, admission.reason);
    return () => this.#release(id, totals);
  }

  /** Of containers that run, and those that wait to. */
  claims(): readonly Claim[] {
    return this.#rows().claims;
  }

  /**
   * Divides the CPUs of all among the containers that run, by their shares, in whatever process they are.
   * @param own those of this process: each shares, and what it would use
   * @returns what each of them gets; those that were never admitted are left out
   */
  share(totalCpus: number, own: ReadonlyMap<string, CpuDemand>): Map<string, number> {
    return transaction(this.#database, () => {
      const tell = this.#statements.prepare(
        "UPDATE claims SET shares = ?, demand_cpus = ? WHERE container = ?",
      );
      for (const [id, { shares, wantedCpus }] of own) {
        tell.run(shares, wantedCpus === Infinity ? null : wantedCpus, id);
      }
      const running = this.#rows().claims.filter(({ held }) => held);
      const claims = running.map((one) => ({ ...one, cpusMax: Infinity }));
      // Who wakes up has its part at once, before it has told that it wants more than nothing.
      const partOf = (index: number) =>
        divideCpus(totalCpus, claims.with(index, { ...claims[index]!, wantedCpus: Infinity }))[index]!;
      return new Map(claims.flatMap(({ id }, index) => (own.has(id) ? [[id, partOf(index)] as const] : [])));
    });
  }

  /** Nobody here waits any more. The database is open until then. */
  close(): void {
    const waiting = [...this.#waiting];
    if (waiting.length > 0) {
      this.#change((claims) => [claims.filter(({ id }) => !this.#waiting.has(id)), undefined]);
    }
    this.#isClosed = true;
    for (const [, wake] of waiting) wake();
  }

  #claim({ id, reservation, totals, waitMs }: AdmissionWishes): Admission {
    return this.#change((claims) => {
      const answer = claim(claims, totals, { id, ...reservation }, waitMs > 0);
      return [answer.claims, answer.admission];
    });
  }

  /** Without the lock as long as nothing has changed for it. */
  #look(id: string, totals: ReservationTotals): Admission {
    const seen = stateOf(settle(this.#rows().claims, totals), totals, id);
    if (seen?.kind === "waits") return seen;
    return this.#change((claims) => {
      const after = settle(claims, totals);
      return [after, stateOf(after, totals, id) ?? { kind: "refused", reason: "its place was taken away" }];
    });
  }

  #release(id: string, totals: ReservationTotals): void {
    if (this.#isClosed) return;
    this.#change((claims) => [release(claims, totals, id), undefined]);
    for (const wake of this.#waiting.values()) wake();
  }

  async #pause(id: string, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const woken = new AbortController();
    const wake = () => woken.abort();
    this.#waiting.set(id, wake);
    signal?.addEventListener("abort", wake, { once: true });
    try {
      if (!signal?.aborted) await sleep(ms, undefined, { signal: woken.signal }).catch(() => {});
    } finally {
      this.#waiting.delete(id);
      signal?.removeEventListener("abort", wake);
    }
  }

  /** Changes the table while nobody else does: what `work` makes of the claims that count. */
  #change<Answer>(
    work: (claims: readonly Claim[]) => readonly [after: readonly Claim[], answer: Answer],
  ): Answer {
    return transaction(this.#database, () => {
      const { claims, dead } = this.#rows();
      const [after, answer] = work(claims);
      this.#write(claims, after, dead);
      return answer;
    });
  }

  /** In their order; `dead` are those of processes that have ended. */
  #rows(): { claims: Row[]; dead: string[] } {
    const claims: Row[] = [];
    const dead: string[] = [];
    const alive = new Map<string, boolean>();
    for (const row of this.#statements.prepare("SELECT * FROM claims ORDER BY position").all()) {
      const id = row.container as string;
      const process = `${row.pid} ${row.process_start}`;
      if (!alive.has(process)) alive.set(process, isStill(row.pid as number, row.process_start as string));
      if (alive.get(process) === false) {
        dead.push(id);
        continue;
      }
      claims.push({
        id,
        cpus: row.cpus as number,
        memoryBytes: row.memory_bytes as number,
        held: row.held === 1,
        shares: row.shares as number,
        wantedCpus: (row.demand_cpus as number | null) ?? Infinity,
      });
    }
    return { claims, dead };
  }

  #write(before: readonly Claim[], after: readonly Claim[], dead: readonly string[]): void {
    const known = new Map(before.map((one) => [one.id, one]));
    const staying = new Set(after.map(({ id }) => id));
    const gone = before.filter(({ id }) => !staying.has(id)).map(({ id }) => id);
    for (const id of [...dead, ...gone]) {
      this.#statements.prepare("DELETE FROM claims WHERE container = ?").run(id);
    }
    for (const one of after) {
      const old = known.get(one.id);
      if (old === undefined) this.#insert(one);
      else if (old.held !== one.held) {
        this.#statements
          .prepare("UPDATE claims SET held = ? WHERE container = ?")
          .run(Number(one.held), one.id);
      }
    }
  }

  #insert({ id, cpus, memoryBytes, held }: Claim): void {
    this.#statements
      .prepare(
        "INSERT INTO claims (container, pid, process_start, cpus, memory_bytes, held) VALUES (?, ?, ?, ?, ?, ?)",
      )
      .run(id, process.pid, processStart(process.pid) ?? "", cpus, memoryBytes, Number(held));
  }
}

function refused(name: string, reason: string): WpodError {
  return new WpodError("RESERVATION_REFUSED", `container "${name}" can't start: ${reason}`, {
    hint: "end another container, let this one reserve less, or raise the limits in the configuration file",
  });
}

function aborted(name: string, signal: AbortSignal | undefined): WpodError {
  return new WpodError("ABORTED", `container "${name}" was aborted`, { cause: signal?.reason });
}
