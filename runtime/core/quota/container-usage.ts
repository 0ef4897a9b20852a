/** What one container uses of what it may use, at one moment: what `stats`, `/metrics` and its own `/sys/fs/cgroup` are made from. */

export interface CpuUsage {
  readonly usageUs: number;
  readonly userUs: number;
  readonly systemUs: number;
  /** Periods in which something ran; in which something had to wait for its share; and for how long it did. */
  readonly periodCount: number;
  readonly throttledCount: number;
  readonly throttledUs: number;
  /** CPU time that it may use in a period; undefined: all that there is. */
  readonly quotaUs: number | undefined;
  readonly periodUs: number;
  /** As `--cpu-shares` has them: 1024 when nobody says. */
  readonly shares: number;
}

export interface MemoryUsage {
  readonly usedBytes: number;
  readonly peakBytes: number;
  readonly limitBytes: number | undefined;
  readonly reservationBytes: number | undefined;
  /** How often something didn't fit; how often that was told to a program; how many programs ended by it. */
  readonly limitHitCount: number;
  readonly oomCount: number;
  readonly oomKillCount: number;
}

export interface IoUsage {
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly readCount: number;
  readonly writeCount: number;
  /** How long it was made to wait by the limits below; undefined: there is none. */
  readonly waitedUs: number;
  readonly readBytesPerSecondMax: number | undefined;
  readonly writeBytesPerSecondMax: number | undefined;
  readonly readsPerSecondMax: number | undefined;
  readonly writesPerSecondMax: number | undefined;
}

/** Of its writable layer. */
export interface DiskUsage {
  readonly usedBytes: number;
  readonly limitBytes: number | undefined;
  readonly inodes: number;
  readonly inodesMax: number | undefined;
  /** How often bytes didn't fit, and inodes. */
  readonly bytesHitCount: number;
  readonly inodesHitCount: number;
}

/** Its programs and their threads. */
export interface PidsUsage {
  readonly current: number;
  readonly peak: number;
  readonly max: number | undefined;
  readonly limitHitCount: number;
}

export interface OpenFilesUsage {
  readonly current: number;
  readonly max: number | undefined;
}

/** Shares of time as percentages from 0 to 100, and all of it. */
export interface PressureAverages {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalUs: number;
}

/** @see https://docs.kernel.org/accounting/psi.html */
export interface PressureUsage {
  /** At least one thread waited. */
  readonly some: PressureAverages;
  /** All waited that had something to do. */
  readonly full: PressureAverages;
}

export interface ContainerUsage {
  readonly cpu: CpuUsage;
  readonly memory: MemoryUsage;
  readonly io: IoUsage;
  readonly disk: DiskUsage;
  readonly pids: PidsUsage;
  readonly openFiles: OpenFilesUsage;
  readonly pressure: {
    readonly cpu: PressureUsage;
    readonly memory: PressureUsage;
    readonly io: PressureUsage;
  };
}
