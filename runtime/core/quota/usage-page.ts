/**
 * What a container uses, where any thread can read it: written by the engine's thread, at each look of its monitor.
 *
 * Shared memory: `Int32` 0 counts the writes that are done; from byte 8 on there are two copies of the figures, of which the count's last
 * bit says where the last one stands: the next goes to the other. A figure is a `Float64`, in the order of `FIGURES`, Infinity for
 * what is undefined. So nobody waits for a writer, even for one that was stopped halfway. How much memory is used, the peak and
 * the limit are as of now: they come from the budget itself.
 */
import type { ContainerUsage, PressureUsage } from "./container-usage.ts";
import { CPU_SHARES } from "./cpu-group.ts";
import { MemoryBudget, type MemoryBudgetSpec } from "./memory-budget.ts";

type Figures<Part> = readonly (keyof Part)[];

const FIGURES = {
  cpu: [
    ...(["usageUs", "userUs", "systemUs", "periodCount", "throttledCount", "throttledUs"] as const),
    ...(["quotaUs", "periodUs", "shares"] as const),
  ],
  memory: [
    ...(["usedBytes", "peakBytes", "limitBytes", "reservationBytes"] as const),
    ...(["limitHitCount", "oomCount", "oomKillCount"] as const),
  ],
  io: [
    ...(["readBytes", "writeBytes", "readCount", "writeCount", "waitedUs"] as const),
    ...([
      "readBytesPerSecondMax",
      "writeBytesPerSecondMax",
      "readsPerSecondMax",
      "writesPerSecondMax",
    ] as const),
  ],
  disk: ["usedBytes", "limitBytes", "inodes", "inodesMax", "bytesHitCount", "inodesHitCount"],
  pids: ["current", "peak", "max", "limitHitCount"],
  openFiles: ["current", "max"],
} as const satisfies { [Part in keyof Omit<ContainerUsage, "pressure">]: Figures<ContainerUsage[Part]> };

const RESOURCES = ["cpu", "memory", "io"] as const;
const STALLS = ["some", "full"] as const;
const AVERAGES = ["avg10", "avg60", "avg300", "totalUs"] as const satisfies Figures<PressureUsage["some"]>;

const HEADER_BYTES = 8;
/** Not counted here: what is done when a thread loads this is done at each start. */
const FIGURE_COUNT = 61;
const COPY_BYTES = FIGURE_COUNT * Float64Array.BYTES_PER_ELEMENT;
/** A write during each of so many reads during each of so many reads: then it is taken as it is. */
const TRIES_MAX = 1000;

/** To another thread. */
export interface UsagePageSpec {
  page: SharedArrayBuffer;
  /** Of the container's memory. */
  budget: MemoryBudgetSpec;
}

export class UsagePage {
  readonly spec: UsagePageSpec;
  readonly #count: Int32Array;
  readonly #copies: readonly [Float64Array, Float64Array];
  readonly #budget: MemoryBudget;

  constructor(spec: UsagePageSpec) {
    this.spec = spec;
    this.#count = new Int32Array(spec.page, 0, 1);
    this.#copies = [
      new Float64Array(spec.page, HEADER_BYTES, FIGURE_COUNT),
      new Float64Array(spec.page, HEADER_BYTES + COPY_BYTES, FIGURE_COUNT),
    ];
    this.#budget = new MemoryBudget(spec.budget);
  }

  static create(budget: MemoryBudget): UsagePage {
    const page = new SharedArrayBuffer(HEADER_BYTES + 2 * COPY_BYTES);
    return new UsagePage({ page, budget: budget.spec });
  }

  /** One thread at a time. What it says of the bytes of memory is taken from the budget instead. */
  write(usage: ContainerUsage): void {
    const figures = this.#copies[1 - (Atomics.load(this.#count, 0) & 1)]!;
    let at = 0;
    for (const value of figuresOf(usage)) figures[at++] = value ?? Infinity;
    Atomics.add(this.#count, 0, 1);
  }

  read(): ContainerUsage {
    const usage = Atomics.load(this.#count, 0) === 0 ? emptyUsage() : usageOf(this.#consistent());
    const { usedBytes, peakBytes, limitBytes } = this.#budget;
    return { ...usage, memory: { ...usage.memory, usedBytes, peakBytes, limitBytes } };
  }

  #consistent(): Float64Array {
    const copy = new Float64Array(FIGURE_COUNT);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const before = Atomics.load(this.#count, 0);
      copy.set(this.#copies[before & 1]!);
      // Not a load: what was read before it must not be read after it.
      if (Atomics.add(this.#count, 0, 0) === before) break;
    }
    return copy;
  }
}

function* figuresOf(usage: ContainerUsage): Generator<number | undefined> {
  for (const [part, names] of Object.entries(FIGURES)) {
    const values = usage[part as keyof typeof FIGURES] as unknown as Record<string, number | undefined>;
    for (const name of names) yield values[name];
  }
  for (const resource of RESOURCES) {
    for (const stall of STALLS) for (const name of AVERAGES) yield usage.pressure[resource][stall][name];
  }
}

function usageOf(figures: Float64Array): ContainerUsage {
  let at = 0;
  const take = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, defined(figures[at++]!)]));
  const parts = Object.entries(FIGURES).map(([part, names]) => [part, take(names)]);
  const stalls = () => Object.fromEntries(STALLS.map((stall) => [stall, take(AVERAGES)]));
  const pressure = Object.fromEntries(RESOURCES.map((resource) => [resource, stalls()]));
  return { ...Object.fromEntries(parts), pressure };
}

function defined(figure: number): number | undefined {
  return figure === Infinity ? undefined : figure;
}

/** Before anybody has looked. */
function emptyUsage(): ContainerUsage {
  const zero = usageOf(new Float64Array(FIGURE_COUNT));
  return {
    ...zero,
    cpu: { ...zero.cpu, quotaUs: undefined, periodUs: 100_000, shares: CPU_SHARES },
    memory: { ...zero.memory, limitBytes: undefined, reservationBytes: undefined },
    io: {
      ...zero.io,
      readBytesPerSecondMax: undefined,
      writeBytesPerSecondMax: undefined,
      readsPerSecondMax: undefined,
      writesPerSecondMax: undefined,
    },
    disk: { ...zero.disk, limitBytes: undefined, inodesMax: undefined },
    pids: { ...zero.pids, max: undefined },
    openFiles: { ...zero.openFiles, max: undefined },
  };
}
