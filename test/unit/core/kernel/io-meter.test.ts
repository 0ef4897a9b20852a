/** A program's thread that waits for its files: as long as it owes, awake for the engine, and no longer when the limit goes. */
import { expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { IoMeter } from "../../../../runtime/core/kernel/io-meter.ts";
import { type IoLimits, IoPage } from "../../../../runtime/core/quota/io-page.ts";

const NS_PER_MS = 1_000_000;
const NONE: IoLimits = {
  readBps: 0,
  writeBps: 0,
  readIops: 0,
  writeIops: 0,
  diskBytesMax: 0,
  diskInodesMax: 0,
};

/** Time passes only where somebody waits. */
function metered(limits: Partial<IoLimits>) {
  const page = IoPage.create({ ...NONE, ...limits });
  const waitsMs: number[] = [];
  let nowNs = 5n;
  let clockCount = 0;
  let meanwhile = (_waitMs: number): number => _waitMs;
  class TestBell extends Bell {
    override wait(seen: number, timeoutMs = Infinity): void {
      expect(seen).toBe(this.now());
      waitsMs.push(timeoutMs);
      nowNs += BigInt(Math.round(meanwhile(timeoutMs) * NS_PER_MS));
    }
  }
  const clocks = {
    now() {
      clockCount++;
      return nowNs;
    },
    resolution: () => 1n,
  };
  return {
    page,
    waitsMs,
    meter: new IoMeter(page, clocks, new TestBell()),
    clockCount: () => clockCount,
    whileWaiting(then: (waitMs: number) => number) {
      meanwhile = then;
    },
  };
}

test("without a limit it counts, and doesn't even look at the clock", () => {
  const { page, meter, clockCount } = metered({ writeBps: 1 });
  meter.read(10);
  meter.read(20);
  expect(page.usage).toMatchObject({ readBytes: 30, readCount: 2, waitedUs: 0 });
  expect(clockCount()).toBe(0);
});

test("what is owed is waited for, a tenth of a second at a time", () => {
  const { page, meter, waitsMs } = metered({ writeBps: 1000 });
  meter.wrote(350);
  expect(waitsMs).toEqual([100, 100, 50]);
  meter.read(1000);
  expect(page.usage).toMatchObject({ writeBytes: 350, writeCount: 1, waitedUs: 250_000 });
});

test("who is rung for in between waits for the rest", () => {
  const { page, meter, waitsMs, whileWaiting } = metered({ readBps: 1000 });
  whileWaiting((waitMs) => Math.min(waitMs, 30));
  meter.read(200);
  expect(waitsMs).toEqual([100, 70, 40, 10]);
  expect(page.usage.waitedUs).toBe(100_000);
});

test("a limit that changes meanwhile ends the wait", () => {
  const { page, meter, waitsMs, whileWaiting } = metered({ readBps: 1 });
  whileWaiting((waitMs) => {
    if (waitsMs.length === 3) page.limits = NONE;
    return waitMs;
  });
  meter.read(1_000_000);
  expect(waitsMs).toEqual([100, 100, 100]);
  meter.read(1_000_000);
  expect(waitsMs).toHaveLength(3);
});
