/** CPU time of programs that compute all the time, by the built command line. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";
import { Cli, WPOD } from "./cli.ts";

const cli = new Cli();
beforeAll(async () => {
  await Promise.all([guest("spin"), guest("threads")]);
}, 120_000);
afterAll(() => cli.dispose());

const TICKS_PER_SECOND = 100;
/** What the command's own thread takes, and what other programs on a busy machine keep it from. */
const OWN_SHARE = 0.15;

/** CPU time of a process, in seconds. @see proc_pid_stat(5) */
function usedSeconds({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

test.for([
  { flags: ["--cpus", "0.25"], program: "spin", args: ["up"], cpus: 0.25 },
  { flags: ["--cpu-quota", "10000", "--cpu-period", "100000"], program: "spin", args: ["up"], cpus: 0.1 },
  // That its threads are started, which is the host's work, is over then.
  { flags: ["--cpus=.5"], program: "threads", args: ["all-spin"], cpus: 0.5, fromSeconds: 0.6 },
] as const)("wpod run $flags $program uses no more than that, from the start", async (row, { skip }) => {
  if (!existsSync("/proc/self/stat")) skip("CPU time of another process is read from /proc");
  const child = cli.start(["run", "--rm", ...row.flags, await guest(row.program), ...row.args]);
  await once(child.stdout!, "data");
  const from = usedSeconds(child) + ("fromSeconds" in row ? row.fromSeconds : 0);
  while (usedSeconds(child) < from) await setTimeout(10);
  const startMs = performance.now();
  const before = usedSeconds(child);
  const wanted = before + 1.5 * row.cpus;
  while (usedSeconds(child) < wanted) await setTimeout(10);
  const share = (usedSeconds(child) - before) / ((performance.now() - startMs) / 1000);
  child.kill("SIGTERM");
  const [exitCode] = await once(child, "close");
  expect(exitCode).toBe(143);
  expect(share).toBeLessThan(row.cpus + OWN_SHARE);
  expect(share).toBeGreaterThan(row.cpus / 4);
});

test("who has to wait is told of, and is ended at once wherever it waits", async () => {
  await using engine = await engineForTest();
  const limits = { cpus: 0.1, memoryBytesMax: 16 << 20 };
  for (let round = 0; round < 5; round++) {
    const container = await engine.engine.launch(await guest("spin"), { limits, stdout: "ignore" });
    for (;;) {
      const { cpu, memory } = await container.stats();
      expect(memory.limitBytes).toBe(limits.memoryBytesMax);
      expect(memory.usedBytes).toBeGreaterThan(0);
      expect(memory.peakBytes).toBeGreaterThanOrEqual(memory.usedBytes);
      if (cpu.throttledCount >= 2 && cpu.throttledUs >= 50_000 && cpu.periodCount >= 2) break;
      await setTimeout(5);
    }
    await container.kill("SIGKILL");
    expect(await container.wait()).toMatchObject({ exitCode: 137 });
    await expect(container.stats()).rejects.toMatchObject({ code: "CONTAINER_STATE" });
  }
});

test("a program that waits for its input, with a debt, still gets it", async () => {
  const args = ["run", "--rm", "-i", "--cpus", "0.01", await guest("cat")];
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, [WPOD, ...args], { env: { ...process.env, WPOD_ROOT: cli.root } });
    child.stdin.write("ready");
    await once(child.stdout, "data");
    // Its start has cost it more than it has: it is to wait while it waits already.
    await setTimeout(150);
    child.stdin.end();
    const signal = AbortSignal.timeout(20_000);
    const ended = once(child, "exit", { signal });
    signal.onabort = () => child.kill("SIGKILL");
    expect(await ended).toEqual([0, null]);
  }
}, 90_000);

test("what one user may use is divided by shares, between processes too", { timeout: 60_000 }, async () => {
  const config = join(cli.directory, "config.yaml");
  writeFileSync(config, "limits:\n  cpus: 0.6\n");
  const run = async (name: string, shares: number) => {
    const args = ["run", "--rm", "--name", name, "--cpu-shares", `${shares}`, await guest("spin"), "up"];
    const child = cli.start(args, { WPOD_CONFIG: config });
    await once(child.stdout!, "data");
    return child;
  };
  const children = [await run("more", 3072), await run("less", 1024)];
  const used = async () => {
    const lines = await cli.must([
      "stats",
      "--no-stream",
      "--format",
      "{{.Name}} {{.CPUTime}}",
      "more",
      "less",
    ]);
    return lines
      .trim()
      .split("\n")
      .map((line) => Number.parseFloat(line.split(" ")[1]!));
  };
  // Until each has been told of the other.
  await setTimeout(1500);
  const before = await used();
  const startMs = performance.now();
  await setTimeout(3000);
  const after = await used();
  const seconds = (performance.now() - startMs) / 1000;
  const [more, less] = after.map((value, index) => (value - before[index]!) / seconds);
  for (const child of children) child.kill("SIGKILL");
  expect(more! + less!).toBeLessThan(0.7);
  // On a busy machine who may have more doesn't get it all.
  expect(more! / less!).toBeGreaterThan(1.4);
  expect(more! / less!).toBeLessThan(4);
});

test.each([
  { limits: { cpus: 0.009 }, message: "the limit of 0.009 CPUs is less than 0.01" },
  { limits: { cpus: Number.NaN }, message: "the limit of NaN CPUs is less than 0.01" },
  {
    limits: { cpus: 1, cpuPeriodMs: 0.5 },
    message: "the period of 0.5 ms for CPU time is not between 1 and 1000",
  },
  { limits: { cpuPeriodMs: 1001 }, message: "the period of 1001 ms for CPU time is not between 1 and 1000" },
])("$limits is refused before anything starts", async ({ limits, message }) => {
  await using engine = await engineForTest();
  await expect(engine.engine.create(await guest("spin"), { limits })).rejects.toMatchObject({
    code: "USAGE",
    message,
  });
});

test("what is refused has made no volume", async () => {
  const refused = await cli.wpod(["run", "--cpus", "0.001", "-v", "unmade:/data", await guest("exit"), "0"]);
  expect(refused.exitCode).toBe(125);
  expect(await cli.must(["volume", "ls", "-q"])).toBe("");
});

test("a container shows its limit, and the command line how it is kept", async () => {
  await cli.must(["run", "--name", "limited", "--cpus", "1.5", await guest("exit"), "0"]);
  expect(await cli.must(["inspect", "--format", "{{.HostConfig.NanoCpus}}", "limited"])).toBe("1500000000\n");
  expect(await cli.must(["info", "--format", "{{.CpuControl}}"])).toBe("interrupt\n");
});
