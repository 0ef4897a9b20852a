import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  containerMetrics,
  type MeasuredContainer,
} from "../../../../runtime/core/metrics/container-metrics.ts";
import { exposition } from "../../../../runtime/core/metrics/exposition.ts";
import { anyUsage, USAGE } from "../quota/usage.ts";

const NOW_MS = 1_700_000_001_500;
const CONTAINER: MeasuredContainer = {
  id: "0123abcd",
  name: "web",
  image: "localhost/hello:1",
  startedMs: 1_700_000_000_250,
  usage: USAGE,
};
const LABELS = 'id="0123abcd",image="localhost/hello:1",name="web"';

// Names, types and extra labels as in cAdvisor's docs/storage/prometheus.md and metrics/testdata.
test.each([
  ["container_cpu_cfs_periods_total", "counter", "", "40"],
  ["container_cpu_cfs_throttled_periods_total", "counter", "", "12"],
  ["container_cpu_cfs_throttled_seconds_total", "counter", "", "0.9"],
  ["container_cpu_usage_seconds_total", "counter", 'cpu="total",', "1.5"],
  ["container_cpu_user_seconds_total", "counter", "", "1.4"],
  ["container_cpu_system_seconds_total", "counter", "", "0.1"],
  ["container_file_descriptors", "gauge", "", "13"],
  ["container_fs_inodes_free", "gauge", 'device="overlay",', "999983"],
  ["container_fs_inodes_total", "gauge", 'device="overlay",', "1000000"],
  ["container_fs_limit_bytes", "gauge", 'device="overlay",', "2147483648"],
  ["container_fs_usage_bytes", "gauge", 'device="overlay",', "123456"],
  ["container_fs_reads_bytes_total", "counter", 'device="overlay",', "4096"],
  ["container_fs_reads_total", "counter", 'device="overlay",', "5"],
  ["container_fs_writes_bytes_total", "counter", 'device="overlay",', "8192"],
  ["container_fs_writes_total", "counter", 'device="overlay",', "6"],
  ["container_last_seen", "gauge", "", "1700000001"],
  ["container_memory_failcnt", "counter", "", "3"],
  ["container_memory_max_usage_bytes", "gauge", "", "31457280"],
  ["container_memory_usage_bytes", "gauge", "", "20971520"],
  ["container_memory_working_set_bytes", "gauge", "", "20971520"],
  ["container_oom_events_total", "counter", "", "2"],
  ["container_pressure_cpu_waiting_seconds_total", "counter", "", "1"],
  ["container_pressure_cpu_stalled_seconds_total", "counter", "", "0.25"],
  ["container_pressure_memory_waiting_seconds_total", "counter", "", "2"],
  ["container_pressure_memory_stalled_seconds_total", "counter", "", "0.5"],
  ["container_pressure_io_waiting_seconds_total", "counter", "", "3"],
  ["container_pressure_io_stalled_seconds_total", "counter", "", "0.75"],
  ["container_spec_cpu_period", "gauge", "", "100000"],
  ["container_spec_cpu_quota", "gauge", "", "25000"],
  ["container_spec_cpu_shares", "gauge", "", "512"],
  ["container_spec_memory_limit_bytes", "gauge", "", "67108864"],
  ["container_spec_memory_reservation_limit_bytes", "gauge", "", "16777216"],
  ["container_start_time_seconds", "gauge", "", "1700000000.25"],
  ["container_threads", "gauge", "", "4"],
  ["container_threads_max", "gauge", "", "128"],
])("%s is a %s", (name, type, extra, value) => {
  const lines = exposition(containerMetrics([CONTAINER], NOW_MS), "prometheus").split("\n");
  expect(lines).toContain(`# TYPE ${name} ${type}`);
  expect(lines).toContain(`${name}{${extra}${LABELS}} ${value}`);
  expect(lines.filter((line) => line.startsWith(`# HELP ${name} `)).length).toBe(1);
});

test("what has no limit has none of its figures, or cAdvisor's 0", () => {
  const usage = {
    ...USAGE,
    cpu: { ...USAGE.cpu, quotaUs: undefined },
    memory: { ...USAGE.memory, limitBytes: undefined, reservationBytes: undefined },
    disk: { ...USAGE.disk, limitBytes: undefined, inodesMax: undefined },
    pids: { ...USAGE.pids, max: undefined },
  };
  const text = exposition(containerMetrics([{ ...CONTAINER, usage }], NOW_MS), "prometheus");
  for (const name of ["cpu_cfs", "spec_cpu_quota", "fs_limit", "fs_inodes"]) expect(text).not.toContain(name);
  expect(text).toContain(`container_spec_memory_limit_bytes{${LABELS}} 0\n`);
  expect(text).toContain(`container_threads_max{${LABELS}} 0\n`);
});

test("each container has a line in each family, and a family stands once", () => {
  const usages = fc.array(anyUsage, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(usages, (all) => {
      const containers = all.map((usage, index) => ({ ...CONTAINER, id: `${index}`, usage }));
      const families = containerMetrics(containers, NOW_MS);
      expect(new Set(families.map(({ name }) => name)).size).toBe(families.length);
      for (const { name, samples } of families) {
        expect(samples.length, name).toBeLessThanOrEqual(all.length);
        expect(new Set(samples.map(({ labels }) => labels.id)).size, name).toBe(samples.length);
        for (const { value } of samples) expect(value, name).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});

test("without containers there is nothing", () => {
  expect(exposition(containerMetrics([], NOW_MS), "prometheus")).toBe("");
});
