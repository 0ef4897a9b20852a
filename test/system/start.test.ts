/** `npm start`, as a newcomer sees it: it works, and so does everything that it says to try next. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { mustRun, runChild } from "../fixtures/child.ts";

const clone = fileURLToPath(new URL("../..", import.meta.url));

test("runs a container, leaves the work tree as it is, and tells commands that work", {
  timeout: 120_000,
}, async () => {
  const root = await mkdtemp(join(tmpdir(), "wpod-start-"));
  const env = { WPOD_ROOT: join(root, "store") };
  const changes = async () =>
    (await mustRun("git", ["status", "--porcelain", "samples", "dist"], { cwd: clone })).stdout;
  try {
    const before = await changes();
    const printed = await start(join(root, "printed"), env);
    expect(printed).toContain("Hello from a container!\n");
    expect(printed).toContain("  0  /bin/hello\n  1  one\n  2  two words\n");
    expect(await changes()).toEqual(before);

    const commands = printed
      .split("\n")
      .flatMap((line) => /^ {2}node (.*?)( {2,}\(is refused\))?$/.exec(line) ?? []);
    expect(commands).not.toHaveLength(0);
    for (let index = 0; index < commands.length; index += 3) {
      const [, words, refused] = commands.slice(index, index + 3);
      const args = Array.from(words!.matchAll(/"([^"]*)"|\S+/g), ([word, quoted]) => quoted ?? word);
      const { exitCode, stdout: out, stderr } = await runChild(process.execPath, args, { cwd: clone, env });
      expect({ words, exitCode, stderr: stderr.toString() }).toMatchObject({
        exitCode: refused === undefined ? 0 : 1,
      });
      // What fails says why, and what works shows something.
      expect(refused === undefined ? out.length : stderr.length, words).toBeGreaterThan(0);
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

/** Into a file, which several processes write in turn as they would a terminal. */
async function start(file: string, env: NodeJS.ProcessEnv): Promise<string> {
  await using output = await open(file, "a");
  const child = spawn(process.execPath, ["samples/start.ts"], {
    cwd: clone,
    env: { ...process.env, ...env },
    stdio: ["ignore", output.fd, output.fd],
  });
  const [exitCode] = await once(child, "close");
  expect(exitCode).toBe(0);
  return await readFile(file, "utf8");
}
