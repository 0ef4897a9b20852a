/** What a program reads of its own limits in `/sys/fs/cgroup` and `/proc`: wherever its files are, and while they move. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import type { Placement, RunOptions } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";

const MIB = 1024 * 1024;
const CGROUP = "/sys/fs/cgroup";
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let folder: string;
const engines = new Map<Placement, Engine>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wpod-limit-files-"));
  const image = await guest("limitfiles");
  for (const placement of ["worker", "kernel"] as const) {
    const engine = new Engine({ root: join(folder, placement), placement });
    engines.set(placement, engine);
    await engine.images.import(image, "limitfiles");
  }
}, 120_000);
afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
});

describe.each(["worker", "kernel"] as const)("limits as files, with the %s", (placement) => {
  const run = async (args: string[], options: RunOptions = {}) => {
    const { exitCode, stdout, stderr } = await engines
      .get(placement)!
      .run("limitfiles", { args, timeoutMs: 60_000, ...options });
    return { exitCode, stdout: text(stdout), stderr: text(stderr) };
  };

  test("tell the limit of its memory, and what it has of it at each look", async () => {
    const { stdout } = await run(
      [`cat=${CGROUP}/memory.max`, `cat=${CGROUP}/memory.current`, "grow=8", `cat=${CGROUP}/memory.current`],
      { limits: { memoryBytesMax: 64 * MIB } },
    );
    const [limit, before, after] = stdout.trim().split("\n").map(Number);
    expect(limit).toBe(64 * MIB);
    expect(before).toBeGreaterThan(0);
    expect(after! - before!).toBeGreaterThanOrEqual(8 * MIB);
    expect(after! - before!).toBeLessThan(9 * MIB);
  });

  test("are found as on Linux", async () => {
    const { stdout } = await run(["cat=/proc/self/cgroup", "cat=/proc/self/mountinfo"]);
    expect(stdout).toMatch(/^0::\/\n/);
    expect(stdout).toMatch(/ \/ \/sys\/fs\/cgroup ro,\S+ - cgroup2 /);
  });

  test("are read by any user, and written by none", async () => {
    const steps = [`open=${CGROUP}/cpu.max`, "open=/sys/fs/new", `cat=${CGROUP}/cpu.max`];
    expect((await run(steps)).stdout).toBe("Read-only file system\nNo such file or directory\nmax 100000\n");
    expect((await run(steps.slice(0, 1), { user: "1000" })).stdout).toMatch(/Read-only|Permission/);
    expect((await run(steps.slice(2), { user: "1000" })).stdout).toBe("max 100000\n");
  });

  test("are there in a read-only container, too", async () => {
    expect((await run([`cat=${CGROUP}/pids.max`], { readOnly: true })).exitCode).toBe(0);
  });

  test("give way to what is mounted there", async () => {
    const mounts: RunOptions["mounts"] = [{ type: "tmpfs", target: CGROUP }];
    const covered = await run([`cat=${CGROUP}/cpu.max`], { mounts });
    expect(covered).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("No such file") });
  });

  test("that are open stay what they were when the files move to the kernel", async () => {
    const engine = engines.get(placement)!;
    const stdin = new PassThrough();
    const waiting = Promise.withResolvers<void>();
    let printed = "";
    const container = await engine.launch("limitfiles", {
      args: [`half=${CGROUP}/cgroup.controllers`, `cat=${CGROUP}/cpu.max`],
      stdin,
      timeoutMs: 60_000,
      stdout(bytes) {
        printed += text(bytes);
        if (printed.includes("waiting")) waiting.resolve();
      },
    });
    await waiting.promise;
    const second = await container.exec([container.inspect().path, `cat=${CGROUP}/cpu.max`]);
    expect(text(second.stdout)).toBe("max 100000\n");
    stdin.end("go on\n");
    expect((await container.wait()).exitCode).toBe(0);
    expect(printed).toBe("cpu \nwaiting\nio memory pids\nmax 100000\n");
  });
});
