/** What a program may be told: both sides of each bound, and Linux as the judge. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import {
  ARGUMENT_BYTES_MAX,
  ARGUMENTS_BYTES_MAX,
  checkArgumentSpace,
} from "../../../../runtime/core/kernel/argument-space.ts";

const LONGEST = "x".repeat(ARGUMENT_BYTES_MAX - 1);
/** Strings that take exactly `bytes`, with their ends and addresses. */
function filling(bytes: number): string[] {
  const strings: string[] = [];
  let left = bytes;
  for (; left > ARGUMENT_BYTES_MAX + 8 + 9; left -= ARGUMENT_BYTES_MAX + 8) strings.push(LONGEST);
  // Two, since what is left may be more than the longest.
  const first = Math.min(left - 9, 1000);
  return [...strings, "x".repeat(first - 9), "x".repeat(left - first - 9)];
}

/** What it threw. */
function refusal(argv: readonly string[], env: readonly string[] = []): string | undefined {
  try {
    checkArgumentSpace(argv, env);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(WpodError);
    expect((error as WpodError).code).toBe("ARGUMENTS_TOO_LONG");
    return (error as WpodError).message;
  }
}

test.each([
  { name: "nothing", argv: [], env: [] },
  { name: "the longest argument", argv: [LONGEST], env: [] },
  { name: "the longest variable", argv: ["p"], env: [LONGEST] },
  { name: "the longest in bytes, not in letters", argv: [`${"ü".repeat((ARGUMENT_BYTES_MAX - 2) / 2)}x`], env: [] },
  { name: "all that fits, in arguments", argv: filling(ARGUMENTS_BYTES_MAX), env: [] },
  { name: "all that fits, in variables", argv: [], env: filling(ARGUMENTS_BYTES_MAX) },
  { name: "all that fits, in empty strings", argv: Array(Math.floor(ARGUMENTS_BYTES_MAX / 9)).fill(""), env: [] },
])("$name fits", ({ argv, env }) => expect(refusal(argv, env)).toBeUndefined()); // biome-ignore format: a line for each

test.each([
  { name: "an argument of one byte more", argv: [`${LONGEST}x`], env: [], told: /an argument has 131072 bytes/ },
  { name: "a variable of one byte more", argv: ["p"], env: [`${LONGEST}x`], told: /a variable of the environment has 131072 bytes/ },
  { name: "one byte more, that a letter brings", argv: ["ü".repeat(ARGUMENT_BYTES_MAX / 2)], env: [], told: /an argument has 131072 bytes/ },
  { name: "a byte more in all", argv: filling(ARGUMENTS_BYTES_MAX + 1), env: [], told: /take 2097153 bytes/ },
  { name: "a byte more, between the two", argv: filling(ARGUMENTS_BYTES_MAX / 2), env: filling(ARGUMENTS_BYTES_MAX / 2 + 1), told: /take 2097153 bytes/ },
  { name: "an empty string more", argv: Array(Math.floor(ARGUMENTS_BYTES_MAX / 9) + 1).fill(""), env: [], told: /take 20971/ },
])("$name doesn't", ({ argv, env, told }) => expect(refusal(argv, env)).toMatch(told)); // biome-ignore format: a line for each

describe.runIf(process.platform === "linux")("Linux, with its usual stack of 8 MiB,", () => {
  /** Does the host start a program with these? The name of the program counts on the host, too, and so do its ends. */
  function hostTakes(argv: readonly string[]): boolean {
    const result = spawnSync("/bin/true", argv.slice(1), { argv0: argv[0]!, env: {} });
    expect(["E2BIG", undefined]).toContain((result.error as NodeJS.ErrnoException | undefined)?.code);
    return result.error === undefined;
  }
  const stack = spawnSync("sh", ["-c", "ulimit -s"], { encoding: "utf8" }).stdout.trim();

  test("has the same bound for one string", () => {
    expect(hostTakes(["true", LONGEST])).toBe(true);
    expect(hostTakes(["true", `${LONGEST}x`])).toBe(false);
  });

  test("has the same bound for all of them, but for a page or so of its own", (context) => {
    if (stack !== "8192") context.skip(`its stack has ${stack} KiB here`);
    expect(hostTakes(["true", ...filling(ARGUMENTS_BYTES_MAX - 8192)])).toBe(true);
    expect(hostTakes(["true", ...filling(ARGUMENTS_BYTES_MAX + 1)])).toBe(false);
  });
});
