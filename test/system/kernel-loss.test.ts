/** The kernel's thread ends under the containers that it serves. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import type { MountSpec } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let root: string;
let engine: Engine;
const workers: Worker[] = [];
const onWorker = (message: unknown) => workers.push((message as { worker: Worker }).worker);

beforeAll(async () => {
  subscribe("worker_threads", onWorker);
  root = mkdtempSync(join(tmpdir(), "wpod-kernel-loss-"));
  engine = new Engine({ root, placement: "kernel" });
  await engine.images.import(await guest("selfcheck"), "selfcheck");
}, 120_000);
afterAll(async () => {
  unsubscribe("worker_threads", onWorker);
  await engine[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

async function start(mode: string, mounts: MountSpec[] = [], directory = "/work") {
  const ready = Promise.withResolvers<void>();
  const container = await engine.launch("selfcheck", {
    args: [mode, directory],
    mounts,
    timeoutMs: 60_000,
    stdout: () => ready.resolve(),
  });
  await ready.promise;
  return container;
}

function kernelWorker(): Worker {
  const found = workers.filter(({ threadId, threadName }) => threadId > 0 && threadName === "wpod-kernel");
  expect(found).toHaveLength(1);
  return found[0]!;
}

test("its containers end with a reason, whatever they do, and the next one has a new kernel", async () => {
  const containers = await Promise.all(["calls", "wait", "busy"].map((mode) => start(mode)));
  const second = containers[1]!.exec([containers[1]!.inspect().path, "wait", "/second"]);
  await containers[1]!.exec([containers[1]!.inspect().path, "touch", "/other-is-there"]);
  await kernelWorker().terminate();

  for (const container of containers) {
    const end = await container.wait();
    expect(end).toMatchObject({
      exitCode: 125,
      reason: "the kernel, which had the container's files, has ended: it was ended",
    });
    await expect(end.container.files()).rejects.toMatchObject({ code: "CONTAINER_STATE" });
  }
  expect(await second).toMatchObject({ exitCode: 125 });

  const next = await start("wait");
  const program = next.inspect().path;
  expect(text((await next.exec([program, "print", "/work/log"])).stdout)).toMatch(/^(\d+\n)+$/);
  await next.exec([program, "touch", "/stop"]);
  expect((await next.wait()).exitCode).toBe(0);
});

test("with nobody there, nobody notices", async () => {
  await kernelWorker().terminate();
  const next = await start("wait");
  await next.exec([next.inspect().path, "touch", "/stop"]);
  expect((await next.wait()).exitCode).toBe(0);
});

test("a volume that was written at that moment can be used again, with what was there before", async () => {
  const mounts: MountSpec[] = [{ type: "volume", source: "kept", target: "/volume" }];
  const run = async (...args: string[]) => {
    const { exitCode, stdout } = await engine.run("selfcheck", { args, mounts });
    return { exitCode, printed: text(stdout) };
  };
  expect(await run("touch", "/volume/before")).toMatchObject({ exitCode: 0 });
  const container = await start("calls", mounts, "/volume/work");
  await kernelWorker().terminate();
  expect(await container.wait()).toMatchObject({ exitCode: 125 });
  expect(await run("print", "/volume/before")).toMatchObject({ exitCode: 0 });
  expect(await run("touch", "/volume/after")).toMatchObject({ exitCode: 0 });
  expect(await run("calls", "/volume/again", "50")).toMatchObject({ exitCode: 0 });
  expect(await run("print", "/volume/after")).toMatchObject({ exitCode: 0 });
});
