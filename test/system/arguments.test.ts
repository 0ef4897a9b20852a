/** What a program may be told, through the engine: the longest arrives whole, one byte more is refused before it runs. */
import { beforeAll, expect, test } from "vitest";
import { ARGUMENT_BYTES_MAX, ARGUMENTS_BYTES_MAX } from "../../runtime/core/kernel/argument-space.ts";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";

const setUp = engineForFile();
let env: string;
beforeAll(async () => {
  env = await guest("env");
}, 120_000);

const LONGEST = ARGUMENT_BYTES_MAX - 1;

/** What the program saw: its arguments, its variables. */
async function told(args: readonly string[], variables: Record<string, string> = {}): Promise<string[][]> {
  const { exitCode, stdout } = await setUp.engine.run(env, { args, env: variables });
  expect(exitCode).toBe(0);
  const strings = new TextDecoder().decode(stdout).split("\0");
  const end = strings.indexOf("");
  return [strings.slice(0, end), strings.slice(end + 1)];
}

test("the longest argument and the longest variable arrive whole", async () => {
  const value = "ü".repeat((LONGEST - 3) / 2);
  const [args, variables] = await told(["x".repeat(LONGEST)], { V: `x${value}` });
  expect(args!.at(-1)).toBe("x".repeat(LONGEST));
  expect(variables).toContain(`V=x${value}`);
});

test.each([
  { name: "an argument", args: ["x".repeat(LONGEST + 1)], variables: {} as Record<string, string> },
  { name: "a variable", args: [], variables: { V: "x".repeat(LONGEST - 1) } },
  { name: "all of them", args: Array(16).fill("x".repeat(LONGEST)), variables: {} },
])("$name too long: refused, and nothing has run", async ({ args, variables }) => {
  await expect(setUp.engine.run(env, { args, env: variables })).rejects.toMatchObject({
    code: "ARGUMENTS_TOO_LONG",
    message: expect.stringMatching(/^argument list too long: /),
  });
});

test("as much as there may be in all", async () => {
  // The program's name, PATH, HOME and what else there is take a little.
  const args = Array<string>(15).fill("x".repeat(LONGEST));
  const [seen] = await told(args);
  expect(seen!.slice(1)).toEqual(args);
  const rest = ARGUMENTS_BYTES_MAX - 15 * (ARGUMENT_BYTES_MAX + 8);
  const [more] = await told([...args, "y".repeat(rest - 1000)]);
  expect(more!.at(-1)!.length).toBe(rest - 1000);
});
