/** One memory budget for all that a container has: its programs, their threads, and what of its files is in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAILBOX_BYTES } from "../../runtime/core/ipc/mailbox.ts";
import { OPEN_FILE_BYTES } from "../../runtime/core/quota/open-file-ledger.ts";
import { Engine } from "../../runtime/engine/index.ts";
import type { Container, Placement, RunOptions } from "../../runtime/engine/types.ts";
import { guest } from "../fixtures/guests.ts";

const PAGE = 65_536;
const MIB = 1 << 20;
/** What wpod itself takes of the budget. */
const kibOf = (bytes: number) => Math.ceil(bytes / 1024) * 1024;
const MAILBOX = kibOf(MAILBOX_BYTES);
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
  /** Of the first program, as long as it is alone. */
  const own = placement === "kernel" ? MAILBOX : 0;
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
    const { lines, exitCode } = await run(["all"], { limits: { memoryBytesMax: mib * MIB + own } });
    expect({ lines, exitCode }).toEqual({ lines: [`${(mib * MIB) / PAGE}`], exitCode: 0 });
  });

  test("two programs have 64 MiB together, and what one had is free at its end", async () => {
    // Now both have a way to the kernel.
    const limits = { memoryBytesMax: 64 * MIB + 2 * MAILBOX };
    const first = await waiting(["size", "grow=600", "wait", "all"], { limits });
    const had = Number(first.printed().split("\n")[0]) + 600;
    expect(first.printed()).toMatch(/^\d+\nok\nwaiting\n$/);

    const second = await exec(first, "all");
    expect(second.lines).toEqual([`${1024 - had}`]);
    expect((await exec(first, `grow=${1024 - had}`)).lines).toEqual(["refused"]);
    // Whatever the second one had, the third finds as much again.
    expect((await exec(first, "all")).lines).toEqual(second.lines);
    first.go();
    await first.container.wait();
    const whole = 1024 + Math.floor(MAILBOX / PAGE);
    expect(first.printed().endsWith(`waiting\n${whole}\n`)).toBe(true);
  });

  test("what a tmpfs holds isn't there for memory, to the page, and is again when it is gone", async () => {
    const { lines } = await run(["size", "fill=/tmpfs/a", "grow=1", "cut=/tmpfs/a", "all", "fill=/tmpfs/b"], {
      limits: { memoryBytesMax: 32 * MIB + own + OPEN_FILE_BYTES },
      mounts: [{ type: "tmpfs", target: "/tmpfs" }],
    });
    const size = Number(lines[0]);
    expect(lines).toEqual([`${size}`, `${512 - size} ENOSPC`, "refused", "cut", "512", "0 ENOSPC"]);
  });

  test("a writable layer goes to the disk instead: it takes more than there is memory", async () => {
    const { lines } = await run(["fill=/a", "all", "fill=/b"], {
      limits: { memoryBytesMax: 8 * MIB + own + OPEN_FILE_BYTES, diskBytesMax: 40 * MIB },
    });
    expect(lines).toEqual(["640 ENOSPC", "128", "0 ENOSPC"]);
  });

  test("a pipe takes its 64 KiB: ENFILE when there are none, and they are back when both ends are closed", async () => {
    const { lines: sizes } = await run(["size"]);
    const left = 128 - Number(sizes[0]);
    const ends = left * 2 * OPEN_FILE_BYTES;
    const { lines } = await run(["size", "pipes", "grow=1", "close", "grow=1", "pipes", "close", "all"], {
      limits: { memoryBytesMax: 8 * MIB + own + ends },
    });
    expect(lines).toEqual([
      ...[...sizes, `${left} ENFILE`, "refused", "closed"],
      ...["ok", `${left - 1} ENFILE`, "closed", `${128 + Math.floor(ends / PAGE)}`],
    ]);
  });

  test("an open file takes its share: ENOMEM when there is none, and it is back when it is closed", async () => {
    const { lines } = await run(["all", "open=/budget.wasm", "shut=3", "open=/budget.wasm"], {
      limits: { memoryBytesMax: 8 * MIB + own + 10 * OPEN_FILE_BYTES },
    });
    expect(lines).toEqual(["128", "10 ENOMEM", "shut", "3 ENOMEM"]);
  });

  test("a tmpfs of one program isn't there for another one's memory", async () => {
    const first = await waiting(["fill=/tmpfs/a", "wait"], {
      limits: { memoryBytesMax: 16 * MIB + 2 * MAILBOX + OPEN_FILE_BYTES },
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

  test("nor one that has no way to the kernel; what runs goes on", async () => {
    // All that there is, but for what a program has to begin with.
    const first = await waiting(["size", "all", "wait", "all"], {
      limits: { memoryBytesMax: 32 * MIB + 2 * own + MAILBOX / 2 },
    });
    await expect(exec(first, "size")).rejects.toMatchObject({ code: "MEMORY_LIMIT" });
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
