/** A program whose threads are Zig's: how they start and wait for each other nobody here wrote. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { zigThreadsProgram } from "../fixtures/programs/zig-program.ts";

const SOURCE = fileURLToPath(new URL("../fixtures/programs/sources/threads.zig", import.meta.url));
const own = engineForFile();

test("threads of Zig's library start, add, keep what is theirs, and write", {
  timeout: 180_000,
}, async () => {
  const program = await zigThreadsProgram(SOURCE);
  const { stdout, stderr, exitCode } = await own.engine.run(program, { timeoutMs: 100_000 });
  expect({ stderr: new TextDecoder().decode(stderr), exitCode }).toEqual({ stderr: "", exitCode: 0 });
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  expect(lines.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((index) => `thread ${index}`));
});
