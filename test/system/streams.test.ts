/** The standard streams of `wpod run`: whatever they are, nothing hangs, and they are left as they were. */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChildResult, runChild } from "../fixtures/child.ts";
import { type GuestName, guest } from "../fixtures/guests.ts";
import { need } from "../fixtures/tools.ts";
import { Cli, WPOD } from "./cli.ts";

const MIB = 1 << 20;
const SIZE_BYTES = process.env.WPOD_TEST_LONG === "1" ? 1024 * MIB : 24 * MIB;

const cli = new Cli();
const guests = {} as Record<GuestName, string>;
let sentDigest: string;

beforeAll(async () => {
  for (const name of ["cat", "exit", "spin"] as const) guests[name] = await guest(name);
  const bytes = Buffer.alloc(SIZE_BYTES, randomBytes(MIB - 1));
  writeFileSync(join(cli.directory, "input"), bytes);
  sentDigest = digest(bytes);
}, 120_000);
afterAll(() => cli.dispose());

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** In a shell, where `wpod` is the command line, `$CAT` and the like its guests. */
function shell(script: string): Promise<ChildResult> {
  const wpod = `wpod() { "$NODE" "$WPOD" "$@"; }`;
  return runChild("bash", ["-c", `${wpod}\n${script}`], {
    cwd: cli.directory,
    env: {
      NODE: process.execPath,
      WPOD,
      WPOD_ROOT: cli.root,
      CAT: guests.cat,
      EXIT: guests.exit,
      SPIN: guests.spin,
    },
  });
}

describe.skipIf(process.platform === "win32")("in a shell", () => {
  test.each([
    { name: "a file to a file", script: "wpod run --rm -i $CAT < input > output; cat output" },
    { name: "a file to a pipe", script: "wpod run --rm -i $CAT < input | cat" },
    { name: "a pipe to a pipe", script: "cat input | wpod run --rm -i $CAT | cat" },
    { name: "a pipe to a socket", script: "cat input | wpod run --rm -i $CAT" },
    { name: "a pipe to a pipe, with a log", script: "cat input | wpod run -i $CAT | cat" },
  ])("$name keeps every byte", { timeout: 120_000 }, async ({ script }) => {
    const { stdout, stderr } = await shell(script);
    expect({ length: stdout.length, stderr: stderr.toString() }).toEqual({ length: SIZE_BYTES, stderr: "" });
    expect(digest(stdout)).toBe(sentDigest);
  });

  test.each([
    { name: "nothing", script: "wpod run --rm -i $CAT < /dev/null; echo $?", stdout: "0\n" },
    { name: "a closed input", script: "wpod run --rm -i $CAT <&-; echo $?", stdout: "0\n" },
    { name: "a closed output", script: "(wpod run --rm $EXIT 3 text >&-); echo $?", stdout: /^[0-9]+\n$/ },
    { name: "all closed", script: "(wpod run --rm -i $EXIT 3 <&- >&- 2>&-); echo $?", stdout: "3\n" },
    { name: "a directory as input", script: "wpod run --rm -i $CAT < .; echo $?", stdout: "0\n" },
    { name: "an endless device", script: "wpod run --rm -i $CAT < /dev/zero | head -c 3 | wc -c", stdout: /^\s*3\n$/ },
    { name: "a full disk", script: "echo x | wpod run --rm -i $CAT > /dev/full; echo $?", stdout: "1\n" },
    {
      name: "a reader that closes early",
      script: "yes | (wpod run --rm -i $CAT; echo $? >&2) 2> status | head -1; cat status",
      stdout: "y\n1\n",
    },
    {
      name: "a reader that was never there",
      script: "exec 3>&1; { sleep 0.2; wpod run --rm $EXIT 3 text; echo $? >&3; } | true",
      stdout: "3\n",
    },
    {
      name: "an input that never ends, of a guest that doesn't read it",
      script: "mkfifo fifo; exec 3<> fifo; wpod run --rm -i $EXIT 3 <&3; echo $?",
      stdout: "3\n",
    },
  ])("$name: $script", async ({ script, stdout }) => {
    const printed = await shell(script);
    expect(printed.stderr.toString()).toBe("");
    if (typeof stdout === "string") expect(printed.stdout.toString()).toBe(stdout);
    else expect(printed.stdout.toString()).toMatch(stdout);
  }); // biome-ignore format: a case each

  test("none of them leaves a container behind", async () => {
    await shell("wpod rm --all");
    expect(await cli.must(["ps", "--all", "--quiet"])).toBe("");
  });
});

test("SIGTERM ends a guest whose output nobody reads", async () => {
  const child = spawn(process.execPath, [WPOD, "run", "--rm", "-i", guests.cat], {
    env: { ...process.env, WPOD_ROOT: cli.root },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.on("error", () => {});
  // Full on both sides: the guest waits to write, and nobody reads but for the first look.
  while (child.stdin.write(Buffer.alloc(MIB))) await new Promise(setImmediate);
  await once(child.stdout, "readable");
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exited).toEqual([143, null]);
  child.stdout.destroy();
});

test("a terminal is read line by line, and left as it was", async ({ skip }) => {
  const python = need(skip, "python3");
  const script = `
import fcntl, os, pty, signal, subprocess, sys
signal.alarm(20) # it may never answer
ours, its = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stdin=its, stdout=its, stderr=its, start_new_session=True)
os.write(ours, b"line\\n")
seen = b""
while seen.count(b"line\\r\\n") < 2: seen += os.read(ours, 100)
os.write(ours, b"\\x04")
code = child.wait()
flags = fcntl.fcntl(its, fcntl.F_GETFL)
print(code, bool(flags & os.O_NONBLOCK))
`;
  const { stdout, stderr } = await runChild(
    python,
    ["-c", script, process.execPath, WPOD, "run", "--rm", "-i", guests.cat],
    { env: { WPOD_ROOT: cli.root } },
  );
  expect({ stdout: stdout.toString(), stderr: stderr.toString() }).toEqual({
    stdout: "0 False\n",
    stderr: "",
  });
});
