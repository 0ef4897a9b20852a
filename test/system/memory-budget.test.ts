/** One memory budget for all that a container has: its programs, their threads, and what of its files is in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import type { Container, Placement, RunOptions } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";

const PAGE = 65_536;
const MIB = 1 << 20;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let folder: string;
const engines = new Map<Placement, Engine>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wpod-budget-"));
  const image = await guest("budget");
  for (const placement of ["worker", "kernel"] as const) {
    const engine = new Engine({ root: join(folder, placement), placement });
    engines.set(placement, engine);
    await engine.images.import(image, "budget");
  }
}, 120_000);
afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
});

/** A program that waits for a line, and what it printed until then. */
interface Waiting {
  container: Container;
  printed: () => string;
  go: () => void;
}

describe.each(["worker", "kernel"] as const)("files with the %s", (placement) => {
  const run = async (steps: string[], options: RunOptions = {}) => {
    const result = await engines
      .get(placement)!
      .run("budget", { args: steps, timeoutMs: 30_000, ...options });
    return { ...result, lines: text(result.stdout).trim().split("\n") };
  };
  const waiting = async (steps: string[], options: RunOptions): Promise<Waiting> => {
    const stdin = new PassThrough();
    const said = Promise.withResolvers<void>();
    let printed = "";
    const container = await engines.get(placement)!.launch("budget", {
      args: steps,
      stdin,
      timeoutMs: 30_000,
      stdout(bytes) {
        printed += text(bytes);
        if (printed.includes("waiting\n")) said.resolve();
      },
      ...options,
    });
    await said.promise;
    return { container, printed: () => printed, go: () => void stdin.end("go\n") };
  };
  const exec = async ({ container }: Waiting, ...steps: string[]) => {
    const { stdout, exitCode } = await container.exec(["/budget.wasm", ...steps]);
    return { exitCode, lines: text(stdout).trim().split("\n") };
  };

  test.each([16, 17, 64])("one program gets %d MiB, and not a page more", async (mib) => {
    const { lines, exitCode } = await run(["all"], { limits: { memoryBytesMax: mib * MIB } });
    expect({ lines, exitCode }).toEqual({ lines: [`${(mib * MIB) / PAGE}`], exitCode: 0 });
  });

  test("two programs have 64 MiB together, and what one had is free at its end", async () => {
    const limits = { memoryBytesMax: 64 * MIB };
    const first = await waiting(["size", "grow=600", "wait", "all"], { limits });
    const own = Number(first.printed().split("\n")[0]) + 600;
    expect(first.printed()).toMatch(/^\d+\nok\nwaiting\n$/);

    const second = await exec(first, "all");
    expect(second.lines).toEqual([`${1024 - own}`]);
    expect((await exec(first, `grow=${1024 - own}`)).lines).toEqual(["refused"]);
    // Whatever the second one had, the third finds as much again.
    expect((await exec(first, "all")).lines).toEqual(second.lines);
    first.go();
    await first.container.wait();
    expect(first.printed()).toMatch(/waiting\n1024\n$/);
  });

  test("what a tmpfs holds isn't there for memory, to the page, and is again when it is gone", async () => {
    const { lines } = await run(["size", "fill=/tmpfs/a", "grow=1", "cut=/tmpfs/a", "all", "fill=/tmpfs/b"], {
      limits: { memoryBytesMax: 32 * MIB },
      mounts: [{ type: "tmpfs", target: "/tmpfs" }],
    });
    const size = Number(lines[0]);
    expect(lines).toEqual([`${size}`, `${512 - size} ENOSPC`, "refused", "cut", "512", "0 ENOSPC"]);
  });

  test("a writable layer goes to the disk instead: it takes more than there is memory", async () => {
    const { lines } = await run(["fill=/a", "all", "fill=/b"], {
      limits: { memoryBytesMax: 8 * MIB, diskBytesMax: 40 * MIB },
    });
    expect(lines).toEqual(["640 ENOSPC", "128", "0 ENOSPC"]);
  });

  test("a pipe takes its 64 KiB: ENFILE when there are none, and they are back when both ends are closed", async () => {
    const { lines } = await run(["size", "pipes", "grow=1", "close", "grow=1", "pipes", "close", "all"], {
      limits: { memoryBytesMax: 8 * MIB },
    });
    const left = 128 - Number(lines[0]);
    const last = left - 1;
    expect(lines.slice(1)).toEqual([
      ...[`${left} ENFILE`, "refused", "closed"],
      ...["ok", `${last} ENFILE`, "closed", "128"],
    ]);
  });

  test("a tmpfs of one program isn't there for another one's memory", async () => {
    const first = await waiting(["fill=/tmpfs/a", "wait"], {
      limits: { memoryBytesMax: 16 * MIB },
      mounts: [{ type: "tmpfs", target: "/tmpfs", sizeBytesMax: 8 * MIB }],
    });
    expect(first.printed()).toBe("128 ENOSPC\nwaiting\n");
    const { lines } = await exec(first, "size", "all");
    const size = Number(lines[0]);
    expect(lines[1]).toBe(`${256 - 128 - size}`);
    first.go();
    await first.container.wait();
  });

  test("without a limit it is 4 GiB: who takes more than is left is ended at its next call", async () => {
    const first = await waiting(["grow=36000", "wait"], {});
    const { stdout, ...ended } = await first.container.exec([
      "/budget.wasm",
      "grow=20000",
      "size",
      "grow=16000",
    ]);
    expect(ended).toMatchObject({ exitCode: 137, oomKilled: true, reason: "out of memory" });
    expect(text(stdout)).toMatch(/^ok\n20\d\d\d\n$/);
    expect(await exec(first, "grow=20000")).toEqual({ exitCode: 0, lines: ["ok"] });
    first.go();
    expect((await first.container.wait()).exitCode).toBe(0);
  });

  test("a program that doesn't fit any more isn't started", async () => {
    const first = await waiting(["all", "wait"], { limits: { memoryBytesMax: 32 * MIB } });
    await expect(exec(first, "size")).rejects.toMatchObject({ code: "MEMORY_LIMIT" });
    first.go();
    expect((await first.container.wait()).exitCode).toBe(0);
  });

  test("what a program had that was killed is free", async () => {
    const first = await waiting(["wait"], { limits: { memoryBytesMax: 32 * MIB } });
    const before = await exec(first, "all");
    const abort = new AbortController();
    const killed = first.container.exec(["/budget.wasm", "all", "wait"], {
      stdin: new PassThrough(),
      signal: abort.signal,
      stdout: () => abort.abort(),
    });
    await expect(killed).rejects.toMatchObject({ code: "ABORTED" });
    expect(await exec(first, "all")).toEqual(before);
    first.go();
    await first.container.wait();
  });
});
