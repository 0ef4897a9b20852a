/** What containers use, asked by other processes, and what they may use, changed by them. */
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
const ended: Promise<unknown>[] = [];
const MIB = 1 << 20;

async function start(name: string, program: "spin" | "sleep", flags: readonly string[] = []): Promise<void> {
  const args = program === "spin" ? ["up"] : ["60000"];
  const child = cli.start(["run", "--name", name, ...flags, await guest(program), ...args]);
  ended.push(once(child, "close"));
  if (program === "spin") await once(child.stdout!, "data");
  while (!(await cli.must(["ps", "--format", "{{.Names}}"])).split("\n").includes(name)) await setTimeout(20);
}

beforeAll(async () => {
  await start("busy", "spin", ["--cpus", "0.1", "--pids-limit", "7"]);
  await start("calm", "sleep", ["--memory", "32m"]);
}, 120_000);
afterAll(async () => {
  await cli.wpod(["rm", "-f", "busy", "calm"]);
  await Promise.all(ended);
  cli.dispose();
});

describe("wpod stats", () => {
  test("row 126: shows docker's columns, the latest first", async () => {
    const [header, calm, busy, ...rest] = (await cli.must(["stats", "--no-stream"])).split("\n");
    expect(header).toMatch(
      /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/,
    );
    expect(calm).toMatch(
      /^[0-9a-f]{12} +calm +\d+\.\d\d% +\d\S*KiB \/ 32MiB +0\.\d\d% +0B \/ 0B +0B \/ 0B +1$/,
    );
    expect(busy).toMatch(
      /^[0-9a-f]{12} +busy +\d+\.\d\d% +\d\S*KiB \/ 4GiB +0\.\d\d% +0B \/ 0B +0B \/ 0B +1$/,
    );
    expect(rest).toEqual([""]);
  });

  test("row 127: has docker's keys as JSON, and more for templates", async () => {
    const row = JSON.parse(await cli.must(["stats", "--no-stream", "--format", "json", "busy"]));
    expect(Object.keys(row)).toEqual([
      ...["BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"],
    ]);
    const format = "{{.CPUTime}} {{.AvgCPU}} {{.Throttled}} {{.ThrottledPerc}} {{.MemLimit}}";
    expect(await cli.must(["stats", "--no-stream", "--format", format, "busy"])).toMatch(
      /^\d+\.\d{3}s \d+\.\d\d% \d+ \/ \d+ \d+\.\d\d% 4GiB\n$/,
    );
  });

  test("goes on until those that were named have ended, in plain lines where nobody looks at a terminal", async () => {
    await start("short", "sleep");
    const child = cli.start(["stats", "--interval", "1", "--format", "{{.Name}} {{.PIDs}}", "short"]);
    let printed = "";
    child.stdout!.on("data", (chunk: Buffer) => {
      printed += chunk;
    });
    while (!printed.includes("short 1\n")) await once(child.stdout!, "data");
    const [container] = JSON.parse(await cli.must(["inspect", "short"]));
    process.kill(container.State.Pid, "SIGTERM");
    const [exitCode] = await once(child, "close");
    expect(exitCode).toBe(0);
    expect(printed).toMatch(/^(short 1\n)+short --\n$/);
    await cli.must(["rm", "short"]);
  });

  test("shows what doesn't run only when it is asked", async () => {
    await cli.must(["run", "--name", "over", await guest("exit"), "0"]);
    expect(await cli.must(["stats", "--no-stream", "--format", "{{.Name}}"])).toBe("calm\nbusy\n");
    expect(
      await cli.must(["stats", "--no-stream", "-a", "--format", "{{.Name}} {{.CPUPerc}} {{.MemUsage}}"]),
    ).toMatch(/^over -- -- \/ --\ncalm \d/);
    await cli.must(["rm", "over"]);
  });

  test.each([
    { args: ["nobody"], message: 'no container with name or ID "nobody" found: no such container' },
    { args: ["-a", "busy"], message: "--all, --latest and containers cannot be used together" },
    { args: ["--interval", "-1"], message: /invalid argument "-1" for "-i, --interval" flag/ },
  ])("$args is refused", async ({ args, message }) => {
    const { exitCode, stderr } = await cli.wpod(["stats", "--no-stream", ...args]);
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(message);
  });
});

describe("wpod update", () => {
  test("changes every limit of a container that runs, at once, and what inspect says of it", async () => {
    const flags = [
      ...["--cpus", "0.3", "--cpu-shares", "512", "--memory", "64m", "--pids-limit", "9"],
      ...["--device-write-bps", "1mb", "--storage-opt", "size=8m"],
    ];
    expect(await cli.must(["update", ...flags, "busy"])).toBe("busy\n");
    const format =
      "{{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}";
    expect(await cli.must(["inspect", "--format", format, "busy"])).toBe(`300000000 512 ${64 * MIB} 9\n`);
    expect(await cli.must(["stats", "--no-stream", "--format", "{{.MemLimit}}", "busy"])).toBe("64MiB\n");
  });

  test("of one that has ended holds when it is started", async () => {
    await cli.must(["run", "--name", "later", await guest("exit"), "0"]);
    expect(await cli.must(["update", "--cpus", "0.5", "later"])).toBe("later\n");
    expect(await cli.must(["inspect", "--format", "{{.HostConfig.NanoCpus}}", "later"])).toBe("500000000\n");
    await cli.must(["rm", "later"]);
  });

  test.each([
    { args: ["busy"], message: "nothing to change: no limit was given" },
    { args: ["--cpus", "-1", "busy"], message: 'invalid --cpus "-1": it is a number such as 1.5' },
    { args: ["--cpus", "0.001", "busy"], message: "the limit of 0.001 CPUs is less than 0.01" },
    { args: ["--memory", "12x", "busy"], message: "invalid size: '12x'" },
    { args: ["--memory", "1k", "busy"], message: "the memory limit of 1024 bytes is less than a page" },
    { args: ["--pids-limit", "x", "busy"], message: 'invalid --pids-limit "x"' },
    { args: ["--cpus", "1", "nobody"], message: 'no container with name or ID "nobody"' },
    { args: ["--restart", "always", "busy"], message: "--restart is not supported yet" },
    { args: ["--cpus", "1"], message: "requires at least 1 arg(s), only received 0" },
  ])("$args is refused, and nothing has changed", async ({ args, message }) => {
    const before = await cli.must(["inspect", "--format", "{{json .HostConfig}}", "busy"]);
    const { exitCode, stdout, stderr } = await cli.wpod(["update", ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
    expect(stderr).toContain(message);
    expect(await cli.must(["inspect", "--format", "{{json .HostConfig}}", "busy"])).toBe(before);
  });

  test("of several does what it can", async () => {
    const { exitCode, stdout, stderr } = await cli.wpod(["update", "--cpu-shares", "100", "nobody", "calm"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "calm\n" });
    expect(stderr).toContain('"nobody"');
  });
});

describe("wpod metrics", () => {
  test("prints what runs, by cAdvisor's names", async () => {
    const text = await cli.must(["metrics"]);
    const value = (metric: string, name: string) =>
      Number(new RegExp(`^${metric}\\{[^}]*name="${name}"[^}]*\\} (\\S+)$`, "m").exec(text)?.[1]);
    expect(value("container_cpu_usage_seconds_total", "busy")).toBeGreaterThan(0);
    expect(value("container_cpu_cfs_throttled_periods_total", "busy")).toBeGreaterThan(0);
    expect(value("container_spec_memory_limit_bytes", "calm")).toBe(32 * MIB);
    expect(value("container_threads_max", "busy")).toBeGreaterThan(0);
    expect(await cli.must(["metrics", "--format", "openmetrics"])).toMatch(/\n# EOF\n$/);
  });

  test("answers a collector, in the format that it takes", async () => {
    const child = cli.start(["metrics", "--listen", "0"]);
    const [said] = (await once(child.stderr!, "data")) as [Buffer];
    const url = /http:\S+/.exec(said.toString())![0];
    const plain = await fetch(url);
    expect(plain.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await plain.text()).toContain("# TYPE container_cpu_usage_seconds_total counter\n");
    const open = await fetch(url, { headers: { accept: "application/openmetrics-text" } });
    expect(open.headers.get("content-type")).toMatch(/^application\/openmetrics-text/);
    expect((await fetch(url.replace("/metrics", "/"))).status).toBe(404);
    expect((await fetch(url, { method: "POST" })).status).toBe(405);
    child.kill();
    await once(child, "close");
  });

  test.each([
    { args: ["--format", "xml"], message: 'invalid --format "xml": it is "prometheus" or "openmetrics"' },
    { args: ["--listen", "x"], message: 'invalid --listen "x": it is [HOST:]PORT' },
    { args: ["--listen", "70000"], message: 'invalid --listen "70000": it is [HOST:]PORT' },
  ])("$args is refused", async ({ args, message }) => {
    const { exitCode, stderr } = await cli.wpod(["metrics", ...args]);
    expect(exitCode).toBe(125);
    expect(stderr).toContain(message);
  });

  test("says that a port is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { exitCode, stderr } = await cli.wpod(["metrics", "--listen", `${port}`]);
    server.close();
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining("EADDRINUSE"),
    });
  });
});

describe("the socket of a container", () => {
  const folder = () => join(cli.root, "run");

  test("is its user's alone, and gone when it has ended", async () => {
    await start("brief", "sleep");
    await cli.must(["stats", "--no-stream", "brief"]);
    const before = readdirSync(folder()).length;
    await cli.must(["rm", "-f", "brief"]);
    expect(readdirSync(folder()).length).toBe(before - 1);
  });

  test("is found also where the root is too deep for one", async () => {
    const root = join(cli.directory, "d".repeat(90), "root");
    mkdirSync(root, { recursive: true });
    const child = cli.start(["run", "--name", "deep", await guest("spin"), "up"], { WPOD_ROOT: root });
    await once(child.stdout!, "data");
    expect(await cli.must(["stats", "--no-stream", "--format", "{{.Name}}", "deep"], { root })).toBe(
      "deep\n",
    );
    expect(await cli.must(["update", "--cpus", "0.5", "deep"], { root })).toBe("deep\n");
    const closed = once(child, "close");
    await cli.must(["rm", "-f", "deep"], { root });
    await closed;
  });

  test("isn't made where others may enter: the container runs all the same", async () => {
    const root = join(cli.directory, "open-root");
    await cli.must(["ps"], { root });
    mkdirSync(join(root, "run"));
    chmodSync(join(root, "run"), 0o755);
    const child = cli.start(["run", "--name", "open", await guest("spin"), "up"], { WPOD_ROOT: root });
    await once(child.stdout!, "data");
    const { exitCode, stderr } = await cli.wpod(["update", "--cpus", "0.5", "open"], { root });
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/the process of container [0-9a-f]{12} doesn't answer/);
    expect(readdirSync(join(root, "run"))).toEqual([]);
    const closed = once(child, "close");
    await cli.must(["rm", "-f", "open"], { root });
    await closed;
  });

  test("answers what it can't read with a sentence, and goes on", async () => {
    const [name] = readdirSync(folder());
    const lines = ["", "{}", "null", "[1", '{"version":2}', '{"version":1,"container":"x"}', "\u0000"];
    for (const line of lines) {
      const socket = connect(join(folder(), name!));
      socket.write(`${line}\n`);
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(JSON.parse(answer.toString()).answer).toMatchObject({
        kind: "refused",
        code: "CONTAINER_STATE",
      });
      socket.destroy();
    }
    const flood = connect(join(folder(), name!));
    const over = new Promise((resolve) => flood.on("error", resolve).on("close", resolve));
    flood.write("x".repeat(3 << 20));
    await over;
    expect(await cli.must(["stats", "--no-stream", "--format", "{{.Name}}", "calm"])).toBe("calm\n");
  });
});

test("a container in a process of its own answers too", async () => {
  const child = cli.start([
    "run",
    "--isolation=process",
    "--name",
    "apart",
    "--cpus",
    "0.2",
    await guest("spin"),
    "up",
  ]);
  const closed = once(child, "close");
  await once(child.stdout!, "data");
  expect(await cli.must(["update", "--cpus", "0.4", "--memory", "48m", "apart"])).toBe("apart\n");
  expect(await cli.must(["stats", "--no-stream", "--format", "{{.Name}} {{.MemLimit}}", "apart"])).toBe(
    "apart 48MiB\n",
  );
  expect(await cli.must(["inspect", "--format", "{{.HostConfig.NanoCpus}}", "apart"])).toBe("400000000\n");
  await cli.must(["rm", "-f", "apart"]);
  await closed;
});

test("a library shows what its own containers use, and others'", async () => {
  await using own = await engineForTest();
  const container = await own.engine.launch(await guest("sleep"), { args: ["60000"] });
  const usage = await own.engine.containers.stats(container.id);
  expect(usage.memory.usedBytes).toBeGreaterThan(0);
  expect(await own.engine.metrics()).toContain(container.id);
  await own.engine.containers.update(container.id, { memoryBytesMax: 16 * MIB });
  expect((await container.stats()).memory.limitBytes).toBe(16 * MIB);
  await expect(own.engine.containers.update(container.id, { cpus: 0 })).rejects.toMatchObject({
    code: "USAGE",
  });
  await container.kill("SIGKILL");
});
