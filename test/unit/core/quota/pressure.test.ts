import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PressureUsage } from "../../../../runtime/core/quota/container-usage.ts";
import { PRESSURE_PERIOD_US, Pressure, pressureText } from "../../../../runtime/core/quota/pressure.ts";

const SECOND_US = 1_000_000;

/** So much of each look's time somebody waited, and all did. */
function run(
  seconds: number,
  { some, full = 0, everyUs = PRESSURE_PERIOD_US }: { some: number; full?: number; everyUs?: number },
  pressure = new Pressure(0),
  fromUs = 0,
): { pressure: Pressure; usage: PressureUsage; nowUs: number } {
  let nowUs = fromUs;
  const endUs = fromUs + seconds * SECOND_US;
  while (nowUs < endUs) {
    nowUs += everyUs;
    pressure.sample(nowUs, some * everyUs, full * everyUs);
  }
  return { pressure, usage: pressure.read(nowUs), nowUs };
}

describe("pressure", () => {
  // What a stall that lasts comes to, by the definition of such an average: 1 - 1/e after its own time.
  test.each([
    { seconds: 10, name: "avg10", percent: 63.2 },
    { seconds: 60, name: "avg60", percent: 63.2 },
    { seconds: 300, name: "avg300", percent: 63.2 },
    { seconds: 20, name: "avg10", percent: 86.5 },
    { seconds: 10, name: "avg60", percent: 15.4 },
    { seconds: 10, name: "avg300", percent: 3.3 },
    { seconds: 200, name: "avg10", percent: 100 },
  ] as const)("of all time for $seconds s is $percent % in $name", ({ seconds, name, percent }) => {
    const { usage } = run(seconds, { some: 1, full: 1 });
    expect(Math.abs(usage.some[name] - percent)).toBeLessThan(1.5);
    expect(usage.full[name]).toBe(usage.some[name]);
    expect(usage.some.totalUs).toBe(seconds * SECOND_US);
  });

  test.each([
    { some: 0, full: 0 },
    { some: 0.25, full: 0 },
    { some: 0.5, full: 0.25 },
    { some: 1, full: 0.75 },
  ])("that lasts comes to what it is: some $some, full $full", ({ some, full }) => {
    const { usage } = run(3000, { some, full });
    for (const name of ["avg10", "avg60", "avg300"] as const) {
      expect(usage.some[name]).toBeCloseTo(some * 100, 0);
      expect(usage.full[name]).toBeCloseTo(full * 100, 0);
    }
  });

  // The figures that the kernel's own arithmetic gives after 2 s, 4 s and 6 s of nothing but waiting.
  test.each([
    { periods: 1, avg10: "18.11", avg60: "3.27", avg300: "0.68" },
    { periods: 2, avg10: "32.94", avg60: "6.43", avg300: "1.36" },
    { periods: 3, avg10: "45.09", avg60: "9.49", avg300: "2.03" },
  ])("after $periods periods is as the kernel's fixed point has it", ({ periods, avg10, avg60, avg300 }) => {
    const { usage } = run(periods * 2, { some: 1 });
    const total = periods * PRESSURE_PERIOD_US;
    expect(pressureText(usage)).toBe(
      `some avg10=${avg10} avg60=${avg60} avg300=${avg300} total=${total}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`,
    );
  });

  test("has no average before its first period ends, and its total at once", () => {
    const pressure = new Pressure(0);
    pressure.sample(PRESSURE_PERIOD_US - 1, 1000, 500);
    expect(pressure.read(PRESSURE_PERIOD_US - 1).some).toEqual({
      avg10: 0,
      avg60: 0,
      avg300: 0,
      totalUs: 1000,
    });
    pressure.sample(PRESSURE_PERIOD_US, PRESSURE_PERIOD_US - 1000, 0);
    expect(pressure.read(PRESSURE_PERIOD_US).some.avg10).toBeGreaterThan(18);
  });

  test("falls while nobody looks as if somebody had", () => {
    const { pressure, nowUs } = run(60, { some: 1, full: 0.5 });
    const { pressure: watched } = run(60, { some: 1, full: 0.5 });
    const after = pressure.read(nowUs + 30 * SECOND_US);
    const seen = run(30, { some: 0 }, watched, nowUs).usage;
    for (const stall of ["some", "full"] as const) {
      expect(Math.abs(after[stall].avg10 - seen[stall].avg10)).toBeLessThan(1);
      expect(Math.abs(after[stall].avg60 - seen[stall].avg60)).toBeLessThan(1);
      expect(after[stall].totalUs).toBe(seen[stall].totalUs);
    }
  });

  test("is nothing again, long after the last wait", () => {
    const { pressure, nowUs } = run(600, { some: 1 });
    expect(pressure.read(nowUs + 86_400 * SECOND_US).some).toMatchObject({ avg10: 0, avg60: 0, avg300: 0 });
  });

  test("that was told late, more than there was time, is told with the next periods", () => {
    const pressure = new Pressure(0);
    pressure.sample(PRESSURE_PERIOD_US, 2 * PRESSURE_PERIOD_US, 0);
    const first = pressure.read(PRESSURE_PERIOD_US).some;
    const second = pressure.read(2 * PRESSURE_PERIOD_US).some;
    const third = pressure.read(3 * PRESSURE_PERIOD_US).some;
    expect(second.avg10).toBeGreaterThan(first.avg10);
    expect(third.avg10).toBeLessThan(second.avg10);
  });

  test("whatever is sampled, shares lie between 0 and 100, full never above some, and totals never fall", () => {
    const step = fc.record({
      elapsedUs: fc.integer({ min: 0, max: 700 * SECOND_US }),
      some: fc.double({ min: 0, max: 1, noNaN: true }),
      full: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pressure = new Pressure(0);
        let nowUs = 0;
        let before = 0;
        for (const { elapsedUs, some, full } of steps) {
          nowUs += elapsedUs;
          pressure.sample(nowUs, some * elapsedUs, full * elapsedUs);
          const usage = pressure.read(nowUs);
          for (const name of ["avg10", "avg60", "avg300"] as const) {
            expect(usage.some[name]).toBeLessThanOrEqual(100);
            expect(usage.full[name]).toBeGreaterThanOrEqual(0);
            expect(usage.full[name]).toBeLessThanOrEqual(usage.some[name]);
          }
          expect(usage.some.totalUs).toBeGreaterThanOrEqual(before);
          expect(usage.full.totalUs).toBeLessThanOrEqual(usage.some.totalUs);
          before = usage.some.totalUs;
        }
      }),
    );
  });

  test("how often somebody looks changes the averages little", () => {
    const often = run(60, { some: 0.4, full: 0.1, everyUs: 25_000 }).usage;
    const seldom = run(60, { some: 0.4, full: 0.1 }).usage;
    expect(Math.abs(often.some.avg10 - seldom.some.avg10)).toBeLessThan(1.5);
    expect(Math.abs(often.full.avg60 - seldom.full.avg60)).toBeLessThan(1.5);
  });
});
