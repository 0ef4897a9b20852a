/** A guest that takes all it can get: each bound is exact, is told by its errno, and gives back what is freed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ARGUMENT_BYTES_MAX } from "../../runtime/core/kernel/argument-space.ts";
import { DESCRIPTORS_MAX } from "../../runtime/engine/limits.ts";
import { Errno } from "../../shim/abi/errno.ts";
import { SUBSCRIPTIONS_MAX } from "../../shim/limits.ts";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";

let setUp: Awaited<ReturnType<typeof engineForTest>>;
let siege: string;
beforeAll(async () => {
  setUp = await engineForTest();
  siege = await guest("siege");
}, 120_000);
afterAll(() => setUp[Symbol.asyncDispose]());

const LIMITS = { diskBytesMax: (16 << 20) + 12_345, inodesMax: 12_000 };

/** What it printed, line by line: what, how many, errno. */
async function run(args: readonly string[]) {
  const result = await setUp.engine.run(siege, { args, limits: LIMITS, timeoutMs: 60_000 });
  expect(result).toMatchObject({ exitCode: 0, reason: undefined });
  const lines = new TextDecoder().decode(result.stdout).trimEnd().split("\n");
  const told = lines.map((line) => line.match(/^(.+) (-?\d+) (\d+)$/)!.slice(1));
  return { told: told.map(([what, count, errno]) => [what, Number(count), Number(errno)]), result };
}

test("descriptors: the last number is used, the next is EMFILE, a closed one comes back", async () => {
  const { told } = await run(["descriptors"]);
  // 0 to 2, and the root.
  expect(told[0]).toEqual(["descriptors", DESCRIPTORS_MAX - 4, Errno.EMFILE]);
  expect(told[1]).toEqual(["highest", DESCRIPTORS_MAX - 1, expect.anything()]);
  expect(told[2]).toEqual(["again", DESCRIPTORS_MAX - 1, 0]);
});

test("disk: the last byte is written, the next is ENOSPC, and a removed file's bytes come back", async () => {
  const { told } = await run(["bytes"]);
  expect(told).toEqual([
    ["bytes", LIMITS.diskBytesMax, Errno.ENOSPC],
    ["again", 1 << 20, 0],
  ]);
});

test("inodes: as many as are allowed, then ENOSPC", async () => {
  const [[, first, errno]] = (await run(["files", "20000"])).told as [[string, number, number]];
  expect(errno).toBe(Errno.ENOSPC);
  const madeCount = first + Math.ceil(first / 1000);
  // The rest was there before: the root, /dev, /etc and what is in them.
  expect(madeCount).toBeLessThan(LIMITS.inodesMax);
  expect(madeCount).toBeGreaterThan(LIMITS.inodesMax - 20);
});

test("10,000 directories in each other: made, kept, read and removed by the host", async () => {
  const { told, result } = await run(["deep", "10000"]);
  expect(told).toEqual([["deep", 10_000, 0]]);
  const files = await result.container.files();
  expect(files.existsSync(Array(2000).fill("/d").join(""))).toBe(true);
  files.rmSync("/d", { recursive: true });
  expect(files.existsSync("/d")).toBe(false);
});

test("10,000 directories in each other: removed by the guest", async () => {
  const { told } = await run(["climb", "10000"]);
  expect(told.map(([what, count]) => [what, count])).toEqual([
    ["deep", 10_000],
    ["removed", 10_000],
  ]);
});

test("a byte at 2^52 costs a byte, one at the end of numbers is refused", async () => {
  const { told } = await run(["sparse"]);
  expect(told.map(([what, count]) => [what, count])).toEqual([
    ["sparse", 1],
    ["farther", -1],
    ["longer", -1],
    ["size", 2 ** 52 + 1],
  ]);
});

test("a poll of all subscriptions, and of one more", async () => {
  expect((await run(["poll", `${SUBSCRIPTIONS_MAX}`])).told).toEqual([["poll", SUBSCRIPTIONS_MAX, 0]]);
  expect((await run(["poll", `${SUBSCRIPTIONS_MAX + 1}`])).told).toEqual([["poll", 0, Errno.EINVAL]]);
});

test("descriptors are moved onto themselves, over a preopen, and nowhere else", async () => {
  expect((await run(["renumber"])).told).toEqual([
    ["itself", 4, 0],
    ["nowhere", 4, Errno.EBADF],
    ["from nowhere", 4, Errno.EBADF],
    ["preopen", 3, 0],
    ["closed", -1, Errno.EBADF],
  ]);
});

test("2 GiB of random bytes into less memory: EFAULT, and none is written", async () => {
  expect((await run(["random"])).told).toEqual([["random", 0, Errno.EFAULT]]);
});

// `arguments.test.ts` has the bounds.
test("the longest argument arrives", async () => {
  const sizeBytes = ARGUMENT_BYTES_MAX - 1;
  expect((await run(["arguments", "x".repeat(sizeBytes)])).told).toEqual([["arguments", sizeBytes, 0]]);
});
