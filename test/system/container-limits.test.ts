/** Each limit of a container's files, at its edge: the last that is allowed, the first that isn't, and what is free again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ARGUMENT_BYTES_MAX, ARGUMENTS_BYTES_MAX } from "../../runtime/core/kernel/argument-space.ts";
import { Engine } from "../../runtime/engine/index.ts";
import { DESCRIPTORS_MAX, OPEN_FILES_MAX } from "../../runtime/engine/limits.ts";
import type { Placement, RunOptions } from "../../runtime/engine/types.ts";
import { PATH_BYTES_MAX } from "../../shim/limits.ts";
import { guest } from "../fixtures/guests.ts";

/** Standard streams, and the root. */
const FOUND_OPEN = 4;
const NAME_BYTES_MAX = 255;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let folder: string;
const engines = new Map<Placement, Engine>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wpod-limits-"));
  const image = await guest("limits");
  for (const placement of ["worker", "kernel"] as const) {
    const engine = new Engine({ root: join(folder, placement), placement });
    engines.set(placement, engine);
    await engine.images.import(image, "limits");
  }
}, 120_000);
afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
});

describe.each(["worker", "kernel"] as const)("files with the %s", (placement) => {
  const mounts: RunOptions["mounts"] = [{ type: "tmpfs", target: "/data" }];
  const run = async (args: string[], options: RunOptions = {}) => {
    const { stdout } = await engines
      .get(placement)!
      .run("limits", { args, timeoutMs: 60_000, mounts, ...options });
    return text(stdout).trim().split("\n");
  };

  test("a program has so many descriptors: EMFILE", async () => {
    const most = DESCRIPTORS_MAX - FOUND_OPEN;
    const lines = await run(["open=/limits.wasm", "close=7", "open=/limits.wasm"]);
    expect(lines).toEqual([`${most} EMFILE`, "closed", "7 EMFILE"]);
  });

  test("all programs of a container have so many together: ENFILE", async () => {
    const each = DESCRIPTORS_MAX - FOUND_OPEN;
    const others = Math.floor(OPEN_FILES_MAX / each);
    const stdins = Array.from({ length: others }, () => new PassThrough());
    const container = await engines.get(placement)!.launch("limits", {
      args: ["open=/limits.wasm", "wait"],
      stdin: stdins[0]!,
      timeoutMs: 60_000,
    });
    const open = (steps: string[], stdin?: PassThrough) => {
      const opened = Promise.withResolvers<void>();
      const ended = container.exec(["/limits.wasm", ...steps], {
        ...(stdin === undefined ? {} : { stdin }),
        stdout(bytes) {
          if (text(bytes).includes("waiting")) opened.resolve();
        },
      });
      return { opened: opened.promise, ended };
    };
    const running = stdins.slice(1).map((stdin) => open(["open=/limits.wasm", "wait"], stdin));
    await Promise.all(running.map(({ opened }) => opened));
    const left = OPEN_FILES_MAX - others * each;
    const steps = ["/limits.wasm", "open=/limits.wasm", "close=2", "open=/limits.wasm"];
    const last = await container.exec(steps);
    expect(text(last.stdout).trim().split("\n")).toEqual([`${left} ENFILE`, "closed", "2 ENFILE"]);
    // It has ended, and what it had is there again; so has another one.
    stdins[1]!.end("go\n");
    await running[0]!.ended;
    const next = await container.exec(["/limits.wasm", "open=/limits.wasm"]);
    expect(text(next.stdout)).toBe(`${Math.min(each, left + each)} EMFILE\n`);
    for (const stdin of stdins) stdin.end("go\n");
    await Promise.all(running.map(({ ended }) => ended));
    await container.wait();
  }, 120_000);

  test("a writable layer has so many inodes: ENOSPC", async () => {
    const limits = { inodesMax: 100 };
    const [made, ...others] = await run(["make=/", "remove=5", "make=/"], { limits });
    const count = Number.parseInt(made!, 10);
    expect(made).toBe(`${count} ENOSPC`);
    expect(others).toEqual(["removed", "5 ENOSPC"]);
    // The root, the program, and what else the image and the runtime have put there.
    expect(count).toBeGreaterThan(85);
    expect(count).toBeLessThan(100);
    const [one] = await run(["make=/"], { limits: { inodesMax: 101 } });
    expect(one).toBe(`${count + 1} ENOSPC`);
  });

  test.each([4096 * 100, 4096 * 100 + 1, 4096 * 100 - 1])("and %d bytes: ENOSPC", async (diskBytesMax) => {
    expect(await run(["write=/a"], { limits: { diskBytesMax } })).toEqual([`${diskBytesMax} ENOSPC`]);
  });

  test.each([65_536, 65_537])("a tmpfs has %d bytes: ENOSPC", async (sizeBytesMax) => {
    const own: RunOptions["mounts"] = [{ type: "tmpfs", target: "/data", sizeBytesMax }];
    expect(await run(["write=/data/a"], { mounts: own })).toEqual([`${sizeBytesMax} ENOSPC`]);
  });

  test("names and paths are as long as Linux has them: ENAMETOOLONG", async () => {
    expect(await run([`name=${NAME_BYTES_MAX}`, `name=${NAME_BYTES_MAX + 1}`])).toEqual([
      "ok",
      "ENAMETOOLONG",
    ]);
    // With the NUL that preview 1 doesn't pass.
    expect(await run([`path=${PATH_BYTES_MAX - 1}`, `path=${PATH_BYTES_MAX}`])).toEqual([
      "ok",
      "ENAMETOOLONG",
    ]);
    expect(await run([`target=${PATH_BYTES_MAX - 1}`, `target=${PATH_BYTES_MAX}`])).toEqual([
      "ok",
      "ENAMETOOLONG",
    ]);
  });

  test("arguments are as long as Linux has them", async () => {
    const longest = "x".repeat(ARGUMENT_BYTES_MAX - 1);
    const given = ["args", longest];
    const bytes = ["/limits.wasm", ...given].reduce((sum, arg) => sum + arg.length + 1, 0);
    expect(await run(given)).toEqual([`3 ${bytes}`]);
    await expect(run(["args", `${longest}x`])).rejects.toMatchObject({ code: "ARGUMENTS_TOO_LONG" });
    const many = Array.from({ length: Math.ceil(ARGUMENTS_BYTES_MAX / ARGUMENT_BYTES_MAX) }, () => longest);
    await expect(run(["args", ...many])).rejects.toMatchObject({ code: "ARGUMENTS_TOO_LONG" });
  });
});
