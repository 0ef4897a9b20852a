/** `--isolation=process`: what a run is elsewhere, in a process that may touch little, and that ends with the one that started it. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { guest } from "../fixtures/guests.ts";
import { Cli, WPOD, whenEnded, whenPrinted } from "./cli.ts";

const FLAG = "--isolation=process";
const isLinux = process.platform === "linux";
let cli: Cli;
let cat: string;
let exit: string;

beforeAll(async () => {
  cli = new Cli();
  cat = await guest("cat");
  exit = await guest("exit");
  await cli.loadSamples();
}, 120_000);
afterAll(() => cli.dispose());

/** Processes of the host by the one that started them. */
function childrenOf(pid: number): number[] {
  return execFileSync("ps", ["-o", "pid=", "--ppid", `${pid}`], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map(Number);
}

describe("the same as without", () => {
  test.each([
    { name: "an image", args: ["-h", "host", "hello"] },
    { name: "a module and its arguments", args: ["EXIT", "3", "a", "b c"] },
    { name: "standard input", args: ["-i", "CAT"], stdin: "one\ntwo\n" },
    { name: "an unknown image", args: ["nothere"] },
    { name: "an unknown flag", args: ["--nothere", "hello"] },
  ])("$name", async ({ args, stdin }) => {
    const given = args.map((arg) => ({ CAT: cat, EXIT: exit })[arg] ?? arg);
    const parts = stdin === undefined ? {} : { stdin };
    const without = await cli.wpod(["run", "--rm", ...given], parts);
    const isolated = await cli.wpod(["run", FLAG, "--rm", ...given], parts);
    expect(isolated).toEqual(without);
  });

  test("the record stays, with its log", async () => {
    const ran = await cli.must(["run", FLAG, "--name", "kept", "hello"]);
    expect(await cli.must(["ps", "-a", "--filter", "name=kept", "--format", "{{.Status}}"])).toMatch(
      /^Exited \(0\)/,
    );
    expect(await cli.must(["logs", "kept"])).toBe(ran);
    await cli.must(["rm", "kept"]);
  });

  test("a cidfile, an environment of a file, an image that isn't in the store", async () => {
    const cidfile = join(cli.directory, "cid");
    writeFileSync(join(cli.directory, "env"), "FROM_FILE=yes\n");
    const layout = join(cli.directory, "hello-layout");
    const root = join(cli.directory, "other-root");
    const args = ["run", FLAG, "--cidfile", cidfile, "--env-file", "env", `oci:${layout}`];
    expect((await cli.wpod(args, { root })).exitCode).toBe(0);
    expect(readFileSync(cidfile, "utf8")).toMatch(/^[0-9a-f]{64}$/);
  });

  test("bind mounts: files are read, made, and have their modes", async () => {
    const folder = join(cli.directory, "data");
    mkdirSync(folder);
    writeFileSync(join(folder, "in"), "from the host\n");
    const run = (mode: string, ...args: string[]) =>
      cli.wpod(["run", FLAG, "--rm", "-v", `${folder}:/data${mode}`, "files", ...args]);
    expect(await run("", "cat", "/data/in")).toMatchObject({ exitCode: 0, stdout: "from the host\n" });
    expect((await run("", "write", "/data/out", "hello")).exitCode).toBe(0);
    expect(existsSync(join(folder, "out"))).toBe(true);
    expect((await run(":ro", "write", "/data/not", "hello")).exitCode).not.toBe(0);
    expect(existsSync(join(folder, "not"))).toBe(false);
  });

  test("a volume lasts", async () => {
    const run = (...args: string[]) => cli.must(["run", FLAG, "--rm", "-v", "kept:/data", "files", ...args]);
    await run("write", "/data/out", "kept");
    expect(await run("cat", "/data/out")).toContain("kept");
    expect(await cli.must(["run", "--rm", "-v", "kept:/data", "files", "cat", "/data/out"])).toContain(
      "kept",
    );
  });
});

test.each([
  { value: "default", exitCode: 0, stderr: "" },
  { value: "hyperv", exitCode: 125, stderr: "hyperv" },
  { value: "none", exitCode: 125, stderr: '"default" or "process"' },
])("--isolation=$value", async ({ value, exitCode, stderr }) => {
  const printed = await cli.wpod(["run", `--isolation=${value}`, "--rm", "hello"]);
  expect(printed.exitCode).toBe(exitCode);
  expect(printed.stderr).toContain(stderr);
});

describe.runIf(isLinux)("the child", () => {
  /** Waits for more input. */
  const start = () => {
    const parent = spawn(process.execPath, [WPOD, "run", FLAG, "--rm", "-i", cat], {
      cwd: cli.directory,
      env: { ...process.env, WPOD_ROOT: cli.root },
      stdio: ["pipe", "pipe", "pipe"],
    });
    parent.stdin.write("running\n");
    return parent;
  };
  /** The container's process, when its program runs: it says so. */
  const childOf = async (parent: ReturnType<typeof start>) => {
    await whenPrinted(parent, "running\n");
    const [child, ...others] = childrenOf(parent.pid!);
    expect(others).toEqual([]);
    return child!;
  };

  test("has the permission model on, may start nothing, and may write to its store alone", async () => {
    const parent = start();
    const child = await childOf(parent);
    const flags = readFileSync(`/proc/${child}/cmdline`, "utf8").split("\0");
    expect(flags).toContain("--permission");
    for (const refused of [
      "--allow-child-process",
      "--allow-addons",
      "--allow-wasi",
      "--allow-net",
      "--allow-ffi",
    ]) {
      expect(flags).not.toContain(refused);
    }
    // All of /proc/self would be all of the disk, by its root.
    expect(flags).not.toContain("--allow-fs-read=/proc/self");
    expect((await cli.must(["ps", "-q"])).trim().split("\n")).toHaveLength(1);
    const writable = flags.filter((flag) => flag.startsWith("--allow-fs-write="));
    expect(writable.map((flag) => flag.slice("--allow-fs-write=".length)).sort()).toEqual(
      ["/proc/self/fd", cli.root].sort(),
    );
    parent.kill("SIGKILL");
    await whenEnded(parent);
  });

  test.each([
    { signal: "SIGTERM", code: 143 },
    { signal: "SIGINT", code: 130 },
  ] as const)("gets $signal", async ({ signal, code }) => {
    const parent = start();
    const child = await childOf(parent);
    parent.kill(signal);
    expect(await whenEnded(parent)).toEqual({ code, signal: null });
    expect(existsSync(`/proc/${child}`)).toBe(false);
  });

  test("ends with the one that started it, also when that is killed", async () => {
    const parent = start();
    const child = await childOf(parent);
    parent.kill("SIGKILL");
    // Its streams are the child's too: they end when it has.
    await whenEnded(parent);
    // Somebody else's parent has to take note of its end first.
    await vi.waitFor(() => expect(isGone(child)).toBe(true), { timeout: 5_000 });
  });

  test("is killed: so ends the run", async () => {
    const parent = start();
    process.kill(await childOf(parent), "SIGKILL");
    expect(await whenEnded(parent)).toEqual({ code: 137, signal: null });
  });
});

/** A zombie has ended too. */
function isGone(pid: number): boolean {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
}
