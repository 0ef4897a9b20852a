import { expect, test } from "vitest";
import { parseFlags } from "../../../../runtime/cli/flags/parse-flags.ts";
import { RUN_FLAGS } from "../../../../runtime/cli/flags/run-flags.ts";
import { limitWarnings, parseLimits } from "../../../../runtime/cli/run/limits.ts";

const given = (args: readonly string[]) =>
  parseFlags(args, { flags: RUN_FLAGS, interspersed: false, command: "wpod run" });

test.each([
  { args: ["--memory=64m"], limits: { memoryBytesMax: 64 << 20 } },
  { args: ["-m", "65536"], limits: { memoryBytesMax: 65_536 } },
  { args: ["--memory=0"], limits: {} },
  { args: ["--memory-reservation=1m"], limits: { memoryReservationBytes: 1 << 20 } },
  { args: ["--memory-reservation=0"], limits: {} },
  { args: ["--memory=64m", "--memory-swap=64m"], limits: { memoryBytesMax: 64 << 20 } },
  { args: ["--memory=64m", "--memory-swap=-1"], limits: { memoryBytesMax: 64 << 20 } },
  { args: ["--memory-swap=0", "--memory-swappiness=100"], limits: {} },
])("$args", async ({ args, limits }) => {
  expect(await parseLimits(given(args))).toEqual(limits);
});

test.each([
  {
    args: ["--memory=65535"],
    message: "the memory limit of 65535 bytes is less than a page of WebAssembly memory, 65536 bytes",
  },
  { args: ["--memory=12x"], message: "invalid size: '12x'" },
  { args: ["--memory=-1"], message: "invalid size: '-1'" },
  { args: ["--memory-reservation=lots"], message: "invalid size: 'lots'" },
  { args: ["--memory-swap=1g"], message: "you should always set the memory limit when using --memory-swap" },
  {
    args: ["--memory=2m", "--memory-swap=1m"],
    message: "the --memory-swap of 1048576 bytes is less than --memory, 2097152 bytes",
  },
  { args: ["--memory-swap=x"], message: "invalid size: 'x'" },
  { args: ["--memory-swappiness=101"], message: "invalid --memory-swappiness 101: it is between 0 and 100" },
  { args: ["--memory-swappiness=-2"], message: "invalid --memory-swappiness -2: it is between 0 and 100" },
])("$args is refused", async ({ args, message }) => {
  await expect(parseLimits(given(args))).rejects.toMatchObject({ code: "USAGE", message });
});

test("what has no effect is told", async () => {
  expect(await limitWarnings(given(["--memory=64m"]))).toEqual([]);
  expect(await limitWarnings(given(["--memory=64m", "--memory-swap=1g", "--memory-swappiness=5"]))).toEqual([
    "--memory-swap has no effect: what a container has in memory is never swapped out by wpod",
    "--memory-swappiness has no effect: what a container has in memory is never swapped out by wpod",
  ]);
});
