/** What one container may use, what it uses, and how it is held to it: the part of a cgroup. */
import { WpodError } from "../core/error.ts";
import type { ContainerUsage } from "../core/quota/container-usage.ts";
import { IoPage } from "../core/quota/io-page.ts";
import { MemoryBudget } from "../core/quota/memory-budget.ts";
import { OpenFileLedger } from "../core/quota/open-file-ledger.ts";
import { Pressure } from "../core/quota/pressure.ts";
import { UsagePage } from "../core/quota/usage-page.ts";
import { checkLimits } from "./check-limits.ts";
import { type CpuLimits, cpuLimitsOf, isCpuLimited } from "./cpu-limit.ts";
import { CpuMonitor } from "./cpu-monitor.ts";
import { CpuUsage } from "./cpu-usage.ts";
import type { GuestProcess } from "./guest-process.ts";
import type { ContainerShares } from "./guest-program.ts";
import { ioLimitsOf } from "./io-limits.ts";
import { CLIENTS_MAX } from "./kernel-entry.ts";
import type { KernelHost } from "./kernel-host.ts";
import { MEMORY_BYTES_MAX, OPEN_FILES_MAX, THREADS_MAX } from "./limits.ts";
import type { LocalGroup } from "./resource-group.ts";
import { ThreadBudget } from "./thread-budget.ts";
import { type CpuControl, threadPauses } from "./thread-pauses.ts";
import type { Limits } from "./types.ts";
import type { Sharer } from "./user-limits.ts";

export interface QuotaParts {
  readonly limits: Limits;
  /** What all containers of its user may use together. */
  readonly totalCpus: number;
  readonly group: LocalGroup;
  readonly kernel: KernelHost;
  readonly control: CpuControl;
  /** This process runs more programs when these have ended: their threads may be used again. */
  readonly hasMoreRuns: boolean;
  /** It has used all the CPU time that it may. */
  readonly spent: () => void;
  /** It can't be made to wait. */
  readonly unreachable: () => void;
}

/** A program that reads what it uses, and has no limit that anybody looks after, reads what was so at most so long ago. */
const LOOK_MS = 1000;
const US_PER_MS = 1000;

export class ContainerQuota implements ContainerShares, Sharer {
  readonly memory: MemoryBudget;
  readonly openFiles: OpenFileLedger;
  readonly io: IoPage;
  readonly threads: ThreadBudget;
  readonly kernel: KernelHost;
  readonly hasMoreRuns: boolean;
  readonly cpu = new CpuUsage();
  /** What its programs read of it in `/sys/fs/cgroup`. */
  readonly page: UsagePage;
  readonly #parts: QuotaParts;
  readonly #pressure = { cpu: newPressure(), memory: newPressure(), io: newPressure() };
  #limits: Limits;
  #cpuLimits: CpuLimits;
  #programs: () => readonly GuestProcess[] = () => [];
  #monitor: CpuMonitor | undefined;
  #timer: NodeJS.Timeout | undefined;
  #oomKillCount = 0;
  #ioWaitedUs = 0;
  #stalledUs = 0;
  #isOver = false;
  #partCpus: number;

  constructor(parts: QuotaParts) {
    const { limits, kernel, group } = parts;
    const { memoryBytesMax = MEMORY_BYTES_MAX, threadsMax = THREADS_MAX } = limits;
    this.#parts = parts;
    this.#partCpus = parts.totalCpus;
    this.#limits = limits;
    this.#cpuLimits = cpuLimitsOf(limits);
    this.memory = MemoryBudget.create(memoryBytesMax, group.memory);
    this.openFiles = OpenFileLedger.create(Math.max(OPEN_FILES_MAX, limits.descriptorsMax ?? 0), this.memory);
    this.io = IoPage.create(ioLimitsOf(limits));
    this.threads = new ThreadBudget(Math.min(threadsMax, CLIENTS_MAX));
    this.kernel = kernel;
    // The command line runs one program, and then its process ends. A thread that is made to wait may be still when the next one has it.
    this.hasMoreRuns = parts.hasMoreRuns && !this.#hasCpuLimit;
    this.page = UsagePage.create(this.memory);
    // What most have it says without being written, and that costs nothing at the start.
    if (this.#hasCpuLimit || limits.cpuShares !== undefined) this.page.write(this.#usage());
  }

  get #hasCpuLimit(): boolean {
    return isCpuLimited(this.#cpuLimits, this.#parts.group.cpu, this.#partCpus);
  }

  get shares(): number {
    return this.#cpuLimits.shares;
  }

  /** What it would use now; Infinity: all that it gets. */
  get wantedCpus(): number {
    return Math.min(this.#monitor?.wantedCpus ?? 0, this.#cpuLimits.cpus);
  }

  get partCpus(): number {
    return this.#partCpus;
  }

  /** Of what all containers of its user may use together. */
  set partCpus(cpus: number) {
    this.#partCpus = cpus;
    if (this.#monitor !== undefined) this.#monitor.partCpus = cpus;
  }

  /** Its programs run from now on. */
  begin(programs: () => readonly GuestProcess[]): void {
    this.#programs = programs;
    this.#watch();
  }

  #watch(): void {
    if (this.#isOver || this.#monitor !== undefined) return;
    clearTimeout(this.#timer);
    if (!this.#hasCpuLimit) {
      this.#timer = setTimeout(() => void this.#lookAgain(), LOOK_MS);
      this.#timer.unref();
      return;
    }
    this.#monitor = new CpuMonitor({
      limit: this.#cpuLimits,
      shares: this.#cpuLimits.shares,
      group: this.#parts.group.cpu,
      usage: this.cpu,
      measure: () => this.#measure(),
      pauses: threadPauses(this.#parts.control),
      threads: () => this.#programs().flatMap(({ threads }) => threads),
      partCpus: this.#partCpus,
      activities: () => this.#programs().map((program) => program.activity()),
      unreachable: this.#parts.unreachable,
      looked: (elapsedMs, waitedMs) => this.#looked(elapsedMs, waitedMs),
    });
  }

  async #lookAgain(): Promise<void> {
    const isAsleep = this.#programs().every((program) => program.activity() === "asleep");
    if (!isAsleep) {
      await this.#measure();
      this.#sampleWaits(LOOK_MS * US_PER_MS);
      this.page.write(this.#usage());
    }
    this.#watch();
  }

  /** What its threads have used, and the kernel for them. */
  async #measure(): Promise<void> {
    const threads = this.#programs().flatMap((program) => program.threads);
    const clients = threads.map(({ client }) => client).filter((client) => client !== undefined);
    const [workUs] = await Promise.all([
      clients.length === 0 ? 0 : this.kernel.takeWork(clients),
      this.cpu.measure(threads.map(({ worker }) => worker)),
    ]);
    this.cpu.charge(workUs);
  }

  #looked(elapsedMs: number, waitedMs: number): void {
    // All of its threads wait at once.
    const waitedUs = Math.min(waitedMs, elapsedMs) * US_PER_MS;
    this.#pressure.cpu.sample(nowUs(), waitedUs, waitedUs);
    this.#sampleWaits(elapsedMs * US_PER_MS);
    this.page.write(this.#usage());
    if (this.cpu.totalMs >= this.#cpuLimits.timeMs) this.#parts.spent();
  }

  /** Threads that wait for their turn to read and write, or for memory: all of them, where it has one. */
  #sampleWaits(elapsedUs: number): void {
    const { waitedUs } = this.io.usage;
    const { stalledUs } = this.memory;
    const hasOne = this.#programs().reduce((sum, { threads }) => sum + threads.length, 0) <= 1;
    const sample = (pressure: Pressure, us: number) => {
      const someUs = Math.min(us, elapsedUs);
      pressure.sample(nowUs(), someUs, hasOne ? someUs : 0);
    };
    sample(this.#pressure.io, waitedUs - this.#ioWaitedUs);
    // It wraps.
    sample(this.#pressure.memory, (stalledUs - this.#stalledUs) >>> 0);
    this.#ioWaitedUs = waitedUs;
    this.#stalledUs = stalledUs;
  }

  /** One of its programs has ended for want of memory. */
  oomKilled(): void {
    this.#oomKillCount++;
    this.page.write(this.#usage());
  }

  /** As of now. */
  async usage(): Promise<ContainerUsage> {
    await this.#measure();
    const usage = this.#usage();
    this.page.write(usage);
    return usage;
  }

  #usage(): ContainerUsage {
    const { userUs, systemUs } = this.cpu;
    const { cpus, periodMs, shares } = this.#cpuLimits;
    const bandwidth = this.#monitor?.stats ?? { periodCount: 0, throttledCount: 0, throttledMs: 0 };
    const { usedBytes, peakBytes, limitBytes, refusedCount } = this.memory;
    const io = this.io.usage;
    const { readBps, writeBps, readIops, writeIops, logBps, diskBytesMax, diskInodesMax } = this.io.limits;
    const now = nowUs();
    return {
      cpu: {
        usageUs: userUs + systemUs,
        userUs,
        systemUs,
        periodCount: bandwidth.periodCount,
        throttledCount: bandwidth.throttledCount,
        throttledUs: bandwidth.throttledMs * US_PER_MS,
        quotaUs: cpus === Infinity ? undefined : cpus * periodMs * US_PER_MS,
        periodUs: periodMs * US_PER_MS,
        shares,
      },
      memory: {
        usedBytes,
        peakBytes,
        limitBytes,
        reservationBytes: this.#parts.limits.memoryReservationBytes,
        limitHitCount: refusedCount,
        oomCount: this.#oomKillCount,
        oomKillCount: this.#oomKillCount,
      },
      io: {
        readBytes: io.readBytes,
        writeBytes: io.writeBytes,
        readCount: io.readCount,
        writeCount: io.writeCount,
        waitedUs: io.waitedUs,
        readBytesPerSecondMax: readBps || undefined,
        writeBytesPerSecondMax: writeBps || undefined,
        readsPerSecondMax: readIops || undefined,
        writesPerSecondMax: writeIops || undefined,
      },
      disk: {
        usedBytes: io.diskBytes,
        limitBytes: diskBytesMax,
        inodes: io.diskInodes,
        inodesMax: diskInodesMax,
        bytesHitCount: io.diskBytesHits,
        inodesHitCount: io.diskInodesHits,
      },
      log: {
        writtenBytes: io.logBytes,
        droppedBytes: io.logDroppedBytes,
        bytesPerSecondMax: logBps || undefined,
      },
      pids: {
        current: this.threads.count,
        peak: this.threads.peakCount,
        max: this.threads.countMax,
        limitHitCount: this.threads.refusedCount,
      },
      openFiles: { current: this.openFiles.count, max: this.openFiles.spec.countMax },
      pressure: {
        cpu: this.#pressure.cpu.read(now),
        memory: this.#pressure.memory.read(now),
        io: this.#pressure.io.read(now),
      },
    };
  }

  /** @throws WpodError what is wrong with them; nothing has changed then */
  update(limits: Limits): void {
    checkLimits(limits);
    const cpu = cpuLimitsOf(limits);
    const { memoryBytesMax = MEMORY_BYTES_MAX, threadsMax = THREADS_MAX } = limits;
    const { control, group } = this.#parts;
    if (control === "metering" && !this.#hasCpuLimit && isCpuLimited(cpu, group.cpu, this.#partCpus)) {
      throw new WpodError(
        "UNSUPPORTED",
        "its CPU time can't be limited now: its program wasn't metered when it started",
        { hint: "give it a limit when it is run, or run it where threads may be inspected" },
      );
    }
    this.#limits = limits;
    this.#cpuLimits = cpu;
    this.memory.limitBytes = memoryBytesMax;
    this.io.limits = ioLimitsOf(limits);
    this.threads.countMax = Math.min(threadsMax, CLIENTS_MAX);
    if (this.#monitor === undefined) this.#watch();
    else this.#monitor.update(cpu, cpu.shares);
    this.page.write(this.#usage());
  }

  /** What others of its group had is free. */
  async ready(): Promise<void> {
    await this.#parts.group.settled();
  }

  /** @param gone when its threads have ended, and nothing is left of them */
  end(gone: Promise<unknown>): void {
    this.#parts.group.leave(gone);
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#monitor?.[Symbol.dispose]();
  }
}

function newPressure(): Pressure {
  return new Pressure(nowUs());
}

function nowUs(): number {
  return performance.now() * US_PER_MS;
}
