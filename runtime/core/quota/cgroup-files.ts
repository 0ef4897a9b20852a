/**
 * What a program reads of its own limits, as on Linux: the files of `/sys/fs/cgroup` in the form of cgroup v2, and those of `/proc` by which
 * runtimes (Go, Java, .NET, libuv) find them.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
import { whole } from "../format/whole.ts";
import type { ContainerUsage } from "./container-usage.ts";
import { cpuWeight } from "./cpu-weight.ts";
import { pressureText } from "./pressure.ts";

/** Its text, as of now. */
type CgroupFile = (usage: ContainerUsage) => string;

/** The container's root file system: what it reads and writes is told of that alone. */
const DEVICE = "0:1";

const values = (pairs: readonly (readonly [name: string, value: number])[]): string =>
  pairs.map(([name, value]) => `${name} ${whole(value)}\n`).join("");

/** By name. What can't be told of a container is left out, as a kernel leaves out what it was built without. */
export const CGROUP_FILES: Readonly<Record<string, CgroupFile>> = {
  "cgroup.controllers": () => "cpu io memory pids\n",
  "cgroup.events": () => "populated 1\nfrozen 0\n",
  "cgroup.freeze": () => "0\n",
  "cgroup.max.depth": () => "max\n",
  "cgroup.max.descendants": () => "max\n",
  "cgroup.stat": () => "nr_descendants 0\nnr_dying_descendants 0\n",
  "cgroup.subtree_control": () => "",
  "cgroup.type": () => "domain\n",

  "cpu.idle": () => "0\n",
  "cpu.max": ({ cpu }) => `${orMax(cpu.quotaUs)} ${whole(cpu.periodUs)}\n`,
  "cpu.max.burst": () => "0\n",
  "cpu.pressure": ({ pressure }) => pressureText(pressure.cpu),
  "cpu.stat": ({ cpu }) =>
    values([
      ["usage_usec", cpu.usageUs],
      ["user_usec", cpu.userUs],
      ["system_usec", cpu.systemUs],
      ["nice_usec", 0],
      ["nr_periods", cpu.periodCount],
      ["nr_throttled", cpu.throttledCount],
      ["throttled_usec", cpu.throttledUs],
      ["nr_bursts", 0],
      ["burst_usec", 0],
    ]),
  "cpu.weight": ({ cpu }) => `${cpuWeight(cpu.shares)}\n`,

  "io.max": ({ io }) => {
    const limits = {
      rbps: io.readBytesPerSecondMax,
      wbps: io.writeBytesPerSecondMax,
      riops: io.readsPerSecondMax,
      wiops: io.writesPerSecondMax,
    };
    if (Object.values(limits).every((limit) => limit === undefined)) return "";
    const parts = Object.entries(limits).map(([name, limit]) => `${name}=${orMax(limit)}`);
    return `${DEVICE} ${parts.join(" ")}\n`;
  },
  "io.pressure": ({ pressure }) => pressureText(pressure.io),
  "io.stat": ({ io }) => {
    if (io.readCount === 0 && io.writeCount === 0) return "";
    const parts = Object.entries({
      rbytes: io.readBytes,
      wbytes: io.writeBytes,
      rios: io.readCount,
      wios: io.writeCount,
      dbytes: 0,
      dios: 0,
    }).map(([name, value]) => `${name}=${whole(value)}`);
    return `${DEVICE} ${parts.join(" ")}\n`;
  },

  "memory.current": ({ memory }) => `${whole(memory.usedBytes)}\n`,
  "memory.events": memoryEvents,
  "memory.events.local": memoryEvents,
  "memory.high": () => "max\n",
  "memory.low": ({ memory }) => `${whole(memory.reservationBytes ?? 0)}\n`,
  "memory.max": ({ memory }) => `${orMax(memory.limitBytes)}\n`,
  "memory.min": () => "0\n",
  "memory.oom.group": () => "0\n",
  "memory.peak": ({ memory }) => `${whole(memory.peakBytes)}\n`,
  "memory.pressure": ({ pressure }) => pressureText(pressure.memory),
  // All that is charged is the program's own: what is kept of files as long as nobody needs the memory isn't.
  "memory.stat": ({ memory }) =>
    values([
      ["anon", memory.usedBytes],
      ["file", 0],
      ["kernel", 0],
      ["kernel_stack", 0],
      ["pagetables", 0],
      ["sock", 0],
      ["shmem", 0],
      ["file_mapped", 0],
      ["file_dirty", 0],
      ["file_writeback", 0],
      ["inactive_anon", 0],
      ["active_anon", memory.usedBytes],
      ["inactive_file", 0],
      ["active_file", 0],
      ["unevictable", 0],
      ["slab_reclaimable", 0],
      ["slab_unreclaimable", 0],
      ["slab", 0],
      ["pgfault", 0],
      ["pgmajfault", 0],
    ]),
  "memory.swap.current": () => "0\n",
  "memory.swap.max": () => "0\n",

  "pids.current": ({ pids }) => `${whole(pids.current)}\n`,
  "pids.events": ({ pids }) => values([["max", pids.limitHitCount]]),
  "pids.max": ({ pids }) => `${orMax(pids.max)}\n`,
  "pids.peak": ({ pids }) => `${whole(pids.peak)}\n`,
};

function memoryEvents({ memory }: ContainerUsage): string {
  return values([
    ["low", 0],
    ["high", 0],
    ["max", memory.limitHitCount],
    ["oom", memory.oomCount],
    ["oom_kill", memory.oomKillCount],
    ["oom_group_kill", 0],
  ]);
}

function orMax(limit: number | undefined): string {
  return limit === undefined || limit === Infinity ? "max" : whole(limit);
}

/** Its file systems, with the numbers that `stat` tells of each. */
const MOUNTS = [
  { id: 1, parent: 0, device: "0:1", at: "/", type: "overlay", options: "rw,relatime" },
  { id: 2, parent: 1, device: "0:2", at: "/dev", type: "tmpfs", options: "rw,nosuid" },
  { id: 3, parent: 1, device: "0:4", at: "/proc", type: "proc", options: "ro,nosuid,nodev,noexec,relatime" },
  { id: 4, parent: 1, device: "0:5", at: "/sys", type: "sysfs", options: "ro,nosuid,nodev,noexec,relatime" },
  {
    ...{ id: 5, parent: 4, device: "0:5", at: "/sys/fs/cgroup", type: "cgroup2" },
    options: "ro,nosuid,nodev,noexec,relatime",
  },
] as const;

function mountinfo(): string {
  return MOUNTS.map(
    ({ id, parent, device, at, type, options }) =>
      `${id} ${parent} ${device} / ${at} ${options} - ${type} ${type} ${options.slice(0, 2)}\n`,
  ).join("");
}

function mountLines(): string {
  return MOUNTS.map(({ at, type, options }) => `${type} ${at} ${type} ${options} 0 0\n`).join("");
}

/** What a kernel is built with. In one hierarchy all have the number 0: by that version 2 is known. */
const SUBSYSTEMS = ["cpuset", "cpu", "cpuacct", "blkio", "memory", "pids"];

/** What of `/proc` is there, by path. A container is the root of its own namespace. */
export const PROC_FILES: Readonly<Record<string, () => string>> = {
  cgroups: () =>
    `#subsys_name\thierarchy\tnum_cgroups\tenabled\n${SUBSYSTEMS.map((name) => `${name}\t0\t1\t1\n`).join("")}`,
  mounts: mountLines,
  "self/cgroup": () => "0::/\n",
  "self/mountinfo": mountinfo,
  "self/mounts": mountLines,
};
