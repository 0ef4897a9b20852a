/** A container's usage for tests: each figure another one, or what the test says. */
import * as fc from "fast-check";
import type { ContainerUsage, PressureUsage } from "../../../../runtime/core/quota/container-usage.ts";

export const USAGE: ContainerUsage = {
  cpu: {
    usageUs: 1_500_000,
    userUs: 1_400_000,
    systemUs: 100_000,
    periodCount: 40,
    throttledCount: 12,
    throttledUs: 900_000,
    quotaUs: 25_000,
    periodUs: 100_000,
    shares: 512,
  },
  memory: {
    usedBytes: 20_971_520,
    peakBytes: 31_457_280,
    limitBytes: 67_108_864,
    reservationBytes: 16_777_216,
    limitHitCount: 3,
    oomCount: 2,
    oomKillCount: 1,
  },
  io: {
    readBytes: 4096,
    writeBytes: 8192,
    readCount: 5,
    writeCount: 6,
    waitedUs: 70_000,
    readBytesPerSecondMax: 1_048_576,
    writeBytesPerSecondMax: undefined,
    readsPerSecondMax: 100,
    writesPerSecondMax: undefined,
  },
  disk: {
    usedBytes: 123_456,
    limitBytes: 2_147_483_648,
    inodes: 17,
    inodesMax: 1_000_000,
    bytesHitCount: 3,
    inodesHitCount: 4,
  },
  pids: { current: 4, peak: 9, max: 128, limitHitCount: 11 },
  openFiles: { current: 13, max: 4096 },
  pressure: { cpu: stall(1), memory: stall(2), io: stall(3) },
};

function stall(factor: number): PressureUsage {
  return {
    some: { avg10: factor * 10.25, avg60: factor * 5.5, avg300: factor, totalUs: factor * 1_000_000 },
    full: { avg10: factor * 0.75, avg60: factor * 0.5, avg300: 0, totalUs: factor * 250_000 },
  };
}

/** Any usage: every figure finite, however large, and those that may be undefined sometimes so. */
export const anyUsage: fc.Arbitrary<ContainerUsage> = fc
  .infiniteStream(fc.double({ min: 0, max: 2 ** 60, noNaN: true }))
  .chain((figures) =>
    fc.infiniteStream(fc.boolean()).map((absent) => {
      const next = (value: unknown): unknown => {
        if (typeof value === "object" && value !== null) {
          return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, next(part)]));
        }
        return figures.next().value;
      };
      const usage = next(USAGE) as { [Part in keyof ContainerUsage]: Record<string, unknown> };
      const optional = {
        cpu: ["quotaUs"],
        memory: ["reservationBytes"],
        io: ["readBytesPerSecondMax", "writeBytesPerSecondMax", "readsPerSecondMax", "writesPerSecondMax"],
        disk: ["limitBytes", "inodesMax"],
        pids: ["max"],
        openFiles: ["max"],
      } as const;
      for (const [part, names] of Object.entries(optional)) {
        for (const name of names) {
          if (absent.next().value) usage[part as keyof ContainerUsage][name] = undefined;
        }
      }
      return usage as unknown as ContainerUsage;
    }),
  );
