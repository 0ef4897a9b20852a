/** `wpod run` through the built command line: its flags, exit codes, streams and signals. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GuestName, guest } from "../fixtures/guests.ts";
import { Cli, whenEnded, whenPrinted } from "./cli.ts";

const cli = new Cli();
const guests = {} as Record<GuestName, string>;

beforeAll(async () => {
  for (const name of ["bigmem", "cat", "env", "exit", "grow", "sleep", "spin", "trap"] as const) {
    guests[name] = await guest(name);
  }
  await cli.loadSamples();
  await cli.must(["import", guests.env, "env"]);
  mkdirSync(join(cli.directory, "data"));
  writeFileSync(join(cli.directory, "data", "a.txt"), "from the host\n");
  writeFileSync(join(cli.directory, "vars"), "# comment\nFROM_FILE=1\nOWN\nNOT_SET\n");
  writeFileSync(join(cli.directory, "labels"), "x=1\n");
}, 300_000);
afterAll(() => cli.dispose());

/** What the guest `env` saw. */
async function environment(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Record<string, string>> {
  const stdout = await cli.must(["run", "--rm", ...args], { env });
  const lines = stdout.split("\0").slice(0, -1);
  return Object.fromEntries(
    lines.slice(lines.indexOf("") + 1).map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
}

const FILES: readonly { name: string; args: readonly string[]; exitCode?: number; stdout?: string | RegExp; stderr?: string | RegExp }[] = [
  { name: "CMD of the image", args: ["files"], stdout: /^\/data\n/ },
  { name: "arguments in place of CMD, found through PATH", args: ["files", "cat", "/data/welcome.txt"], stdout: /./ },
  { name: "flags after the image belong to the guest", args: ["files", "ls", "-l", "/data/welcome.txt"], stdout: /welcome\.txt/ },
  { name: "even those of wpod", args: ["hello", "--rm", "-e", "--foo"], stdout: /--rm\n.*-e\n.*--foo\n/ },
  { name: "row 3: the guest's exit code", args: ["files", "cat", "/no/such"], exitCode: 1, stderr: /no\/such/ },
  { name: "row 5: no such command", args: ["files", "/no/such/command"], exitCode: 127, stderr: /^Error:.*\/no\/such\/command.*[Nn]o such file or directory/ },
  { name: "row 6: not in PATH", args: ["files", "foo"], exitCode: 127, stderr: /^Error:.*not found in \$PATH/ },
  { name: "row 7: a directory", args: ["files", "/data"], exitCode: 126, stderr: /^Error:.*(permission denied|is a directory|is not a regular file)/ },
  { name: "row 8: no such working directory", args: ["--workdir", "/i/do/not/exist", "files", "ls"], exitCode: 126, stderr: /workdir "\/i\/do\/not\/exist" does not exist on container/ },
  { name: "row 32: a name", args: ["--name", "a/bad", "files"], exitCode: 125, stderr: /names must match \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\]\*: invalid argument/ },
  { name: "row 38: no such image", args: ["--pull=never", "absent"], exitCode: 125, stderr: /^Error: absent: image not known\n/ },
  { name: "without a policy too", args: ["absent"], exitCode: 125, stderr: /^Error: absent: image not known\n/ },
  { name: "row 50: -v and -v", args: ["-v", "./data:/vol1", "-v", "./data:/vol1", "files"], exitCode: 125, stderr: "Error: /vol1: duplicate mount destination\n" },
  { name: "row 50: -v and --tmpfs", args: ["-v", "./data:/vol1", "--tmpfs", "/vol1/", "files"], exitCode: 125, stderr: "Error: /vol1: duplicate mount destination\n" },
  { name: "row 50: --tmpfs and --tmpfs", args: ["--tmpfs", "/vol1", "--tmpfs", "/x/../vol1", "files"], exitCode: 125, stderr: "Error: /vol1: duplicate mount destination\n" },
  { name: "a bind of what isn't there", args: ["-v", "/no/such/path:/x", "files"], exitCode: 125, stderr: /^Error: statfs \/no\/such\/path: no such file or directory\n/ },
  { name: "a bind", args: ["-v", "./data:/mnt", "files", "cat", "/mnt/a.txt"], stdout: "from the host\n" },
  { name: "row 52: a bind that can't be written", args: ["-v", "./data:/mnt:ro", "files", "write", "/mnt/b", "x"], exitCode: 1, stderr: /Read-only file system/ },
  { name: "--mount can say the same", args: ["--mount", "type=bind,src=./data,dst=/mnt,readonly", "files", "write", "/mnt/b", "x"], exitCode: 1, stderr: /Read-only file system/ },
  { name: "row 53: --read-only", args: ["--read-only", "files", "write", "/data/new", "x"], exitCode: 1, stderr: /Read-only file system/ },
  { name: "--read-only leaves a tmpfs alone", args: ["--read-only", "--tmpfs", "/t", "files", "write", "/t/new", "x"] },
  { name: "the size of a tmpfs", args: ["-i", "--tmpfs", "/t:size=64k", "files", "write", "/t/new"], exitCode: 1, stderr: /[Nn]o space left on device/ },
  { name: "--entrypoint", args: ["--entrypoint", "/bin/cat", "files", "/data/welcome.txt"], stdout: /./ },
  { name: "--entrypoint as JSON", args: ["--entrypoint", '["/bin/files","cat"]', "files", "/data/welcome.txt"], stdout: /./ },
  { name: "--entrypoint clears the image's", args: ["--entrypoint", "", "hello"], exitCode: 125, stderr: /^Error: no command or entrypoint provided/ },
  { name: "--workdir", args: ["-w", "/data", "--entrypoint", "/bin/ls", "files", "/data/notes"], stdout: "ideas.txt\n" },
  { name: "a user that isn't there", args: ["-u", "nobody-knows", "files"], exitCode: 126, stderr: /^Error: unable to find user nobody-knows/ },
  { name: "--add-host and --hostname", args: ["--add-host", "db:10.0.0.1", "-h", "box", "files", "cat", "/etc/hosts"], stdout: /^10\.0\.0\.1\tdb\n127\.0\.0\.1\tbox\n/m },
  { name: "--platform that the image hasn't", args: ["--platform", "linux/amd64", "oci:files-layout"], exitCode: 125, stderr: /^Error: .*linux\/amd64/ },
  { name: "oci:DIRECTORY", args: ["oci:hello-layout", "x"], stdout: /^Hello from a container!/ },
]; // biome-ignore format: a line for each

describe("wpod run", () => {
  test.each(FILES)("$name: $args", async ({ args, exitCode = 0, stdout = "", stderr = "" }) => {
    const big = args.includes("/t:size=64k") ? { stdin: new Uint8Array(100_000) } : {};
    const printed = await cli.wpod(["run", "--rm", ...args], big);
    const matches = (wanted: string | RegExp) =>
      typeof wanted === "string" ? wanted : expect.stringMatching(wanted);
    expect(printed).toEqual({
      exitCode,
      stdout: exitCode === 0 ? matches(stdout) : expect.anything(),
      stderr: matches(stderr),
    });
  });

  test.each([0, 1, 32, 125, 255])("a guest that ends with %d", async (status) => {
    const args = ["run", "--rm", guests.exit, String(status), "text"];
    expect(await cli.wpod(args)).toEqual({ exitCode: status, stdout: "text\n", stderr: "" });
  });

  test("row 41: what a guest's environment has, and what it hasn't", async () => {
    expect(await environment(["-h", "box", "env"], { SECRET: "s" })).toEqual({
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOSTNAME: "box",
      container: "wpod",
      HOME: expect.stringMatching(/^\/./),
    });
  });

  test("-e and --env-file", async () => {
    const flags = ["-e", "A=1", "-eB=x=y", "--env=C=", "-e", "OWN", "-e", "NOT_SET", "--env-file", "vars"];
    expect(await environment([...flags, "env"], { OWN: "mine" })).toMatchObject({
      A: "1",
      B: "x=y",
      C: "",
      OWN: "mine",
      FROM_FILE: "1",
    });
    const unset = await environment([...flags, "env"], {});
    expect(Object.keys(unset)).not.toContain("NOT_SET");
  });

  test("standard input: only with -i", async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) & 0xff));
    expect((await cli.wpod(["run", "--rm", guests.cat], { stdin: "unseen" })).stdout).toBe("");
    const copied = await cli.wpod(["run", "--rm", "-i", guests.cat], { stdin: bytes.toString("base64") });
    expect(copied).toEqual({ exitCode: 0, stdout: bytes.toString("base64"), stderr: "" });
  });

  test("row 37: --cidfile holds the id, and goes with the container", async () => {
    const path = join(cli.directory, "cid");
    writeFileSync(path, "old content, longer than an id: ".repeat(10));
    await cli.must(["run", "--cidfile", "cid", "--name", "with-cidfile", "hello"]);
    const id = readFileSync(path, "utf8");
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(
      (
        await cli.must(["inspect", "--format", "{{.Id}} {{.HostConfig.ContainerIDFile}}", "with-cidfile"])
      ).trim(),
    ).toBe(`${id} ${path}`);
    expect((await cli.must(["rm", "--cidfile", "cid"])).trim()).toBe(id);
    expect(existsSync(path)).toBe(false);

    await cli.must(["run", "--rm", "--cidfile", "cid", "hello"]);
    expect(existsSync(path)).toBe(false);
    // A container that can't be made leaves nothing behind.
    expect(
      (await cli.wpod(["run", "--cidfile", "cid", "hello"].with(3, "files").concat("/no/such"))).exitCode,
    ).toBe(127);
    expect(existsSync(path)).toBe(false);
    expect((await cli.wpod(["run", "--rm", "--cidfile", "no/such/dir", "hello"])).exitCode).toBe(125);
    expect(await cli.must(["ps", "-aq"])).toBe("");
  });

  test("-a: only the streams that are named", async () => {
    const guest = ["--entrypoint", "/bin/cat", "files", "/data/welcome.txt", "/no/such"];
    const all = await cli.wpod(["run", "--rm", ...guest]);
    expect([all.stdout, all.stderr].map((text) => text.length > 0)).toEqual([true, true]);
    expect(await cli.wpod(["run", "--rm", "-a", "stdout", ...guest])).toEqual({ ...all, stderr: "" });
    expect(await cli.wpod(["run", "--rm", "-a", "STDERR", ...guest])).toEqual({ ...all, stdout: "" });
  });

  test("--rmi removes the image, unless it is used", async () => {
    await cli.must(["import", guests.exit, "short-lived"]);
    await cli.must(["run", "--name", "user", "short-lived", "0"]);
    await cli.must(["run", "--rmi", "short-lived", "0"]);
    expect(await cli.must(["images", "-q", "short-lived"])).not.toBe("");
    await cli.must(["rm", "user"]);
    expect((await cli.wpod(["run", "--rmi", "short-lived", "3"])).exitCode).toBe(3);
    expect(await cli.must(["images", "-q", "short-lived"])).toBe("");
  });

  test("--log-driver none: there is no log", async () => {
    await cli.must(["run", "--name", "silent", "--log-driver", "none", "hello"]);
    expect(await cli.wpod(["logs", "silent"])).toMatchObject({
      exitCode: 125,
      stdout: "",
      stderr: expect.stringMatching(/^Error: /),
    });
    await cli.must(["rm", "silent"]);
  });

  test("row 31: a name of two words, when none is given", async () => {
    await cli.must(["run", guests.exit, "0"]);
    const name = (await cli.must(["ps", "-a", "--format", "{{.Names}}"])).trim();
    expect(name).toMatch(/^[a-z]+_[a-z]+$/);
    await cli.must(["rm", name]);
  });

  test("--timeout kills: 137", async () => {
    expect(await cli.wpod(["run", "--rm", "--timeout", "1", guests.spin])).toEqual({
      exitCode: 137,
      stdout: "",
      stderr: "",
    });
  });

  test("--memory: a guest that dies of it ends with 137, and inspect knows", async () => {
    const printed = await cli.wpod(["run", "--name", "hungry", "--memory", "16m", guests.grow, "64"]);
    expect(printed).toMatchObject({
      exitCode: 137,
      stderr: expect.stringMatching(/the program trapped.*\nError: the program ended: out of memory/),
    });
    expect(
      (
        await cli.must([
          "inspect",
          "--format",
          "{{.State.OOMKilled}} {{.State.ExitCode}} {{.HostConfig.Memory}} {{.State.Error}}",
          "hungry",
        ])
      ).trim(),
    ).toBe("true 137 16777216 out of memory (trap: unreachable)");
    await cli.must(["rm", "hungry"]);
    const refused = await cli.wpod(["run", "--rm", "-m", "16m", guests.bigmem]);
    expect(refused.exitCode).toBe(125);
    expect(refused.stderr).toMatch(/67108864.*16777216/s);
  });

  test("a guest that traps says so", async () => {
    const printed = await cli.wpod(["run", "--rm", guests.trap, "unreachable"]);
    expect(printed).toMatchObject({
      exitCode: 134,
      stderr: expect.stringMatching(/^wpod: the program trapped: unreachable\n$/),
    });
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGQUIT", 131],
  ] as const)("row 62: %s reaches the guest: %d", async (signal, exitCode) => {
    const child = cli.start(["run", "--rm", guests.spin, "ready"]);
    await whenPrinted(child, "ready");
    child.kill(signal);
    expect(await whenEnded(child)).toEqual({ code: exitCode, signal: null });
  });

  test("row 18: rm -f from elsewhere ends it: 137", async () => {
    const child = cli.start(["run", "--name", "victim", guests.spin, "ready"]);
    await whenPrinted(child, "ready");
    expect(await cli.must(["ps", "--format", "{{.Names}} {{.State}}"])).toBe("victim running\n");
    const refused = await cli.wpod(["rm", "victim"]);
    expect(refused).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(
        /^Error: cannot remove container [0-9a-f]{64} as it is running - running or paused containers cannot be removed without force: container state improper\n/,
      ),
    });
    const ended = whenEnded(child);
    expect(await cli.must(["rm", "-f", "victim"])).toBe("victim\n");
    expect(await ended).toEqual({ code: 137, signal: null });
    expect(await cli.must(["ps", "-aq"])).toBe("");
  });
});
