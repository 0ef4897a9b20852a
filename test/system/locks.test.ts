/** Advisory locks between programs of one container, and pipes of one. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import type { Container, ExecOptions, ExecResult, MountSpec } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const COUNTED = process.env.WPOD_TEST_LONG === "1" ? 5000 : 300;

let folder: string;
const engines: Engine[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wpod-locks-"));
  mkdirSync(join(folder, "host"));
  for (const placement of ["worker", "kernel"] as const) {
    const engine = new Engine({ root: join(folder, placement), placement });
    engines.push(engine);
    await engine.images.import(await guest("locks"), "locks");
  }
}, 120_000);
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
});

const TREES = [
  { where: "the writable layer", path: "/lock", mounts: [] },
  { where: "a bind mount", path: "/host/lock", mounts: ["bind"] },
  { where: "a tmpfs", path: "/tmpfs/lock", mounts: ["tmpfs"] },
];

interface Running {
  container: Container;
  /** Another program, and what it printed. */
  run(...args: string[]): Promise<{ status: number; printed: string }>;
  /** One that goes on when it has said something. */
  said(
    args: string[],
    word: string,
    options?: ExecOptions,
  ): { said: Promise<void>; end: Promise<ExecResult> };
  printed(): string;
}

/** Its first program runs, and has said something. */
async function start(engine: Engine, args: string[], mounts: MountSpec[] = []): Promise<Running> {
  const ready = Promise.withResolvers<void>();
  let printed = "";
  const container = await engine.launch("locks", {
    args,
    mounts,
    timeoutMs: 60_000,
    stdout: (bytes) => {
      printed += text(bytes);
      ready.resolve();
    },
  });
  void container.wait().then(() => ready.resolve());
  await ready.promise;
  const { path } = container.inspect();
  return {
    container,
    printed: () => printed,
    said: (args, word, options = {}) => {
      const heard = Promise.withResolvers<void>();
      const stdout = (bytes: Uint8Array) => {
        if (text(bytes).includes(word)) heard.resolve();
      };
      return { said: heard.promise, end: container.exec([path, ...args], { ...options, stdout }) };
    },
    run: async (...more) => {
      const { exitCode, stdout, stderr } = await container.exec([path, ...more]);
      return { status: exitCode, printed: text(stdout) + text(stderr) };
    },
  };
}

describe.each([
  { placement: "worker", index: 0 },
  { placement: "kernel", index: 1 },
])("files in a $placement", ({ index, placement }) => {
  // Each tree has a table of its own, in either placement: one of them with all trees is enough.
  test.each(TREES.filter(({ mounts }) => placement === "worker" || mounts.length === 0))(
    "$where: one keeps the others away, until it gives the lock back",
    async ({ path, mounts }) => {
      const { container, run, printed } = await start(
        engines[index]!,
        ["hold", path],
        mountsOf(mounts, placement),
      );
      // The lock moves to the kernel with the first of these.
      expect(await run("try-sh", path)).toEqual({ status: 0, printed: "EAGAIN\n" });
      const waiters = [run("wait", path), run("wait", path)];
      // They wait, and stop nobody.
      expect(await run("print", "/etc/hostname")).toMatchObject({ status: 0 });
      expect(await run("try-ex", path)).toEqual({ status: 0, printed: "EAGAIN\n" });
      await run("touch", "/release");
      expect(await Promise.all(waiters)).toEqual(
        waiters.map(() => ({ status: 0, printed: "waits\ngot it\n" })),
      );
      expect(await run("try-ex", path)).toEqual({ status: 0, printed: "0\n" });
      await run("touch", "/stop");
      expect((await container.wait()).exitCode).toBe(0);
      expect(printed()).toBe("locked\ngiven back\n");
    },
  );

  test("who is killed, and who ends with it, has given it back", async () => {
    const { container, run, said } = await start(engines[index]!, ["hold", "/other"]);
    const abort = new AbortController();
    const killed = said(["hold", "/lock"], "locked", { signal: abort.signal });
    await killed.said;
    const waiter = run("wait", "/lock");
    abort.abort();
    await expect(killed.end).rejects.toMatchObject({ code: "ABORTED" });
    expect(await waiter).toEqual({ status: 0, printed: "waits\ngot it\n" });

    const dying = said(["die", "/lock"], "locked");
    await dying.said;
    const second = run("wait", "/lock");
    await run("touch", "/release");
    expect((await dying.end).exitCode).toBe(0);
    expect(await second).toEqual({ status: 0, printed: "waits\ngot it\n" });
    await container.kill("SIGKILL");
    await container.wait();
  });

  test("who waits may be killed", async () => {
    const { container, run, said } = await start(engines[index]!, ["hold", "/lock"]);
    const abort = new AbortController();
    const waiting = said(["wait", "/lock"], "waits", { signal: abort.signal });
    await waiting.said;
    expect(await run("try-ex", "/lock")).toEqual({ status: 0, printed: "EAGAIN\n" });
    abort.abort();
    await expect(waiting.end).rejects.toMatchObject({ code: "ABORTED" });
    await run("touch", "/release");
    expect(await run("wait", "/lock")).toEqual({ status: 0, printed: "waits\ngot it\n" });
    await run("touch", "/stop");
    expect((await container.wait()).exitCode).toBe(0);
  });

  test("one at a time counts, and none is lost", async () => {
    const { container, run } = await start(engines[index]!, ["hold", "/other"]);
    const counters = [1, 2, 3].map(() => run("count", "/number", String(COUNTED)));
    for (const { status } of await Promise.all(counters)) expect(status).toBe(0);
    expect((await run("print", "/number")).printed).toBe(`${3 * COUNTED}\n`);
    await container.kill("SIGKILL");
    await container.wait();
  });

  test("two descriptors of one program are two, and it never waits for itself", async () => {
    const { container, printed } = await start(engines[index]!, ["self", "/lock"]);
    expect((await container.wait()).exitCode).toBe(0);
    expect(printed().split("\n")).toEqual([
      "shared 0",
      "shared too 0",
      "exclusive, now EAGAIN",
      "exclusive EDEADLK",
      "exclusive, alone 0",
      "both EINVAL",
      "nothing EINVAL",
      "closed EBADF",
      "device EINVAL",
      "",
    ]);
  });

  test("a pipe of a program's own, which moves with its files", async () => {
    const { container, run, printed } = await start(engines[index]!, ["pipe"]);
    await run("touch", "/release");
    expect((await container.wait()).exitCode).toBe(0);
    expect(printed().split("\n")).toEqual([
      "ready",
      "empty: 1 of 2, 0 2",
      "written 5",
      "written: 1 of 1, 1",
      "read 5 hello",
      "end 0",
      "nobody reads -1 EPIPE",
      "",
    ]);
  });
});

function mountsOf(kinds: readonly string[], placement: string): MountSpec[] {
  return kinds.map((kind) => {
    if (kind === "tmpfs") return { type: "tmpfs", target: "/tmpfs" };
    const source = join(folder, "host", placement);
    mkdirSync(source, { recursive: true });
    return { type: "bind", source, target: "/host" };
  });
}
