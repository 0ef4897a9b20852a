import { Worker } from "node:worker_threads";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CPU_SHARES } from "../../../../runtime/core/quota/cpu-group.ts";
import { MemoryBudget } from "../../../../runtime/core/quota/memory-budget.ts";
import { UsagePage } from "../../../../runtime/core/quota/usage-page.ts";
import { anyUsage, USAGE } from "./usage.ts";

const MIB = 1024 * 1024;

function withMemory(usage: typeof USAGE, budget: MemoryBudget): typeof USAGE {
  const { usedBytes, peakBytes, limitBytes } = budget;
  return { ...usage, memory: { ...usage.memory, usedBytes, peakBytes, limitBytes } };
}

test("what was written is read, in any thread that has the page", () => {
  const budget = MemoryBudget.create(64 * MIB);
  const page = UsagePage.create(budget);
  fc.assert(
    fc.property(anyUsage, (usage) => {
      page.write(usage);
      expect(new UsagePage(page.spec).read()).toEqual(withMemory(usage, budget));
    }),
  );
});

function leafCount(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, part) => sum + leafCount(part), 0);
}

test("each figure has a place of its own, and there is no other", () => {
  const budget = MemoryBudget.create(64 * MIB);
  const page = UsagePage.create(budget);
  page.write(USAGE);
  expect(page.read()).toEqual(withMemory(USAGE, budget));
  expect(page.spec.page.byteLength).toBe(8 + 2 * 8 * leafCount(USAGE));
});

test("memory is as it is now, whatever was written", () => {
  const budget = MemoryBudget.create(64 * MIB);
  const page = UsagePage.create(budget);
  page.write(USAGE);
  budget.take(3 * 1024);
  budget.give(1024);
  expect(page.read().memory).toMatchObject({ usedBytes: 2 * MIB, peakBytes: 3 * MIB, limitBytes: 64 * MIB });
});

test("before anybody has looked nothing is used, and nothing limited but memory", () => {
  const usage = UsagePage.create(MemoryBudget.create(MIB)).read();
  expect(usage.cpu).toEqual({
    ...{ usageUs: 0, userUs: 0, systemUs: 0, periodCount: 0, throttledCount: 0, throttledUs: 0 },
    ...{ quotaUs: undefined, periodUs: 100_000, shares: CPU_SHARES },
  });
  expect(usage.memory.limitBytes).toBe(MIB);
  expect(usage.pids.max).toBeUndefined();
  expect(usage.disk).toMatchObject({ usedBytes: 0, limitBytes: undefined, inodes: 0, inodesMax: undefined });
  expect(usage.pressure.io.full).toEqual({ avg10: 0, avg60: 0, avg300: 0, totalUs: 0 });
});

/** Writes the same number to every place of the page, again and again, until it is told to end. */
const WRITER = `
const { workerData, parentPort } = require("node:worker_threads");
import(workerData.module).then(({ UsagePage }) => {
  const page = new UsagePage(workerData.spec);
  const end = new Int32Array(workerData.end);
  for (let value = 0; Atomics.load(end, 0) === 0; value++) {
    const same = (part) => Object.fromEntries(Object.entries(part).map(([name, old]) => [name, typeof old === "object" ? same(old) : value]));
    page.write(same(workerData.usage));
    if (value === 0) parentPort.postMessage("begun");
  }
});
`;

test("a reader sees figures of one moment, while another thread writes", async () => {
  const page = UsagePage.create(MemoryBudget.create(MIB));
  const end = new Int32Array(new SharedArrayBuffer(4));
  const module = new URL("../../../../runtime/core/quota/usage-page.ts", import.meta.url).href;
  // Undefined is told as what it isn't here: all places are written.
  const usage = JSON.parse(JSON.stringify(USAGE, (_, value) => (value === undefined ? 0 : value)));
  const worker = new Worker(WRITER, {
    eval: true,
    workerData: { module, spec: page.spec, end: end.buffer, usage },
  });
  await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  const seen = new Set<number>();
  for (let tries = 0; tries < 20_000; tries++) {
    const { cpu, pressure } = page.read();
    expect(pressure.io.full.totalUs).toBe(cpu.usageUs);
    seen.add(cpu.usageUs);
  }
  Atomics.store(end, 0, 1);
  await worker.terminate();
  expect(seen.size).toBeGreaterThan(1);
});
