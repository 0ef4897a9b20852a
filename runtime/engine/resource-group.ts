/** Limits that several containers have together, as those of a pod. */
import { WpodError } from "../core/error.ts";
import { CpuGroup } from "../core/quota/cpu-group.ts";
import { MemoryBudget } from "../core/quota/memory-budget.ts";
import { cpuLimitsOf } from "./cpu-limit.ts";
import type { GroupLimits, MemoryStats, ResourceGroup } from "./types.ts";

export class LocalGroup implements ResourceGroup {
  readonly cpu: CpuGroup;
  readonly memory: MemoryBudget;
  readonly #leaving = new Set<Promise<unknown>>();
  #limits: GroupLimits;

  /** @throws WpodError USAGE */
  constructor(limits: GroupLimits, parent?: LocalGroup) {
    const { cpus, shares } = cpuLimitsOf(limits);
    this.#limits = limits;
    this.cpu = new CpuGroup(cpus, parent?.cpu, shares);
    this.memory = MemoryBudget.create(memoryOf(limits), parent?.memory);
  }

  /** A container has ended, but its threads are still there, and what they have of its memory. */
  leave(gone: Promise<unknown>): void {
    this.#leaving.add(gone);
    void gone.then(() => this.#leaving.delete(gone));
  }

  /** Nobody's memory is in use who has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  update(changed: GroupLimits): void {
    const limits = { ...this.#limits, ...changed };
    const { cpus, shares } = cpuLimitsOf(limits);
    this.#limits = limits;
    this.cpu.cpusMax = cpus;
    this.cpu.shares = shares;
    this.memory.limitBytes = memoryOf(limits);
  }

  stats(): { memory: MemoryStats } {
    const { usedBytes, peakBytes, limitBytes } = this.memory;
    return { memory: { usedBytes, peakBytes, limitBytes } };
  }
}

function memoryOf({ memoryBytesMax = Infinity }: GroupLimits): number {
  if (memoryBytesMax > 0) return memoryBytesMax;
  throw new WpodError(
    "USAGE",
    `the limit of ${memoryBytesMax} bytes of memory for a group is not more than 0`,
  );
}
