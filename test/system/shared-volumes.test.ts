/** One volume in several containers at the same time: what one does is what the others see, and nobody's end harms another. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine, type MountSpec, type RunOptions } from "../../runtime/engine/index.ts";
import type { Container } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const LONG = process.env.WPOD_TEST_LONG === "1";
const ROUNDS = LONG ? 2000 : 60;
const COUNTED = LONG ? 3000 : 200;

let scratch: string;
let engine: Engine;
let volumeNumber = 0;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "wpod-shared-volumes-"));
  engine = new Engine({ root: join(scratch, "root") });
  for (const name of ["shared", "locks", "disk"] as const) {
    await engine.images.import(await guest(name), name);
  }
}, 120_000);
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

const freshVolume = (target = "/data", more: Partial<MountSpec> = {}): MountSpec => ({
  type: "volume",
  source: `shared-${++volumeNumber}`,
  target,
  ...more,
});

async function run(image: string, args: string[], mounts: MountSpec[], options: RunOptions = {}) {
  const { exitCode, stdout, reason } = await engine.run(image, { args, mounts, log: false, ...options });
  return `${exitCode} ${text(stdout)}${reason ?? ""}`;
}

/** Runs, and has said something. */
async function saying(image: string, args: string[], mounts: MountSpec[]): Promise<Container> {
  const said = Promise.withResolvers<void>();
  const container = await engine.launch(image, { args, mounts, stdout: () => said.resolve() });
  await Promise.race([said.promise, container.wait()]);
  return container;
}

async function killed(container: Container): Promise<void> {
  await container.kill("SIGKILL");
  await container.wait();
}

test(
  "two that talk through it find what the other says it did, at once",
  async () => {
    const volume = freshVolume();
    // At different places, so that nothing is the same but the volume.
    const elsewhere = { ...volume, target: "/else/where" };
    const both = await Promise.all([
      run("shared", ["talk", "/data", "a", "b", String(ROUNDS)], [volume]),
      run("shared", ["talk", "/else/where", "b", "a", String(ROUNDS)], [elsewhere]),
    ]);
    expect(both).toEqual(["0 all is right\n", "0 all is right\n"]);
  },
  LONG ? 600_000 : 60_000,
);

test(
  "what one keeps of a file that it only looks at ends when another container changes that file",
  async () => {
    const volume = freshVolume();
    await run("disk", ["put", "/data/a-echo-0", "", "put", "/data/b-echo-0", ""], [volume]);
    const both = await Promise.all([
      run("shared", ["echo", "/data", "a", "b", String(ROUNDS)], [volume]),
      run("shared", ["echo", "/data", "b", "a", String(ROUNDS)], [volume]),
    ]);
    expect(both).toEqual(["0 all is right\n", "0 all is right\n"]);
  },
  LONG ? 600_000 : 60_000,
);

test("what three append to one file is there, each record whole and in order", async () => {
  const volume = freshVolume();
  const all = ["a", "b", "c"].map((me) => run("shared", ["append", "/data", me, String(COUNTED)], [volume]));
  expect(await Promise.all(all)).toEqual(["0 ", "0 ", "0 "]);
  expect(await run("shared", ["records", "/data"], [volume])).toBe(
    `0 a ${COUNTED}\nb ${COUNTED}\nc ${COUNTED}\n`,
  );
});

describe("locks", () => {
  test("of one container keep others away, until it is killed", async () => {
    const volume = freshVolume();
    const holder = await saying("locks", ["hold", "/data/lock"], [volume]);
    expect(await run("locks", ["try-sh", "/data/lock"], [volume])).toBe("0 EAGAIN\n");
    const waiting = Promise.withResolvers<void>();
    const waiter = await engine.launch("locks", {
      args: ["wait", "/data/lock"],
      mounts: [volume],
      stdout: (bytes) => {
        if (text(bytes).includes("waits")) waiting.resolve();
      },
    });
    await waiting.promise;
    await killed(holder);
    expect((await waiter.wait()).exitCode).toBe(0);
    expect(await run("locks", ["try-ex", "/data/lock"], [volume])).toBe("0 0\n");
  });

  test("let one at a time count, and none is lost", async () => {
    const volume = freshVolume();
    const counters = [1, 2, 3].map(() => run("locks", ["count", "/data/number", String(COUNTED)], [volume]));
    expect(await Promise.all(counters)).toEqual(["0 ", "0 ", "0 "]);
    expect(await run("locks", ["print", "/data/number"], [volume])).toBe(`0 ${3 * COUNTED}\n`);
  });
});

test("one container may only read it, while another writes", async () => {
  const volume = freshVolume();
  const writer = await saying("disk", ["put", "/data/note", "x", "spin"], [volume]);
  const readOnly = [{ ...volume, readOnly: true }];
  expect(await run("disk", ["get", "/data/note"], readOnly)).toBe("0 x\n");
  expect(await run("disk", ["put", "/data/note", "y"], readOnly)).toMatch(/^1 .*Read-only file system/);
  expect(await run("disk", ["put", "/data/note", "y"], [volume])).toBe("0 ");
  expect(await run("disk", ["get", "/data/note"], readOnly)).toBe("0 y\n");
  await killed(writer);
});

test("one volume at two places of a container is one", async () => {
  const volume = freshVolume();
  const two = [volume, { ...volume, target: "/again" }];
  expect(await run("disk", ["put", "/data/note", "x", "get", "/again/note"], two)).toBe("0 x\n");
  expect(await run("disk", ["get", "/data/note"], [volume])).toBe("0 x\n");
});

test("what the first wrote is on disk when it was killed, though another one goes on", async () => {
  const volume = freshVolume();
  const other = await saying("disk", ["put", "/data/other", "1", "spin"], [volume]);
  await killed(await saying("disk", ["put", "/data/note", "kept", "spin"], [volume]));
  expect(await run("disk", ["get", "/data/note"], [volume])).toBe("0 kept\n");
  await killed(other);
  await using later = new Engine({ root: engine.root });
  const { stdout } = await later.run("disk", { args: ["get", "/data/note"], mounts: [volume] });
  expect(text(stdout)).toBe("kept\n");
});

test("a mount in it is the container's own, and its place is free when that has ended", async () => {
  const volume = freshVolume();
  const inner = freshVolume("/data/inner");
  const outer = await saying("disk", ["put", "/data/inner/note", "inside", "spin"], [volume, inner]);
  // The other sees the directory that was made for it, with nothing in it.
  expect(await run("disk", ["get", "/data/inner/note"], [volume])).toMatch(/^1 .*No such file/);
  expect(await run("disk", ["get", "/elsewhere/note"], [{ ...inner, target: "/elsewhere" }])).toBe(
    "0 inside\n",
  );
  await killed(outer);
  expect(await run("disk", ["put", "/data/inner/note", "own"], [volume])).toBe("0 ");
  expect(await run("disk", ["get", "/data/inner/note"], [volume])).toBe("0 own\n");
});

test("one that another process has is refused in one sentence, until that process is gone", async () => {
  const volume = freshVolume();
  // Runs here first, so that the volume is there.
  expect(await run("disk", ["put", "/data/note", "before"], [volume])).toBe("0 ");
  const script = `
    const { Engine } = await import(process.argv[1]);
    const engine = new Engine({ root: process.argv[2] });
    const args = ["put", "/data/note", "of the other", "sync", "/data/note", "spin"];
    await engine.launch("disk", { args, mounts: [JSON.parse(process.argv[3])], stdout: "inherit" });`;
  const index = new URL("../../runtime/engine/index.ts", import.meta.url).href;
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", script, index, engine.root, JSON.stringify(volume)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(child.stdout, "data");
  await expect(run("disk", ["get", "/data/note"], [volume])).rejects.toMatchObject({
    code: "VOLUME_IN_USE",
    message: expect.stringMatching(
      new RegExp(
        `^volume "${volume.source}" is in use by container [0-9a-f]{12} of another wpod process \\(${child.pid}\\)$`,
      ),
    ),
  });
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await run("disk", ["get", "/data/note"], [volume])).toBe("0 of the other\n");
});
