import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Claim,
  CONTAINERS_WAITING_MAX,
  claim,
  heldBy,
  type Reservation,
  type ReservationTotals,
  release,
  settle,
  stateOf,
} from "../../../../runtime/core/quota/reservation.ts";

const MIB = 1024 * 1024;
const TOTALS: ReservationTotals = { cpus: 2, memoryBytes: 1024 * MIB };

const held = (id: string, cpus: number, mib: number): Claim => ({
  id,
  cpus,
  memoryBytes: mib * MIB,
  held: true,
});
const waiting = (id: string, cpus: number, mib: number): Claim => ({ ...held(id, cpus, mib), held: false });
const want = (id: string, cpus: number, mib: number) => ({ id, cpus, memoryBytes: mib * MIB });
const ids = (claims: readonly Claim[]) => claims.map((one) => (one.held ? one.id : `(${one.id})`));

describe("a claim", () => {
  test.each([
    { name: "fits into nothing", claims: [], wanted: want("a", 2, 1024), admission: { kind: "admitted" } },
    {
      name: "of nothing always fits",
      claims: [held("x", 2, 1024)],
      wanted: want("a", 0, 0),
      admission: { kind: "admitted" },
    },
    {
      name: "takes the last bit",
      claims: [held("x", 1.5, 1000)],
      wanted: want("a", 0.5, 24),
      admission: { kind: "admitted" },
    },
    {
      name: "waits for memory",
      claims: [held("x", 1, 1000)],
      wanted: want("a", 0, 25),
      admission: {
        kind: "waits",
        position: 1,
        reason: "it reserves 25MiB of memory, and 24MiB of 1GiB are left",
      },
    },
    {
      name: "waits for CPUs",
      claims: [held("x", 1.75, 0)],
      wanted: want("a", 0.5, 0),
      admission: { kind: "waits", position: 1, reason: "it reserves 0.5 CPUs, and 0.25 of 2 are left" },
    },
    {
      name: "doesn't pass one that waits, though it would fit",
      claims: [held("x", 1, 0), waiting("big", 2, 0)],
      wanted: want("a", 0.1, 0),
      admission: { kind: "waits", position: 2, reason: "another container waits before it" },
    },
    {
      name: "stands behind all others",
      claims: [held("x", 2, 0), waiting("y", 1, 0), waiting("z", 1, 0)],
      wanted: want("a", 1, 0),
      admission: { kind: "waits", position: 3, reason: "2 other containers wait before it" },
    },
    {
      name: "of more CPUs than there are never fits",
      claims: [],
      wanted: want("a", 2.001, 0),
      admission: {
        kind: "refused",
        reason: "it reserves 2.001 CPUs, and 2 of 2 are left: that is more than all that there is",
      },
    },
    {
      name: "of more memory than there is never fits",
      claims: [waiting("x", 1, 1)],
      wanted: want("a", 0, 1025),
      admission: {
        kind: "refused",
        reason:
          "it reserves 1.001GiB of memory, and 1GiB of 1GiB are left: that is more than all that there is",
      },
    },
  ])("$name", ({ claims, wanted, admission }) => {
    const answer = claim(claims, TOTALS, wanted, true);
    expect(answer.admission).toEqual(admission);
    expect(ids(answer.claims)).toEqual([
      ...ids(claims),
      ...(admission.kind === "admitted" ? ["a"] : admission.kind === "waits" ? ["(a)"] : []),
    ]);
    if (admission.kind === "refused") return;
    expect(stateOf(answer.claims, TOTALS, "a")).toEqual(admission);
  });

  test("that may not wait is refused with the same reason, and leaves nothing", () => {
    const claims = [held("x", 1, 1000)];
    expect(claim(claims, TOTALS, want("a", 0, 25), false)).toEqual({
      claims,
      admission: { kind: "refused", reason: "it reserves 25MiB of memory, and 24MiB of 1GiB are left" },
    });
  });

  test.each([
    { waits: CONTAINERS_WAITING_MAX - 1, kind: "waits" },
    { waits: CONTAINERS_WAITING_MAX, kind: "refused" },
  ])("behind $waits that wait: $kind", ({ waits, kind }) => {
    const line = Array.from({ length: waits }, (_, index) => waiting(`${index}`, 1, 0));
    expect(claim([held("x", 2, 0), ...line], TOTALS, want("a", 1, 0), true).admission.kind).toBe(kind);
  });

  test("of a tenth fits ten times into one: tenths are no exact numbers", () => {
    let claims: readonly Claim[] = [];
    for (let index = 0; index < 10; index++) {
      const answer = claim(claims, { cpus: 1 }, want(`${index}`, 0.1, 0), false);
      expect(answer.admission.kind).toBe("admitted");
      claims = answer.claims;
    }
    expect(claim(claims, { cpus: 1 }, want("more", 0.001, 0), false).admission.kind).toBe("refused");
  });

  test("without totals always fits", () => {
    expect(claim([held("x", 64, 1e9)], {}, want("a", 64, 1e9), false).admission.kind).toBe("admitted");
  });
});

describe("what is released", () => {
  test("goes to who waits first, and to those behind as far as it reaches", () => {
    const claims = [
      held("x", 2, 0),
      waiting("a", 1, 0),
      waiting("b", 0.5, 0),
      waiting("c", 1, 0),
      waiting("d", 0.5, 0),
    ];
    const after = release(claims, TOTALS, "x");
    // d would fit, and doesn't pass c.
    expect(ids(after)).toEqual(["a", "b", "(c)", "(d)"]);
    expect(ids(release(after, TOTALS, "a"))).toEqual(["b", "c", "d"]);
  });

  test("of one that gave up lets those behind it come", () => {
    const claims = [held("x", 1, 0), waiting("big", 2, 0), waiting("small", 1, 0)];
    expect(ids(release(claims, TOTALS, "big"))).toEqual(["x", "small"]);
  });

  test("by nobody changes nothing", () => {
    const claims = [held("x", 2, 0), waiting("a", 1, 0)];
    expect(release(claims, TOTALS, "none")).toEqual(claims);
  });

  test("larger totals let some come, smaller ones take nothing from who has it", () => {
    const claims = [held("x", 2, 0), waiting("a", 1, 0), waiting("b", 1, 0)];
    expect(ids(settle(claims, { cpus: 3 }))).toEqual(["x", "a", "(b)"]);
    expect(ids(settle(claims, { cpus: 1 }))).toEqual(["x", "(a)", "(b)"]);
  });
});

/** What containers do, one after the other. `index` picks one of those that are there. */
const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("claim" as const),
      cpus: fc.integer({ min: 0, max: 25 }).map((tenths) => tenths / 10),
      mib: fc.nat(1200),
      mayWait: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("release" as const), index: fc.nat() }),
  ),
  { maxLength: 80 },
);

test("never more is held than there is, nobody is passed, and all that wait get their turn", () => {
  fc.assert(
    fc.property(steps, (all) => {
      let claims: readonly Claim[] = [];
      const admitted: string[] = [];
      const refused: string[] = [];
      const note = (after: readonly Claim[]) => {
        for (const one of after) if (one.held && !admitted.includes(one.id)) admitted.push(one.id);
        claims = after;
        const { cpus, memoryBytes }: Reservation = heldBy(claims);
        expect(cpus).toBeLessThanOrEqual(TOTALS.cpus!);
        expect(memoryBytes).toBeLessThanOrEqual(TOTALS.memoryBytes!);
        // Whoever waits first doesn't fit: else it wouldn't wait.
        expect(settle(claims, TOTALS)).toEqual(claims);
        // Nobody who came later has come in before it.
        const first = claims.findIndex((one) => !one.held);
        if (first >= 0) expect(claims.slice(first).every((one) => !one.held)).toBe(true);
      };
      let claimCount = 0;
      for (const step of all) {
        if (step.kind === "release") {
          if (claims.length > 0) note(release(claims, TOTALS, claims[step.index % claims.length]!.id));
          continue;
        }
        const id = `${claimCount++}`;
        const answer = claim(claims, TOTALS, want(id, step.cpus, step.mib), step.mayWait);
        if (answer.admission.kind === "refused") {
          refused.push(id);
          expect(answer.claims).toBe(claims);
        }
        note(answer.claims);
      }
      // All end, the oldest first: whoever waited has come, in the order in which they stood.
      const line = claims.filter((one) => !one.held).map(({ id }) => id);
      const before = admitted.length;
      while (claims.length > 0) note(release(claims, TOTALS, claims[0]!.id));
      expect(admitted.slice(before)).toEqual(line);
      expect(admitted.some((id) => refused.includes(id))).toBe(false);
    }),
  );
});
