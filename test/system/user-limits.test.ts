/** The user's configuration file: what all containers have together, between processes too, and what each has when nobody says. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../runtime/engine/index.ts";
import { guest } from "../fixtures/guests.ts";
import { Cli, WPOD } from "./cli.ts";

let cli: Cli;
let cat: string;
let exit: string;
let limitFiles: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  cli = new Cli();
  [cat, exit, limitFiles] = await Promise.all([guest("cat"), guest("exit"), guest("limitfiles")]);
}, 120_000);
afterEach(async () => {
  // What one test leaves behind reserves nothing in the next.
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null && child.kill("SIGKILL"))
      await once(child, "exit");
  }
});
afterAll(() => cli.dispose());

function configure(name: string, text: string): string {
  const path = join(cli.directory, `${name}.yaml`);
  writeFileSync(path, text);
  return path;
}

/** A `wpod run` with its standard input open. */
function start(config: string, args: readonly string[]) {
  const child = spawn(process.execPath, [WPOD, "run", "--rm", "-i", ...args], {
    cwd: cli.directory,
    env: { ...process.env, WPOD_ROOT: cli.root, WPOD_CONFIG: config },
  });
  children.push(child);
  const ended = once(child, "exit") as Promise<[number | null, string | null]>;
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const told = async (pattern: RegExp) => {
    while (!pattern.test(stderr)) await once(child.stderr, "data");
    return stderr;
  };
  const failed = ended.then(([status]) => Promise.reject(new Error(`it ended with ${status}: ${stderr}`)));
  failed.catch(() => {});
  const said = (pattern: RegExp) => Promise.race([told(pattern), failed]);
  return { child, ended, failed, said };
}

/** One that runs until its standard input ends; it runs when this answers. */
async function running(config: string, args: readonly string[]) {
  const started = start(config, [...args, cat]);
  started.child.stdin.write("ready");
  await Promise.race([once(started.child.stdout, "data"), started.failed]);
  return started;
}

describe("two runs, each a process", () => {
  const waits = () => configure("wait", "limits: {memory: 100m, cpus: 2}\n");

  test("the second waits, says why, and starts when the first has ended", async () => {
    const first = await running(waits(), ["--memory", "64m"]);
    const second = start(waits(), ["--memory", "64m", "--name", "second", exit, "7"]);
    expect(await second.said(/waits/)).toBe(
      'Warning: container "second" waits: it reserves 64MiB of memory, and 36MiB of 100MiB are left\n',
    );
    expect(second.child.exitCode).toBe(null);
    first.child.stdin.end();
    expect(await second.ended).toEqual([7, null]);
    expect(await first.ended).toEqual([0, null]);
  });

  test("the second starts when the first is killed", async () => {
    const first = await running(waits(), ["--memory", "64m"]);
    const second = start(waits(), ["--memory", "64m", exit, "7"]);
    await second.said(/waits/);
    first.child.kill("SIGKILL");
    expect(await second.ended).toEqual([7, null]);
  });

  test.skipIf(process.platform === "win32")("^C ends a wait, and nobody stands behind it then", async () => {
    const first = await running(waits(), ["--memory", "64m"]);
    const second = start(waits(), ["--memory", "90m", exit, "7"]);
    await second.said(/waits/);
    second.child.kill("SIGINT");
    expect(await second.ended).toEqual([130, null]);
    const env = { WPOD_CONFIG: waits() };
    expect(await cli.wpod(["run", "--rm", "--memory", "36m", exit, "3"], { env })).toMatchObject({
      exitCode: 3,
      stderr: "",
    });
    first.child.stdin.end();
    await first.ended;
  });

  test("one that fits beside the other doesn't wait, nor one that reserves nothing", async () => {
    const first = await running(waits(), ["--memory", "64m"]);
    const env = { WPOD_CONFIG: waits() };
    expect(await cli.wpod(["run", "--rm", "--memory", "36m", exit, "3"], { env })).toMatchObject({
      exitCode: 3,
      stderr: "",
    });
    expect(await cli.wpod(["run", "--rm", exit, "4"], { env })).toMatchObject({ exitCode: 4, stderr: "" });
    first.child.stdin.end();
    await first.ended;
  });

  test("the second is refused with the reason, where nobody is to wait", async () => {
    const config = configure("refuse", "limits:\n  cpus: 1\novercommit: refuse\n");
    const first = await running(config, ["--cpus", "0.75"]);
    const args = ["run", "--rm", "--cpus", "0.5", "--name", "second", exit, "7"];
    expect(await cli.wpod(args, { env: { WPOD_CONFIG: config } })).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining(
        'container "second" can\'t start: it reserves 0.5 CPUs, and 0.25 of 1 are left',
      ),
    });
    first.child.stdin.end();
    await first.ended;
    expect(await cli.wpod(args, { env: { WPOD_CONFIG: config } })).toMatchObject({ exitCode: 7 });
  });

  test("what could never fit is refused at once", async () => {
    const args = ["run", "--rm", "--memory", "101m", exit, "7"];
    expect(await cli.wpod(args, { env: { WPOD_CONFIG: waits() } })).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining("that is more than all that there is"),
    });
  });

  test("a container in a process of its own counts as any other", async () => {
    const config = configure("isolated", "limits: {memory: 100m}\novercommit: refuse\n");
    const first = await running(config, ["--memory", "64m", "--isolation=process"]);
    const args = ["run", "--rm", "--memory", "64m", exit, "7"];
    for (const isolation of [[], ["--isolation=process"]]) {
      const printed = await cli.wpod(["run", ...isolation, ...args.slice(1)], {
        env: { WPOD_CONFIG: config },
      });
      expect(printed).toMatchObject({
        exitCode: 125,
        stderr: expect.stringContaining("36MiB of 100MiB are left"),
      });
    }
    first.child.stdin.end();
    await first.ended;
  });
});

describe("defaults", () => {
  const config = () => configure("defaults", "defaults:\n  memory: 32m\n  cpus: 0.5\n  storage: 1m\n");
  const limit = async (args: readonly string[]) =>
    cli.must(["run", "--rm", ...args, limitFiles, "cat=/sys/fs/cgroup/memory.max"], {
      env: { WPOD_CONFIG: config() },
    });

  test("are what a container has when nobody says, and no more than that", async () => {
    expect(await limit([])).toBe(`${32 * 1024 * 1024}\n`);
    expect(await limit(["--memory", "64m"])).toBe(`${64 * 1024 * 1024}\n`);
  });

  test("are shown with the container's own", async () => {
    const env = { WPOD_CONFIG: config() };
    await cli.must(["run", "--name", "shown", "--memory", "48m", exit, "0"], { env });
    const [shown] = JSON.parse(await cli.must(["container", "inspect", "shown"]));
    expect(shown.HostConfig.Memory).toBe(48 * 1024 * 1024);
    await cli.must(["rm", "shown"]);
  });
});

describe("a file that is wrong", () => {
  test.each([
    {
      name: "unknown",
      text: "limits:\n  memroy: 1g\n",
      says: ':2: unknown key "memroy" in limits; did you mean "memory"?',
    },
    { name: "value", text: "defaults:\n  cpus: many\n", says: ':2: defaults.cpus can\'t be "many"' },
    { name: "yaml", text: "limits: {\n", says: ": it is no YAML" },
  ])("($name) is told with its line, and nothing runs", async ({ name, text, says }) => {
    const path = configure(name, text);
    const { exitCode, stdout, stderr } = await cli.wpod(["run", "--rm", exit, "0"], {
      env: { WPOD_CONFIG: path },
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
    expect(stderr).toContain(`${path}${says.startsWith(":2") ? "" : ":"}`);
    expect(stderr).toContain(says);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  });

  test("that was named, and isn't there, is told", async () => {
    const env = { WPOD_CONFIG: join(cli.directory, "none.yaml") };
    for (const isolation of [[], ["--isolation=process"]]) {
      expect(await cli.wpod(["run", "--rm", ...isolation, exit, "0"], { env })).toMatchObject({
        exitCode: 125,
        stderr: expect.stringContaining("none.yaml: no such file, and WPOD_CONFIG names it"),
      });
    }
  });
});

describe("the library", () => {
  const withConfig = async (config: string, work: (engine: Engine) => Promise<void>) => {
    const before = process.env.WPOD_CONFIG;
    process.env.WPOD_CONFIG = config;
    try {
      await using engine = new Engine({ root: join(cli.directory, "library") });
      await work(engine);
    } finally {
      if (before === undefined) delete process.env.WPOD_CONFIG;
      else process.env.WPOD_CONFIG = before;
    }
  };
  const MIB = 1024 * 1024;

  test("reserves what it is told to, not the limit, and gives it back at the end", async () => {
    await withConfig(configure("library", "limits: {memory: 100m}\novercommit: refuse\n"), async (engine) => {
      const limits = { memoryBytesMax: 90 * MIB, memoryReservationBytes: 60 * MIB };
      const stdin = new PassThrough();
      const first = await engine.launch(cat, { stdin, limits });
      await expect(engine.run(exit, { args: ["7"], limits })).rejects.toMatchObject({
        code: "RESERVATION_REFUSED",
      });
      const small = { memoryBytesMax: 90 * MIB, memoryReservationBytes: 40 * MIB };
      expect((await engine.run(exit, { args: ["7"], limits: small })).exitCode).toBe(7);
      stdin.end();
      await first.wait();
      expect((await engine.run(exit, { args: ["7"], limits })).exitCode).toBe(7);
    });
  });

  test("gives back what was reserved for a container that couldn't start", async () => {
    await withConfig(configure("library", "limits: {cpus: 1}\novercommit: refuse\n"), async (engine) => {
      const limits = { cpuReservation: 1 };
      const broken = { wasm: Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 255) };
      await expect(engine.run(broken, { limits })).rejects.toMatchObject({ code: "PROGRAM_INVALID" });
      expect((await engine.run(exit, { args: ["7"], limits })).exitCode).toBe(7);
    });
  });

  test("nobody waits in an engine that is disposed of", async () => {
    let waiting: Promise<unknown> | undefined;
    await withConfig(configure("library", "limits: {cpus: 1}\n"), async (engine) => {
      const limits = { cpuReservation: 1 };
      await engine.launch(cat, { stdin: new PassThrough(), limits });
      const told = Promise.withResolvers<void>();
      waiting = engine.launch(exit, { limits, onWarning: () => told.resolve() });
      waiting.catch(() => {});
      await told.promise;
    });
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
  });

  test.each([
    { limits: { memoryReservationBytes: -1 }, says: /that is no amount/ },
    { limits: { cpuReservation: Number.NaN }, says: /that is no amount/ },
    {
      limits: { cpus: 1, cpuReservation: 1.1 },
      says: /1.1 CPUs of CPU time are reserved, and the limit is 1/,
    },
  ])("refuses $limits", async ({ limits, says }) => {
    await withConfig(configure("library", ""), async (engine) => {
      await expect(engine.run(exit, { limits })).rejects.toThrow(says);
    });
  });
});

test("what reads YAML is loaded where there is a file, and not by what every run loads", () => {
  const text = (name: string) =>
    readFileSync(fileURLToPath(new URL(`../../dist/${name}`, import.meta.url)), "utf8");
  for (const name of ["wpod.js", "engine.mjs", "container.program.js", "kernel.program.js", "prestart.js"]) {
    expect(text(name), name).not.toContain("YAMLMap");
  }
  expect(text("wpod-config-file.js")).toContain("YAMLMap");
});
