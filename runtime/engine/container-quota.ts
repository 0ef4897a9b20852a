/** What one container may use, what it uses, and how it is held to it: the part of a cgroup. */
import { WpodError } from "../core/error.ts";
import { MemoryBudget } from "../core/quota/memory-budget.ts";
import { OpenFileLedger } from "../core/quota/open-file-ledger.ts";
import { type CpuLimits, cpuLimitsOf, isCpuLimited } from "./cpu-limit.ts";
import { CpuMonitor } from "./cpu-monitor.ts";
import { CpuUsage } from "./cpu-usage.ts";
import type { GuestProcess } from "./guest-process.ts";
import type { ContainerShares } from "./guest-program.ts";
import { CLIENTS_MAX } from "./kernel-entry.ts";
import type { KernelHost } from "./kernel-host.ts";
import { MEMORY_BYTES_MAX, OPEN_FILES_MAX, THREADS_MAX } from "./limits.ts";
import type { LocalGroup } from "./resource-group.ts";
import { ThreadBudget } from "./thread-budget.ts";
import { type CpuControl, threadPauses } from "./thread-pauses.ts";
import type { ContainerStats, Limits } from "./types.ts";

export interface QuotaParts {
  readonly limits: Limits;
  readonly group: LocalGroup;
  readonly kernel: KernelHost;
  readonly control: CpuControl;
  /** This process runs more programs when these have ended: their threads may be used again. */
  readonly hasMoreRuns: boolean;
  /** It has used all the CPU time that it may. */
  readonly spent: () => void;
}

export class ContainerQuota implements ContainerShares, Disposable {
  readonly memory: MemoryBudget;
  readonly openFiles: OpenFileLedger;
  readonly threads: ThreadBudget;
  readonly kernel: KernelHost;
  readonly hasMoreRuns: boolean;
  readonly cpu = new CpuUsage();
  readonly #parts: QuotaParts;
  #cpuLimits: CpuLimits;
  #programs: () => readonly GuestProcess[] = () => [];
  #monitor: CpuMonitor | undefined;
  #isOver = false;

  constructor(parts: QuotaParts) {
    const { limits, kernel, group } = parts;
    const { memoryBytesMax = MEMORY_BYTES_MAX, threadsMax = THREADS_MAX } = limits;
    this.#parts = parts;
    this.#cpuLimits = cpuLimitsOf(limits);
    this.memory = MemoryBudget.create(memoryBytesMax, group.memory);
    this.openFiles = OpenFileLedger.create(OPEN_FILES_MAX, this.memory);
    this.threads = new ThreadBudget(Math.min(threadsMax, CLIENTS_MAX));
    this.kernel = kernel;
    // The command line runs one program, and then its process ends. A thread that is made to wait may be still when the next one has it.
    this.hasMoreRuns = parts.hasMoreRuns && !this.hasCpuLimit;
  }

  /** Somebody has to look at what its threads use. */
  get hasCpuLimit(): boolean {
    return isCpuLimited(this.#cpuLimits, this.#parts.group.cpu);
  }

  /** Its programs run from now on. */
  begin(programs: () => readonly GuestProcess[]): void {
    this.#programs = programs;
    this.#watch();
  }

  #watch(): void {
    if (this.#isOver || this.#monitor !== undefined || !this.hasCpuLimit) return;
    this.#monitor = new CpuMonitor({
      limit: this.#cpuLimits,
      shares: this.#cpuLimits.shares,
      group: this.#parts.group.cpu,
      usage: this.cpu,
      pauses: threadPauses(this.#parts.control),
      threads: () => this.#programs().flatMap(({ threads }) => threads),
      isAsleep: () => this.#programs().every((program) => program.isAsleep()),
      looked: () => this.#looked(),
    });
  }

  #looked(): void {
    if (this.cpu.totalMs >= this.#cpuLimits.timeMs) this.#parts.spent();
  }

  async stats(): Promise<ContainerStats> {
    await this.cpu.measure(this.#programs().flatMap(({ threads }) => threads.map(({ worker }) => worker)));
    const { usedBytes, peakBytes, limitBytes } = this.memory;
    const { userUs, systemUs } = this.cpu;
    const bandwidth = this.#monitor?.stats ?? { periodCount: 0, throttledCount: 0, throttledMs: 0 };
    return {
      memory: { usedBytes, peakBytes, limitBytes },
      cpu: { userUs, systemUs, ...bandwidth },
    };
  }

  /** @throws WpodError what is wrong with them; nothing has changed then */
  update(limits: Limits): void {
    const cpu = cpuLimitsOf(limits);
    const { memoryBytesMax = MEMORY_BYTES_MAX, threadsMax = THREADS_MAX } = limits;
    const wasLimited = this.hasCpuLimit;
    if (this.#parts.control === "metering" && !wasLimited && isCpuLimited(cpu, this.#parts.group.cpu)) {
      throw new WpodError(
        "UNSUPPORTED",
        "its CPU time can't be limited now: its program wasn't metered when it started",
        {
          hint: "give it a limit when it is run, or run it where threads may be inspected",
        },
      );
    }
    this.#cpuLimits = cpu;
    this.memory.limitBytes = memoryBytesMax;
    this.threads.countMax = Math.min(threadsMax, CLIENTS_MAX);
    if (this.#monitor === undefined) this.#watch();
    else this.#monitor.update(cpu, cpu.shares);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#monitor?.[Symbol.dispose]();
    this.#monitor = undefined;
  }
}
