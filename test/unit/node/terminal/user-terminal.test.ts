import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { runChild } from "../../../fixtures/child.ts";
import { runInTerminal, type Step, type TerminalResult } from "../../../fixtures/terminal/in-terminal.ts";
import { need } from "../../../fixtures/tools.ts";

const MODULE = new URL("../../../../runtime/node/terminal/user-terminal.ts", import.meta.url).href;
const OPEN = `import { UserTerminal } from ${JSON.stringify(MODULE)}; const user = UserTerminal.open();`;
const script = (code: string) => ["--input-type=module", "-e", OPEN + code];
const RAW: Step = { settings: true };

async function run(
  skip: (note: string) => never,
  code: string,
  steps: readonly Step[] = [],
  env: Record<string, string> = {},
): Promise<TerminalResult> {
  const argv = [process.execPath, ...script(code)];
  return await runInTerminal(need(skip, "python3"), { argv, cwd: tmpdir(), env, steps });
}

test.for([
  { name: "the end of the process, at once", code: "process.exit(3)", status: 3 },
  { name: "an exception, at once", code: "throw 1", status: 1 },
  { name: "SIGKILL, at once", code: "process.kill(process.pid, 'SIGKILL')", status: -9 },
  {
    name: "closing, and closing again",
    code: "await user.ready; user.close(); user.close(); process.exit(0)",
    status: 0,
  },
  { name: "closing at once", code: "user.close()", status: 0 },
])("a terminal is as it was after $name", async ({ code, status }, { skip }) => {
  for (let round = 0; round < 3; round++) {
    expect(await run(skip, code)).toMatchObject({ status, restored: true });
  }
});

test("keys come as they are, output goes as it is", async ({ skip }) => {
  const code = `
    await user.ready;
    user.keys.on("data", (bytes) => {
      process.stdout.write(bytes.toString("hex") + "\\n");
      if (bytes.includes(113)) { user.close(); process.stdout.write("\\n"); process.exit(0); }
    });
    process.stdout.write("ready\\n");`;
  const result = await run(skip, code, [
    { expect: "ready\n" },
    RAW,
    { type: "\x03\r" },
    { expect: "030d\n" },
    { type: "q" },
  ]);
  expect(result).toEqual({ shown: "ready\n030d\n71\n\r\n", status: 0, raw: [true], restored: true });
});

test("without stty keys come as they are too, and the terminal is put back at a normal end", async ({
  skip,
}) => {
  const code = `await user.ready; process.stdout.write("ready\\n"); user.keys.once("data", () => process.exit(0));`;
  const result = await run(skip, code, [{ expect: "ready" }, RAW, { type: "\x03" }], { PATH: "/nowhere" });
  expect(result).toMatchObject({ status: 0, raw: [true], restored: true });
});

test("there is none when standard input is something else", async () => {
  const { stdout } = await runChild(process.execPath, script("console.log(user)"));
  expect(stdout.toString()).toBe("undefined\n");
});
