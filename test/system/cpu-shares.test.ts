/** How CPU time is divided, by both ways of making a program wait. It is counted, not timed: other programs of the machine only take from it. */
import { setTimeout } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { Container, Engine } from "../../runtime/engine/index.ts";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";

beforeAll(async () => {
  await Promise.all([guest("spin"), guest("sleep"), guest("grow"), guest("threads"), guest("manyfiles")]);
}, 120_000);

const usedMs = async (container: Container): Promise<number> => {
  const { cpu } = await container.stats();
  return cpu.usageUs / 1000;
};

/** How much each has used of a core since `ms` milliseconds ago. */
async function sharesOver(containers: readonly Container[], ms: number): Promise<number[]> {
  const before = await Promise.all(containers.map(usedMs));
  const startMs = performance.now();
  await setTimeout(ms);
  const after = await Promise.all(containers.map(usedMs));
  const wholeMs = performance.now() - startMs;
  return after.map((used, index) => (used - before[index]!) / wholeMs);
}

/** When it has used so much of a core for a while, and no more. */
async function settled(container: Container, least: number, most: number): Promise<void> {
  for (;;) {
    const [share] = await sharesOver([container], 400);
    if (share! > least && share! < most) return;
  }
}

/** When it runs, and has been told of its limit. */
async function spin(engine: Engine, options: Parameters<Engine["launch"]>[1] = {}): Promise<Container> {
  const up = Promise.withResolvers<void>();
  const container = await engine.launch(await guest("spin"), {
    args: ["up"],
    stdout: () => up.resolve(),
    ...options,
  });
  await up.promise;
  return container;
}

describe.each(["interrupt", "metering"] as const)("by %s", (cpuControl) => {
  test.each([0.1, 0.25, 0.5])("%d of a core is what a loop gets", async (cpus) => {
    await using own = await engineForTest({ cpuControl });
    const container = await spin(own.engine, { limits: { cpus } });
    const [share] = await sharesOver([container], 1500);
    expect(share).toBeLessThan(cpus + 0.05);
    expect(share).toBeGreaterThan(cpus * 0.4);
    await container.kill("SIGKILL");
    expect(await container.wait()).toMatchObject({ exitCode: 137, reason: "SIGKILL" });
  });

  test("threads share what their container has", async () => {
    await using own = await engineForTest({ cpuControl });
    const program = await guest("threads");
    const up = Promise.withResolvers<void>();
    const container = await own.engine.launch(program, {
      args: ["all-spin"],
      stdout: () => up.resolve(),
      limits: { cpus: 0.4 },
    });
    await up.promise;
    // That its threads are started is paid for first, by all of them.
    await settled(container, 0.2, 0.46);
    const [share] = await sharesOver([container], 1500);
    expect(share).toBeLessThan(0.46);
  });

  test("three to one is how two of a group divide what it has, and who is alone has it all", async () => {
    await using own = await engineForTest({ cpuControl });
    const group = own.engine.group({ cpus: 0.6 });
    const [more, less] = await Promise.all([
      spin(own.engine, { group, limits: { cpuShares: 3072 } }),
      spin(own.engine, { group, limits: { cpuShares: 1024 } }),
    ]);
    await sharesOver([more, less], 500);
    const [most, least] = await sharesOver([more, less], 2000);
    expect(most! + least!).toBeLessThan(0.66);
    expect(most! / least!).toBeGreaterThan(2.4);
    expect(most! / least!).toBeLessThan(3.7);
    await more.kill("SIGKILL");
    await more.wait().catch(() => {});
    await sharesOver([less], 500);
    const [alone] = await sharesOver([less], 1000);
    expect(alone).toBeGreaterThan(0.35);
    expect(alone).toBeLessThan(0.66);
  });

  test("a limit is changed while it runs", async () => {
    await using own = await engineForTest({ cpuControl });
    const container = await spin(own.engine, { limits: { cpus: 0.05 } });
    await sharesOver([container], 300);
    await container.update({ cpus: 0.6 });
    expect(container.inspect().limits.cpus).toBe(0.6);
    await sharesOver([container], 300);
    const [more] = await sharesOver([container], 1000);
    expect(more).toBeGreaterThan(0.15);
    await container.update({ cpus: 0.1 });
    await sharesOver([container], 300);
    const [less] = await sharesOver([container], 1000);
    expect(less).toBeLessThan(0.16);
    await expect(container.update({ cpus: -1 })).rejects.toMatchObject({ code: "USAGE" });
    expect(container.inspect().limits.cpus).toBe(0.1);
  });

  test("a second program has no other budget than the first", async () => {
    await using own = await engineForTest({ cpuControl });
    const program = await guest("spin");
    const container = await spin(own.engine, { limits: { cpus: 0.2 } });
    const ended = container.exec([`/${program.split("/").at(-1)!}`], { timeoutMs: 2500 });
    await sharesOver([container], 500);
    const [share] = await sharesOver([container], 1500);
    expect(share).toBeLessThan(0.3);
    expect(await ended).toMatchObject({ exitCode: 137, reason: "timeout" });
  });

  test("who has used all its time is killed", async () => {
    await using own = await engineForTest({ cpuControl });
    const container = await spin(own.engine, { limits: { cpuTimeMs: 200 } });
    expect(await container.wait()).toMatchObject({
      exitCode: 137,
      reason: "out of CPU time",
      oomKilled: false,
    });
  });
});

test("what the kernel does for a program is its own, and it is made to wait between its calls", async () => {
  await using own = await engineForTest({ placement: "kernel" });
  const container = await own.engine.launch(await guest("manyfiles"), {
    args: ["900000"],
    limits: { cpus: 0.2 },
  });
  // Until V8 has compiled what the kernel does, in threads that nobody is charged for.
  while ((await container.stats()).cpu.throttledCount < 20) await setTimeout(10);
  // All threads but this one.
  const othersMs = () => {
    const [all, own] = [process.cpuUsage(), process.threadCpuUsage()];
    return (all.user + all.system - own.user - own.system) / 1000;
  };
  const [startMs, beforeMs] = [performance.now(), othersMs()];
  const [charged] = await sharesOver([container], 1500);
  const share = (othersMs() - beforeMs) / (performance.now() - startMs);
  expect(charged).toBeLessThan(0.26);
  expect(share).toBeLessThan(0.5);
  await container.kill("SIGKILL");
});

test("threads that wait for each other in their own memory are made to wait too", async () => {
  await using own = await engineForTest();
  const up = Promise.withResolvers<void>();
  const container = await own.engine.launch(await guest("threads"), {
    args: ["ping-pong"],
    stdout: () => up.resolve(),
    limits: { cpus: 0.2 },
  });
  await up.promise;
  await settled(container, 0.1, 0.3);
  const [share] = await sharesOver([container], 1500);
  expect(share).toBeLessThan(0.3);
  await container.kill("SIGKILL");
  expect(await container.wait()).toMatchObject({ exitCode: 137 });
});

test("who sleeps isn't charged, and isn't asked", async () => {
  await using own = await engineForTest();
  const container = await own.engine.launch(await guest("sleep"), { args: ["30000"], limits: { cpus: 0.5 } });
  await setTimeout(500);
  const [share] = await sharesOver([container], 500);
  expect(share).toBeLessThan(0.02);
});

test("a program that wasn't metered can't be limited later, and goes on", async () => {
  await using own = await engineForTest({ cpuControl: "metering" });
  const container = await spin(own.engine);
  await expect(container.update({ cpus: 0.5 })).rejects.toMatchObject({ code: "UNSUPPORTED" });
  expect(container.status()).toBe("running");
});

test("a group has one budget of memory", async () => {
  await using own = await engineForTest();
  const group = own.engine.group({ memoryBytesMax: 24 << 20 });
  const limits = { memoryBytesMax: 64 << 20 };
  const grow = await guest("grow");
  const first = await own.engine.run(grow, { args: ["40"], group, limits });
  expect(first).toMatchObject({ exitCode: 137, oomKilled: true });
  // What the first one had is free before the next begins.
  expect(await own.engine.run(grow, { args: ["16"], group, limits })).toMatchObject({ exitCode: 0 });
  expect(group.stats().memory.peakBytes).toBeGreaterThan(20 << 20);
  expect(group.stats().memory.peakBytes).toBeLessThanOrEqual(24 << 20);
  group.update({ memoryBytesMax: 64 << 10 });
  await expect(own.engine.run(grow, { args: ["1"], group, limits })).rejects.toMatchObject({
    code: "MEMORY_LIMIT",
  });
});

test.each([
  { cpuShares: 1, message: "1 CPU shares are not a whole number between 2 and 262144" },
  { cpuShares: 2.5, message: "2.5 CPU shares are not a whole number between 2 and 262144" },
  { cpuTimeMs: 0, message: "the limit of 0 ms of CPU time is not more than 0" },
])("$message", async ({ message, ...limits }) => {
  await using own = await engineForTest();
  await expect(own.engine.run(await guest("spin"), { limits })).rejects.toMatchObject({
    code: "USAGE",
    message,
  });
});

test("only the ways that there are are taken", async () => {
  await expect(engineForTest({ cpuControl: "signals" as never })).rejects.toMatchObject({
    code: "USAGE",
    message: 'CPU time is limited by "interrupt" or by "metering", not by "signals"',
  });
});
