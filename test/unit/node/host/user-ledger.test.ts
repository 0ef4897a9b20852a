/** What containers reserve, across processes: a second process is a real one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AdmissionWishes, UserLedger } from "../../../../runtime/node/host/user-ledger.ts";
import type { Store } from "../../../../runtime/node/store/store.ts";
import { temporaryStore } from "../store/store-for-test.ts";

const HOLDER = fileURLToPath(new URL("../../../fixtures/ledger-holder.ts", import.meta.url));
const MINUTE_MS = 60_000;

let store: Store;
let ledger: UserLedger;
const children: ChildProcess[] = [];

beforeEach(() => {
  store = temporaryStore();
  ledger = new UserLedger(store.database);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const want = (id: string, cpus: number, parts: Partial<AdmissionWishes> = {}): AdmissionWishes => ({
  id,
  name: id,
  reservation: { cpus, memoryBytes: 0 },
  totals: { cpus: 1 },
  waitMs: MINUTE_MS,
  ...parts,
});
const ids = () => ledger.claims().map(({ id, held }) => (held ? id : `(${id})`));

/** Another process that reserves, and what it says. */
function holder(id: string, cpus: number) {
  const child = spawn(process.execPath, [HOLDER, store.root, id, `${cpus}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return { child, line: async () => (await lines.next()).value as string | undefined };
}

/** Answers once it waits, and with a promise of its turn. */
async function waiting(wishes: AdmissionWishes): Promise<{ reason: string; turn: Promise<() => void> }> {
  const told = Promise.withResolvers<string>();
  const turn = ledger.admit({ ...wishes, onWait: told.resolve });
  turn.catch(told.reject);
  return { reason: await told.promise, turn };
}

describe("in one process", () => {
  test("who fits is admitted, who doesn't waits for its turn, and what is released is free", async () => {
    const first = await ledger.admit(want("first", 0.75));
    const { reason, turn } = await waiting(want("second", 0.5));
    expect(reason).toBe("it reserves 0.5 CPUs, and 0.25 of 1 are left");
    expect(ids()).toEqual(["first", "(second)"]);
    first();
    const second = await turn;
    expect(ids()).toEqual(["second"]);
    second();
    expect(ids()).toEqual([]);
    // Twice is as once.
    second();
    expect(ids()).toEqual([]);
  });

  test("turns come in the order in which they were asked for, and nobody passes one that needs more", async () => {
    const first = await ledger.admit(want("first", 1));
    const order: string[] = [];
    const note = async (id: string, turn: Promise<() => void>) => {
      const release = await turn;
      order.push(id);
      return release;
    };
    const large = note("large", (await waiting(want("large", 1))).turn);
    const small = note("small", (await waiting(want("small", 0.1))).turn);
    first();
    const release = await large;
    expect(ids()).toEqual(["large", "(small)"]);
    release();
    await small;
    expect(order).toEqual(["large", "small"]);
  });

  test("who may not wait is refused with the reason", async () => {
    await ledger.admit(want("first", 1));
    await expect(ledger.admit(want("second", 0.1, { waitMs: 0 }))).rejects.toMatchObject({
      code: "RESERVATION_REFUSED",
      message: 'container "second" can\'t start: it reserves 0.1 CPUs, and 0 of 1 are left',
    });
    expect(ids()).toEqual(["first"]);
  });

  test("who could never start is refused at once, however long it would wait", async () => {
    await expect(ledger.admit(want("huge", 1.5))).rejects.toMatchObject({
      code: "RESERVATION_REFUSED",
      message: expect.stringContaining("more than all that there is"),
    });
  });

  test("who has waited long enough is refused, and lets the next one come", async () => {
    await ledger.admit(want("first", 0.5));
    // Both stand there before any time has passed.
    const claims = [waiting(want("impatient", 1, { waitMs: 1 })), waiting(want("next", 0.5))] as const;
    const [impatient, next] = await Promise.all(claims);
    await expect(impatient.turn).rejects.toMatchObject({
      code: "RESERVATION_REFUSED",
      message: expect.stringMatching(/it has waited for 0.001 s$/),
    });
    await next.turn;
    expect(ids()).toEqual(["first", "next"]);
  });

  test("an abort ends a wait", async () => {
    await ledger.admit(want("first", 1));
    const abort = new AbortController();
    const { turn } = await waiting(want("second", 1, { signal: abort.signal }));
    abort.abort();
    await expect(turn).rejects.toMatchObject({ code: "ABORTED" });
    expect(ids()).toEqual(["first"]);
    await expect(ledger.admit(want("third", 1, { signal: abort.signal }))).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(ids()).toEqual(["first"]);
  });

  test("nobody waits in a ledger that is closed, nor keeps a place", async () => {
    const release = await ledger.admit(want("first", 1));
    const { turn } = await waiting(want("second", 1));
    ledger.close();
    await expect(turn).rejects.toMatchObject({ code: "ABORTED" });
    expect(ids()).toEqual(["first"]);
    // Its database may be gone by now.
    release();
  });

  test("memory is counted beside CPUs", async () => {
    const totals = { memoryBytes: 1024 };
    const memory = (id: string, memoryBytes: number) =>
      want(id, 5, { reservation: { cpus: 5, memoryBytes }, totals, waitMs: 0 });
    await ledger.admit(memory("first", 1000));
    await expect(ledger.admit(memory("second", 25))).rejects.toMatchObject({ code: "RESERVATION_REFUSED" });
    await ledger.admit(memory("third", 24));
  });
});

describe("between processes", () => {
  test("what another one holds counts, and is free when that is killed", async () => {
    const other = holder("other", 0.75);
    expect(await other.line()).toBe("admitted");
    const { turn } = await waiting(want("own", 0.5));
    expect(ids()).toEqual(["other", "(own)"]);
    other.child.kill("SIGKILL");
    const release = await turn;
    // Its row is gone, too, not only passed over.
    expect(ids()).toEqual(["own"]);
    expect(store.database.prepare("SELECT count(*) AS n FROM claims").get()).toEqual({ n: 1 });
    release();
  });

  test("one that is killed while it waits is passed over", async () => {
    const release = await ledger.admit(want("own", 1));
    const other = holder("other", 1);
    expect(await other.line()).toMatch(/^waits: it reserves 1 CPUs/);
    const { reason, turn } = await waiting(want("behind", 1));
    expect(reason).toBe("another container waits before it");
    const gone = once(other.child, "exit");
    other.child.kill("SIGKILL");
    await gone;
    release();
    await turn;
    expect(ids()).toEqual(["behind"]);
  });

  test("another one gets its turn when this one ends a container", async () => {
    const release = await ledger.admit(want("own", 1));
    const other = holder("other", 1);
    expect(await other.line()).toMatch(/^waits/);
    release();
    expect(await other.line()).toBe("admitted");
    expect(ids()).toEqual(["other"]);
  });

  test("however many ask at once, no more are admitted than fit", async () => {
    const others = Array.from({ length: 4 }, (_, index) => holder(`${index}`, 0.4));
    // Two fit; the others say that they wait.
    const said = await Promise.all(others.map(({ line }) => line()));
    expect(said.filter((line) => line === "admitted").length).toBe(2);
    expect(said.filter((line) => line?.startsWith("waits")).length).toBe(2);
    expect(ledger.claims().filter(({ held }) => held).length).toBe(2);
    for (const [index, { child }] of others.entries()) if (said[index] === "admitted") child.kill("SIGKILL");
    const rest = others.filter((_, index) => said[index] !== "admitted");
    expect(await Promise.all(rest.map(({ line }) => line()))).toEqual(["admitted", "admitted"]);
  });

  test("CPUs are divided by shares among all that run, and those of a killed process are free", async () => {
    const other = holder("other", 0.5);
    expect(await other.line()).toBe("admitted");
    await ledger.admit(want("own", 0.25));
    await ledger.admit(want("idle", 0.25));
    const parts = (shares: number, wantedCpus: number) =>
      Object.fromEntries(
        ledger.share(
          1,
          new Map([
            ["own", { shares, wantedCpus }],
            ["idle", { shares: 1024, wantedCpus: 0.04 }],
            ["stranger", { shares: 1024, wantedCpus: Infinity }],
          ]),
        ),
      );
    // The other process has said nothing: it has the usual shares, and uses what it gets.
    // Each is told what it has as soon as it wants it.
    const of = (own: number, idle: number) => ({
      own: expect.closeTo(own, 9),
      idle: expect.closeTo(idle, 9),
    });
    expect(parts(3072, Infinity)).toEqual(of(0.72, 0.2));
    expect(parts(1024, Infinity)).toEqual(of(0.48, 1 / 3));
    expect(parts(1024, 0.1)).toEqual(of(0.48, 0.45));
    const gone = once(other.child, "exit");
    other.child.kill("SIGKILL");
    await gone;
    expect(parts(2, Infinity)).toEqual(of(0.96, 1024 / 1026));
  });

  test("a row of a process whose number somebody else has now doesn't count", async () => {
    await ledger.admit(want("first", 1));
    store.database.prepare("UPDATE claims SET process_start = 'another start'").run();
    // Only Linux tells when a process started.
    if (process.platform !== "linux") return;
    await ledger.admit(want("second", 1, { waitMs: 0 }));
    expect(ids()).toEqual(["second"]);
  });
});
