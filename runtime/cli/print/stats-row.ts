/** What a container uses as `stats` shows it: docker's fields, and podman's two for CPU time. */
import { binarySize, decimalSize } from "../../core/format/size.ts";
import type { ContainerUsage } from "../../core/quota/container-usage.ts";
import { type Struct, struct } from "../../core/template/value.ts";
import type { ContainerInfo } from "../../engine/types.ts";
import type { ListLayout } from "./rows.ts";

const SHORT_ID_LENGTH = 12;
const UNKNOWN = "--";
const UNKNOWN_PAIR = `${UNKNOWN} / ${UNKNOWN}`;
const US_PER_MS = 1000;
const US_PER_SECOND = 1_000_000;

/** Of one that doesn't run. */
const NOTHING = {
  BlockIO: UNKNOWN_PAIR,
  CPUPerc: UNKNOWN,
  Container: "",
  ID: "",
  MemPerc: UNKNOWN,
  MemUsage: UNKNOWN_PAIR,
  Name: "",
  NetIO: UNKNOWN_PAIR,
  PIDs: UNKNOWN,
  AvgCPU: () => UNKNOWN,
  CPUTime: () => UNKNOWN,
  MemLimit: () => UNKNOWN,
  Throttled: () => UNKNOWN,
  ThrottledPerc: () => UNKNOWN,
} satisfies Struct;

export const STATS_LAYOUT: ListLayout = {
  table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
  headers: {
    AvgCPU: "AVG CPU %",
    BlockIO: "BLOCK I/O",
    CPUPerc: "CPU %",
    CPUTime: "CPU TIME",
    Container: "CONTAINER",
    ID: "CONTAINER ID",
    MemLimit: "MEM LIMIT",
    MemPerc: "MEM %",
    MemUsage: "MEM USAGE / LIMIT",
    Name: "NAME",
    NetIO: "NET I/O",
    PIDs: "PIDS",
    Throttled: "THROTTLED",
    ThrottledPerc: "THROTTLED %",
  },
};

/** At one moment. */
export interface UsageSample {
  readonly atMs: number;
  /** Undefined: it doesn't run, or didn't answer. */
  readonly usage: ContainerUsage | undefined;
}

/**
 * @param before what was so some time ago: undefined, when nobody looked
 * @param whole nothing is cut off
 */
export function statsRow(
  container: ContainerInfo,
  before: UsageSample | undefined,
  { atMs, usage }: UsageSample,
  whole: boolean,
): Struct {
  const { id, name, startedMs } = container;
  const names = { Container: name, ID: whole ? id : id.slice(0, SHORT_ID_LENGTH), Name: name };
  if (usage === undefined)
    return struct("*formatter.StatsContext", { ...NOTHING, ...names } satisfies Struct);
  const { cpu, memory, io, pids } = usage;
  const since = before?.usage === undefined ? undefined : { ...before.usage.cpu, atMs: before.atMs };
  const wholeMs = startedMs === undefined ? 0 : atMs - startedMs;
  const limitBytes = memory.limitBytes ?? 0;
  /** Of the time since somebody looked last, or of all. */
  const share = (us: number, beforeUs = 0) =>
    since === undefined
      ? percent(us / US_PER_MS, wholeMs)
      : percent((us - beforeUs) / US_PER_MS, atMs - since.atMs);
  // In the order of docker's JSON; what it hasn't is not in there.
  return struct("*formatter.StatsContext", {
    BlockIO: `${decimalSize(io.readBytes)} / ${decimalSize(io.writeBytes)}`,
    CPUPerc: share(cpu.usageUs, since?.usageUs),
    Container: name,
    ID: names.ID,
    MemPerc: percent(memory.usedBytes, limitBytes),
    MemUsage: `${binarySize(memory.usedBytes)} / ${binarySize(limitBytes)}`,
    Name: name,
    // A container has no network yet.
    NetIO: "0B / 0B",
    PIDs: `${pids.current}`,
    AvgCPU: () => percent(cpu.usageUs / US_PER_MS, wholeMs),
    CPUTime: () => `${(cpu.usageUs / US_PER_SECOND).toFixed(3)}s`,
    MemLimit: () => binarySize(limitBytes),
    Throttled: () => `${cpu.throttledCount} / ${cpu.periodCount}`,
    ThrottledPerc: () => share(cpu.throttledUs, since?.throttledUs),
  } satisfies Struct);
}

function percent(part: number, whole: number): string {
  return `${(whole <= 0 ? 0 : (part / whole) * 100).toFixed(2)}%`;
}
