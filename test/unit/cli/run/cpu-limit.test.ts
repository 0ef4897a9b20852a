import { expect, test } from "vitest";
import { parseFlags } from "../../../../runtime/cli/flags/parse-flags.ts";
import { RUN_FLAGS } from "../../../../runtime/cli/flags/run-flags.ts";
import { parseCpuLimit } from "../../../../runtime/cli/run/cpu-limit.ts";

test.each([
  { args: [], limits: {} },
  { args: ["--cpus=0"], limits: {} },
  { args: ["--cpus=0.0"], limits: {} },
  { args: ["--cpus=.5"], limits: { cpus: 0.5 } },
  { args: ["--cpus=1.25"], limits: { cpus: 1.25 } },
  { args: ["--cpu-quota=50000"], limits: { cpus: 0.5, cpuPeriodMs: 100 } },
  { args: ["--cpu-quota=1000", "--cpu-period=1000"], limits: { cpus: 1, cpuPeriodMs: 1 } },
  { args: ["--cpu-quota=1500000", "--cpu-period=1000000"], limits: { cpus: 1.5, cpuPeriodMs: 1000 } },
  { args: ["--cpu-quota=-1"], limits: {} },
  { args: ["--cpu-quota=0", "--cpu-period=0"], limits: {} },
  { args: ["--cpu-period=1000"], limits: {} },
  { args: ["--cpu-shares=512"], limits: { cpuShares: 512 } },
  { args: ["-c", "1"], limits: { cpuShares: 2 } },
  { args: ["--cpu-shares=300000", "--cpus=2"], limits: { cpuShares: 262_144, cpus: 2 } },
  { args: ["--cpu-shares=0"], limits: {} },
])("$args", ({ args, limits }) => {
  const flags = parseFlags(args, { flags: RUN_FLAGS, interspersed: false, command: "wpod run" });
  expect(parseCpuLimit(flags)).toEqual(limits);
});
