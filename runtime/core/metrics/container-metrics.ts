/**
 * What containers use, as metrics with the names, types and explanations that cAdvisor gives them, so that its dashboards show them.
 *
 * @see https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md
 */
import type { ContainerUsage } from "../quota/container-usage.ts";
import type { MetricFamily, MetricSample } from "./exposition.ts";

export interface MeasuredContainer {
  readonly id: string;
  readonly name: string;
  /** As it was asked for. */
  readonly image: string;
  /** Since 1970. */
  readonly startedMs: number;
  readonly usage: ContainerUsage;
}

interface Metric {
  readonly name: string;
  readonly type: MetricFamily["type"];
  readonly help: string;
  /** Beside those that all have. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Undefined: this container has no such figure. */
  value(container: MeasuredContainer, nowMs: number): number | undefined;
}

const US_PER_SECOND = 1_000_000;
const MS_PER_SECOND = 1000;
const TOTAL_CPU = { cpu: "total" };
/** What `mount` calls the file system of a container. */
const ROOT_DEVICE = { device: "overlay" };

/** @param nowMs since 1970 */
export function containerMetrics(containers: readonly MeasuredContainer[], nowMs: number): MetricFamily[] {
  return METRICS.map((metric) => ({
    name: metric.name,
    type: metric.type,
    help: metric.help,
    samples: containers.flatMap((container) => sampleOf(metric, container, nowMs)),
  }));
}

function sampleOf(metric: Metric, container: MeasuredContainer, nowMs: number): MetricSample[] {
  const value = metric.value(container, nowMs);
  if (value === undefined) return [];
  const { id, name, image } = container;
  return [{ labels: { ...metric.labels, id, image, name }, value }];
}

const seconds = (us: number) => us / US_PER_SECOND;

function waiting(resource: "cpu" | "memory" | "io", word: string): Metric[] {
  const name = `container_pressure_${resource}`;
  return [
    {
      name: `${name}_stalled_seconds_total`,
      type: "counter",
      help: `Total time duration no tasks in the container could make progress due to ${word} congestion.`,
      value: ({ usage }) => seconds(usage.pressure[resource].full.totalUs),
    },
    {
      name: `${name}_waiting_seconds_total`,
      type: "counter",
      help: `Total time duration tasks in the container have waited due to ${word} congestion.`,
      value: ({ usage }) => seconds(usage.pressure[resource].some.totalUs),
    },
  ];
}

const METRICS: readonly Metric[] = [
  {
    name: "container_cpu_cfs_periods_total",
    type: "counter",
    help: "Number of elapsed enforcement period intervals.",
    value: ({ usage }) => limited(usage, usage.cpu.periodCount),
  },
  {
    name: "container_cpu_cfs_throttled_periods_total",
    type: "counter",
    help: "Number of throttled period intervals.",
    value: ({ usage }) => limited(usage, usage.cpu.throttledCount),
  },
  {
    name: "container_cpu_cfs_throttled_seconds_total",
    type: "counter",
    help: "Total time duration the container has been throttled.",
    value: ({ usage }) => limited(usage, seconds(usage.cpu.throttledUs)),
  },
  {
    name: "container_cpu_system_seconds_total",
    type: "counter",
    help: "Cumulative system cpu time consumed in seconds.",
    value: ({ usage }) => seconds(usage.cpu.systemUs),
  },
  {
    name: "container_cpu_usage_seconds_total",
    type: "counter",
    help: "Cumulative cpu time consumed in seconds.",
    labels: TOTAL_CPU,
    value: ({ usage }) => seconds(usage.cpu.usageUs),
  },
  {
    name: "container_cpu_user_seconds_total",
    type: "counter",
    help: "Cumulative user cpu time consumed in seconds.",
    value: ({ usage }) => seconds(usage.cpu.userUs),
  },
  {
    name: "container_file_descriptors",
    type: "gauge",
    help: "Number of open file descriptors for the container.",
    value: ({ usage }) => usage.openFiles.current,
  },
  {
    name: "container_fs_inodes_free",
    type: "gauge",
    help: "Number of available Inodes",
    labels: ROOT_DEVICE,
    value: ({ usage: { disk } }) =>
      disk.inodesMax === undefined ? undefined : Math.max(0, disk.inodesMax - disk.inodes),
  },
  {
    name: "container_fs_inodes_total",
    type: "gauge",
    help: "Number of Inodes",
    labels: ROOT_DEVICE,
    value: ({ usage }) => usage.disk.inodesMax,
  },
  {
    name: "container_fs_limit_bytes",
    type: "gauge",
    help: "Number of bytes that can be consumed by the container on this filesystem.",
    labels: ROOT_DEVICE,
    value: ({ usage }) => usage.disk.limitBytes,
  },
  {
    name: "container_fs_reads_bytes_total",
    type: "counter",
    help: "Cumulative count of bytes read",
    labels: ROOT_DEVICE,
    value: ({ usage }) => usage.io.readBytes,
  },
  {
    name: "container_fs_reads_total",
    type: "counter",
    help: "Cumulative count of reads completed",
    labels: ROOT_DEVICE,
    value: ({ usage }) => usage.io.readCount,
  },
  {
    name: "container_fs_usage_bytes",
    type: "gauge",
    help: "Number of bytes that are consumed by the container on this filesystem.",
    labels: ROOT_DEVICE,
    value: ({ usage }) => usage.disk.usedBytes,
  },
  {
    name: "container_fs_writes_bytes_total",
    type: "counter",
    help: "Cumulative count of bytes written",
    labels: ROOT_DEVICE,
    value: ({ usage }) => usage.io.writeBytes,
  },
  {
    name: "container_fs_writes_total",
    type: "counter",
    help: "Cumulative count of writes completed",
    labels: ROOT_DEVICE,
    value: ({ usage }) => usage.io.writeCount,
  },
  {
    name: "container_last_seen",
    type: "gauge",
    help: "Last time a container was seen by the exporter",
    value: (_container, nowMs) => Math.floor(nowMs / MS_PER_SECOND),
  },
  {
    name: "container_memory_failcnt",
    type: "counter",
    help: "Number of memory usage hits limits",
    value: ({ usage }) => usage.memory.limitHitCount,
  },
  {
    name: "container_memory_max_usage_bytes",
    type: "gauge",
    help: "Maximum memory usage recorded in bytes",
    value: ({ usage }) => usage.memory.peakBytes,
  },
  {
    name: "container_memory_usage_bytes",
    type: "gauge",
    help: "Current memory usage in bytes, including all memory regardless of when it was accessed",
    value: ({ usage }) => usage.memory.usedBytes,
  },
  {
    name: "container_memory_working_set_bytes",
    type: "gauge",
    help: "Current working set in bytes.",
    // What could be dropped isn't counted as used in the first place.
    value: ({ usage }) => usage.memory.usedBytes,
  },
  {
    name: "container_oom_events_total",
    type: "counter",
    help: "Count of out of memory events observed for the container",
    value: ({ usage }) => usage.memory.oomCount,
  },
  ...waiting("cpu", "CPU"),
  ...waiting("io", "IO"),
  ...waiting("memory", "memory"),
  {
    name: "container_spec_cpu_period",
    type: "gauge",
    help: "CPU period of the container.",
    value: ({ usage }) => usage.cpu.periodUs,
  },
  {
    name: "container_spec_cpu_quota",
    type: "gauge",
    help: "CPU quota of the container.",
    value: ({ usage }) => usage.cpu.quotaUs,
  },
  {
    name: "container_spec_cpu_shares",
    type: "gauge",
    help: "CPU share of the container.",
    value: ({ usage }) => usage.cpu.shares,
  },
  {
    name: "container_spec_memory_limit_bytes",
    type: "gauge",
    help: "Memory limit for the container.",
    value: ({ usage }) => usage.memory.limitBytes ?? 0,
  },
  {
    name: "container_spec_memory_reservation_limit_bytes",
    type: "gauge",
    help: "Memory reservation limit for the container.",
    value: ({ usage }) => usage.memory.reservationBytes ?? 0,
  },
  {
    name: "container_start_time_seconds",
    type: "gauge",
    help: "Start time of the container since unix epoch in seconds.",
    value: ({ startedMs }) => startedMs / MS_PER_SECOND,
  },
  {
    name: "container_threads",
    type: "gauge",
    help: "Number of threads running inside the container",
    value: ({ usage }) => usage.pids.current,
  },
  {
    name: "container_threads_max",
    type: "gauge",
    help: "Maximum number of threads allowed inside the container, infinity if value is zero",
    value: ({ usage }) => usage.pids.max ?? 0,
  },
];

/** Without a quota there are no periods. */
function limited({ cpu }: ContainerUsage, value: number): number | undefined {
  return cpu.quotaUs === undefined ? undefined : value;
}
