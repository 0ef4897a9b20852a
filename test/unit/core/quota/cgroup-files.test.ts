import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CGROUP_FILES, PROC_FILES } from "../../../../runtime/core/quota/cgroup-files.ts";
import type { ContainerUsage } from "../../../../runtime/core/quota/container-usage.ts";
import { anyUsage, USAGE } from "./usage.ts";

const UNLIMITED: ContainerUsage = {
  ...USAGE,
  cpu: { ...USAGE.cpu, quotaUs: undefined, shares: 1024 },
  memory: { ...USAGE.memory, limitBytes: undefined, reservationBytes: undefined },
  io: {
    ...USAGE.io,
    ...{ readCount: 0, writeCount: 0, readBytes: 0, writeBytes: 0 },
    ...{ readBytesPerSecondMax: undefined, readsPerSecondMax: undefined },
  },
  pids: { ...USAGE.pids, max: undefined },
};

// The form is the kernel's: what each says was read off a machine with cgroup v2, and its documentation.
test.each([
  { name: "cpu.max", limited: "25000 100000\n", unlimited: "max 100000\n" },
  { name: "cpu.weight", limited: "59\n", unlimited: "100\n" },
  {
    name: "cpu.pressure",
    limited:
      "some avg10=10.25 avg60=5.50 avg300=1.00 total=1000000\nfull avg10=0.75 avg60=0.50 avg300=0.00 total=250000\n",
    unlimited:
      "some avg10=10.25 avg60=5.50 avg300=1.00 total=1000000\nfull avg10=0.75 avg60=0.50 avg300=0.00 total=250000\n",
  },
  {
    name: "io.max",
    limited: "0:1 rbps=1048576 wbps=max riops=100 wiops=max\n",
    unlimited: "",
  },
  {
    name: "io.stat",
    limited: "0:1 rbytes=4096 wbytes=8192 rios=5 wios=6 dbytes=0 dios=0\n",
    unlimited: "",
  },
  { name: "memory.max", limited: "67108864\n", unlimited: "max\n" },
  { name: "memory.low", limited: "16777216\n", unlimited: "0\n" },
  { name: "memory.high", limited: "max\n", unlimited: "max\n" },
  { name: "memory.swap.max", limited: "0\n", unlimited: "0\n" },
  { name: "memory.current", limited: "20971520\n", unlimited: "20971520\n" },
  { name: "memory.peak", limited: "31457280\n", unlimited: "31457280\n" },
  {
    name: "memory.events",
    limited: "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n",
    unlimited: "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n",
  },
  { name: "pids.max", limited: "128\n", unlimited: "max\n" },
  { name: "pids.current", limited: "4\n", unlimited: "4\n" },
  { name: "pids.peak", limited: "9\n", unlimited: "9\n" },
  { name: "pids.events", limited: "max 11\n", unlimited: "max 11\n" },
  {
    name: "cpu.stat",
    limited:
      "usage_usec 1500000\nuser_usec 1400000\nsystem_usec 100000\nnice_usec 0\n" +
      "nr_periods 40\nnr_throttled 12\nthrottled_usec 900000\nnr_bursts 0\nburst_usec 0\n",
    unlimited:
      "usage_usec 1500000\nuser_usec 1400000\nsystem_usec 100000\nnice_usec 0\n" +
      "nr_periods 40\nnr_throttled 12\nthrottled_usec 900000\nnr_bursts 0\nburst_usec 0\n",
  },
  { name: "cgroup.controllers", limited: "cpu io memory pids\n", unlimited: "cpu io memory pids\n" },
  { name: "cgroup.type", limited: "domain\n", unlimited: "domain\n" },
])("$name is as Linux writes it", ({ name, limited, unlimited }) => {
  expect(CGROUP_FILES[name]?.(USAGE)).toBe(limited);
  expect(CGROUP_FILES[name]?.(UNLIMITED)).toBe(unlimited);
});

test("memory.stat has what readers of a working set subtract", () => {
  const lines = CGROUP_FILES["memory.stat"]!(USAGE).trimEnd().split("\n");
  const stat = Object.fromEntries(lines.map((line) => line.split(" ")));
  expect(stat).toMatchObject({ anon: "20971520", file: "0", inactive_file: "0", pgmajfault: "0" });
});

/** What any line of such a file looks like. */
const VALUE = "(?:\\d+|max)";
const FORMS = [
  new RegExp(`^${VALUE}$`),
  new RegExp(`^${VALUE} \\d+$`),
  /^[a-z_]+ \d+$/,
  /^(?:some|full) avg10=\d+\.\d\d avg60=\d+\.\d\d avg300=\d+\.\d\d total=\d+$/,
  new RegExp(`^\\d+:\\d+(?: [a-z]+=${VALUE})+$`),
  /^(?:domain|cpu io memory pids)$/,
];

test("whatever a container uses, each line has a form that readers know", () => {
  fc.assert(
    fc.property(anyUsage, (usage) => {
      for (const [name, render] of Object.entries(CGROUP_FILES)) {
        const text = render(usage);
        expect(text === "" || text.endsWith("\n"), name).toBe(true);
        for (const line of text.split("\n").slice(0, -1)) {
          expect(
            FORMS.some((form) => form.test(line)),
            `${name}: ${line}`,
          ).toBe(true);
        }
      }
    }),
  );
});

describe("how a runtime finds the files", () => {
  test("version 2 alone is told of in /proc/self/cgroup, and none of it above", () => {
    expect(PROC_FILES["self/cgroup"]!()).toBe("0::/\n");
  });

  test("/proc/self/mountinfo has one mount of cgroup2, whose root is the container's", () => {
    // Fields as proc_pid_mountinfo(5) numbers them: 4 the root, 5 the mount point; behind " - " the type.
    const mounts = PROC_FILES["self/mountinfo"]!().trimEnd().split("\n");
    const fields = mounts.map((line) => line.split(" - ").map((part) => part.split(" ")));
    const found = fields.filter(([, super_]) => super_?.[0] === "cgroup2");
    expect(found.map(([mount]) => mount?.slice(3, 5))).toEqual([["/", "/sys/fs/cgroup"]]);
    for (const [mount, super_] of fields) {
      expect(mount?.length).toBe(6);
      expect(super_?.length).toBe(3);
    }
    const ids = fields.map(([mount]) => mount?.[0]);
    for (const [mount] of fields.slice(1)) expect(ids).toContain(mount?.[1]);
  });

  test("/proc/cgroups has all in one hierarchy", () => {
    const [head, ...rows] = PROC_FILES.cgroups!().trimEnd().split("\n");
    expect(head?.split("\t")).toEqual(["#subsys_name", "hierarchy", "num_cgroups", "enabled"]);
    expect(rows.map((row) => row.split("\t").slice(1))).toEqual(rows.map(() => ["0", "1", "1"]));
    expect(rows.map((row) => row.split("\t")[0])).toEqual(expect.arrayContaining(["cpu", "memory", "pids"]));
  });
});
