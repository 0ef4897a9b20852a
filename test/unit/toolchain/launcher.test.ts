import { spawn, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runChild } from "../../fixtures/child.ts";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

/** What the command line would be: tells who runs it, and does what it is told. */
const PROGRAM = `
  const kind = process.argv[2];
  console.log(process.version);
  if (kind === "die") process.kill(process.pid, "SIGKILL");
  if (kind === "copy") {
    process.stdin.pipe(process.stdout);
    process.exitCode = 42;
  }
  if (kind === "wait") {
    process.on("SIGTERM", () => { console.log("told"); process.exit(3); });
    setInterval(() => {}, 1000);
    console.log("ready");
  }
`;

let clone: string;
let alone: string;
const env = { WPOD_CODE_CACHE: "off" };

/** The launcher and a program, with the repository's packages beside them and without. */
beforeAll(async () => {
  const make = async () => {
    const directory = await mkdtemp(join(tmpdir(), "wpod-launcher-"));
    await mkdir(join(directory, "dist/bin"), { recursive: true });
    await cp(join(REPOSITORY, "test/toolchain/launcher.cjs"), join(directory, "dist/bin/wpod.js"));
    await writeFile(join(directory, "dist/wpod.js"), PROGRAM);
    await writeFile(join(directory, "dist/package.json"), '{"type":"commonjs"}');
    await writeFile(join(directory, "dist/prestart.js"), "");
    await cp(join(REPOSITORY, "test/toolchain/code-cache.cjs"), join(directory, "dist/code-cache.js"));
    return directory;
  };
  clone = await make();
  await symlink(join(REPOSITORY, "node_modules"), join(clone, "node_modules"), "junction");
  alone = await make();
});

afterAll(async () => {
  for (const directory of [clone, alone]) await rm(directory, { recursive: true, force: true });
});

/** A Node.js of this machine that is too old for wpod. */
const oldNode = (process.env.PATH ?? "")
  .split(delimiter)
  .map((directory) => join(directory, process.platform === "win32" ? "node.exe" : "node"))
  .find((program) => {
    const version = spawnSync(program, ["--version"], { encoding: "utf8" }).stdout ?? "";
    return /^v\d+/.test(version) && Number.parseInt(version.slice(1), 10) < 24;
  });

const callers = ["new enough", "too old"] as const;

/** The end of this test where the machine has no such Node.js. */
function nodeOf(caller: (typeof callers)[number], skip: (note: string) => never): string {
  if (caller === "new enough") return process.execPath;
  return oldNode ?? skip("needs a Node.js older than 24 on PATH");
}

describe.each(callers)("under a Node.js that is %s", (caller) => {
  const launcher = () => join(clone, "dist/bin/wpod.js");

  test("the program runs under this repository's, with the caller's streams and its own exit code", async ({
    skip,
  }) => {
    const result = await runChild(nodeOf(caller, skip), [launcher(), "copy"], { stdin: "through", env });
    expect({ ...result, stdout: `${result.stdout}`, stderr: `${result.stderr}` }).toEqual({
      exitCode: 42,
      stdout: `${process.version}\nthrough`,
      stderr: "",
    });
  });

  test("a signal reaches the program", async ({ skip }) => {
    const child = spawn(nodeOf(caller, skip), [launcher(), "wait"], { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    const ended = new Promise((resolve) => child.on("close", (...how) => resolve(how)));
    for await (const chunk of child.stdout) {
      printed += chunk;
      if (printed.endsWith("ready\n")) child.kill("SIGTERM");
    }
    expect(await ended).toEqual([3, null]);
    expect(printed).toBe(`${process.version}\nready\ntold\n`);
  });

  test("a program that a signal ended looks the same from outside", async ({ skip }) => {
    const child = spawn(nodeOf(caller, skip), [launcher(), "die"], {
      stdio: "ignore",
      env: { ...process.env, ...env },
    });
    const how = await new Promise((resolve) => child.on("close", (...values) => resolve(values)));
    expect(how).toEqual([null, "SIGKILL"]);
  });
});

test("an old Node.js with no other beside it: one sentence, exit 125", async ({ skip }) => {
  const result = await runChild(nodeOf("too old", skip), [join(alone, "dist/bin/wpod.js"), "copy"]);
  expect(result.exitCode).toBe(125);
  expect(`${result.stdout}`).toBe("");
  expect(`${result.stderr}`).toMatch(
    /^Error: wpod needs Node\.js 24 or newer; this is v\d+\.\d+\.\d+ \(.+\)\n$/,
  );
});
