import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CpuBandwidth } from "../../../../runtime/core/quota/cpu-bandwidth.ts";

/**
 * Programs that compute all the time, on that many threads, and somebody who looks: late by up to `lateMs` each time, and whoever is made
 * to wait waits up to as much longer.
 */
function spin(
  limit: { cpus: number; periodMs: number },
  { threads = 1, seconds = 10, late = () => 0 }: { threads?: number; seconds?: number; late?: () => number },
) {
  let now = 0;
  let used = 0;
  const bandwidth = new CpuBandwidth(limit, 0);
  const bySecond: number[] = [];
  const run = (ms: number, running: number) => {
    // In small steps: a second ends somewhere in it.
    for (let left = ms; left > 0; left -= 1) {
      const step = Math.min(1, left);
      bySecond[Math.floor(now / 1000)] = (bySecond[Math.floor(now / 1000)] ?? 0) + step * running;
      now += step;
    }
    used += ms * running;
  };
  while (now < seconds * 1000) {
    const before = used;
    run(bandwidth.lookMs + late(), threads);
    const pauseMs = bandwidth.charge(now, used - before);
    if (pauseMs === 0) continue;
    const waitedMs = pauseMs + late();
    run(waitedMs, 0);
    bandwidth.waited(now, waitedMs);
  }
  return {
    share: used / now,
    bySecond: bySecond.slice(0, seconds),
    stats: bandwidth.stats,
    nowMs: now,
  };
}

describe("a share of CPU time", () => {
  test.each([
    { cpus: 0.1, threads: 1 },
    { cpus: 0.25, threads: 1 },
    { cpus: 0.5, threads: 1 },
    { cpus: 0.9, threads: 1 },
    { cpus: 1.5, threads: 2 },
    { cpus: 0.2, threads: 8 },
  ])("of $cpus is kept by $threads threads, in the whole and in each second", ({ cpus, threads }) => {
    const { share, bySecond } = spin({ cpus, periodMs: 100 }, { threads });
    expect(Math.abs(share - cpus)).toBeLessThan(0.02 * cpus);
    for (const ms of bySecond.slice(1, -1))
      expect(Math.abs(ms / 1000 - cpus)).toBeLessThan(0.05 * Math.max(cpus, threads / 2));
  });

  test("is kept however late somebody looks, and however long waiting takes", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 0.9, noNaN: true }),
        fc.array(fc.double({ min: 0, max: 30, noNaN: true }), { minLength: 20, maxLength: 20 }),
        (cpus, delays) => {
          let next = 0;
          const { share } = spin({ cpus, periodMs: 100 }, { late: () => delays[next++ % delays.length]! });
          // What is too much at the end is less than one look's.
          expect(share).toBeLessThan(cpus + 0.01);
          expect(share).toBeGreaterThan(cpus * 0.6);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("isn't saved up: who did nothing for long has one period's worth", () => {
    const bandwidth = new CpuBandwidth({ cpus: 0.5, periodMs: 100 }, 0);
    expect(bandwidth.charge(60_000, 0)).toBe(0);
    expect(bandwidth.charge(60_000, 50)).toBe(0);
    expect(bandwidth.charge(60_000, 1)).toBe(2);
  });

  test("may be changed at any time, and what isn't used is at most one period's of the new one", () => {
    const bandwidth = new CpuBandwidth({ cpus: Infinity, periodMs: 100 }, 0);
    expect(bandwidth.charge(0, 10)).toBe(0);
    expect(bandwidth.charge(1000, 900)).toBe(0);
    bandwidth.limit = { cpus: 0.5, periodMs: 20 };
    expect(bandwidth.charge(1000, 0)).toBe(0);
    expect(bandwidth.charge(1000, 11)).toBeCloseTo(2);
    bandwidth.limit = { cpus: 0.1, periodMs: 20 };
    expect(bandwidth.charge(1000, 0)).toBeCloseTo(10);
  });

  test("that is waited for counts the periods that it takes", () => {
    const bandwidth = new CpuBandwidth({ cpus: 0.1, periodMs: 100 }, 0);
    expect(bandwidth.charge(25, 50)).toBeCloseTo(475);
    bandwidth.waited(500, 475);
    expect(bandwidth.stats).toEqual({ periodCount: 6, throttledCount: 6, throttledMs: 475 });
    expect(bandwidth.charge(520, 30)).toBeCloseTo(280);
    bandwidth.waited(590, 70);
    expect(bandwidth.stats).toEqual({ periodCount: 6, throttledCount: 6, throttledMs: 545 });
  });

  test("that is owed is waited for, two periods at a time", () => {
    const bandwidth = new CpuBandwidth({ cpus: 0.1, periodMs: 100 }, 0);
    expect(bandwidth.pauseMsMax).toBe(200);
    expect(bandwidth.charge(25, 25 * 2)).toBeCloseTo(475);
    expect(bandwidth.charge(500, 0)).toBe(0);
    // Less than that isn't worth the trouble; it isn't forgotten either.
    expect(bandwidth.charge(500, 0.06)).toBe(0);
    expect(bandwidth.charge(500, 0.06)).toBeCloseTo(1.2);
  });

  test("is never negative when the clock stands still or goes back", () => {
    const bandwidth = new CpuBandwidth({ cpus: 0.5, periodMs: 100 }, 1000);
    expect(bandwidth.charge(1000, 10)).toBe(20);
    expect(bandwidth.charge(900, 0)).toBe(20);
  });

  test("of a program that is allowed all that it uses costs it nothing", () => {
    const { stats } = spin({ cpus: 1, periodMs: 100 }, {});
    expect(stats).toEqual({ periodCount: 101, throttledCount: 0, throttledMs: 0 });
  });

  test("is told of as a cgroup does: periods in which something ran, those that ended in waiting, and for how long", () => {
    const { stats, nowMs, share } = spin({ cpus: 0.25, periodMs: 100 }, {});
    expect(stats.periodCount).toBeGreaterThanOrEqual(99);
    expect(stats.throttledCount).toBeGreaterThanOrEqual(99);
    expect(stats.throttledMs).toBeCloseTo(nowMs * (1 - share), 0);
    const idle = new CpuBandwidth({ cpus: 0.25, periodMs: 100 }, 0);
    for (let now = 0; now < 1000; now += 25) idle.charge(now, 0);
    expect(idle.stats).toEqual({ periodCount: 0, throttledCount: 0, throttledMs: 0 });
  });

  test.each([
    { cpus: 4, periodMs: 100, lookMs: 25 },
    { cpus: 0.25, periodMs: 100, lookMs: 25 },
    { cpus: 0.1, periodMs: 100, lookMs: 10 },
    { cpus: 0.01, periodMs: 100, lookMs: 5 },
    { cpus: 1, periodMs: 1, lookMs: 5 },
  ])("of $cpus in $periodMs ms is looked after every $lookMs ms", ({ lookMs, ...limit }) => {
    expect(new CpuBandwidth(limit, 0).lookMs).toBe(lookMs);
  });
});
