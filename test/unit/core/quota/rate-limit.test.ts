import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BURST_NS, charge } from "../../../../runtime/core/quota/rate-limit.ts";

const NS = 1_000_000_000n;

/** One rate, and the clock that its callers pass. */
function limiter(rate: number) {
  const cells = new BigInt64Array(new SharedArrayBuffer(16));
  cells[1] = BigInt(rate);
  return { cells, charge: (units: number, nowNs: bigint) => charge(cells, 0, 1, units, nowNs) };
}

describe("a rate", () => {
  test.each([
    { name: "a burst passes at once", units: 100, waitNs: 0n },
    { name: "one more is waited for", units: 101, waitNs: NS / 1000n },
    { name: "a second's worth is waited for, but its burst", units: 1000, waitNs: NS - BURST_NS },
    { name: "what is more than a burst is let through", units: 5000, waitNs: 5n * NS - BURST_NS },
    { name: "nothing costs nothing", units: 0, waitNs: 0n },
  ])("of 1000 a second: $name", ({ units, waitNs }) => {
    expect(limiter(1000).charge(units, 7n * NS)).toBe(waitNs);
  });

  test("has no more than a burst left over from a time in which nothing passed", () => {
    const { charge } = limiter(1000);
    expect(charge(100, 0n)).toBe(0n);
    expect(charge(100, 3600n * NS)).toBe(0n);
    expect(charge(1, 3600n * NS)).toBe(NS / 1000n);
  });

  test("is shared: who comes second waits for what the first has taken too", () => {
    const { charge } = limiter(10);
    expect(charge(1, 0n)).toBe(0n);
    expect(charge(10, 0n)).toBe(NS);
    expect(charge(1, 0n)).toBe(NS + NS / 10n);
  });

  test("of 0 is none", () => {
    expect(limiter(0).charge(2 ** 52, 0n)).toBe(0n);
  });

  test("never wraps, however much is owed", () => {
    const { cells, charge } = limiter(1);
    for (let round = 0; round < 5; round++) expect(charge(2 ** 52, NS)).toBeGreaterThan(2n ** 61n);
    expect(cells[0]).toBe(2n ** 62n);
  });
});

const RATES = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 2 ** 40 }));
const GAPS_NS = fc.oneof(fc.constant(0n), fc.bigInt(0n, 3n * NS));

test("over any time, no more has passed than the rate gives in it, and a burst", () => {
  const operations = fc.array(fc.tuple(GAPS_NS, fc.nat(2 ** 26), fc.boolean()), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(RATES, operations, (rate, given) => {
      const { charge } = limiter(rate);
      let nowNs = 0n;
      // Of one thread, which comes back when it has waited, and of others, which come meanwhile.
      const passed = given.map(([gapNs, units, waits]) => {
        nowNs += gapNs;
        const fromNs = nowNs;
        const toNs = fromNs + charge(units, nowNs);
        if (waits) nowNs = toNs;
        return { fromNs, toNs, units: BigInt(units) };
      });
      for (const [first, { fromNs }] of passed.entries()) {
        let units = 0n;
        for (const operation of passed.slice(first)) {
          units += operation.units;
          const timeNs = operation.toNs - fromNs;
          if (units * NS > BigInt(rate) * (timeNs + BURST_NS)) return false;
        }
      }
      return true;
    }),
  );
});

test("who comes back at once gets all of the rate, and a burst", () => {
  fc.assert(
    fc.property(RATES, fc.array(fc.nat(10_000), { maxLength: 30 }), (rate, sizes) => {
      const { charge } = limiter(rate);
      let nowNs = NS;
      let costNs = 0n;
      for (const units of sizes) {
        nowNs += charge(units, nowNs);
        // Each is rounded up to a nanosecond.
        costNs += (BigInt(units) * NS) / BigInt(rate) + 1n;
        const owedNs = costNs - BURST_NS;
        if (nowNs - NS > (owedNs > 0n ? owedNs : 0n)) return false;
      }
      return true;
    }),
  );
});
