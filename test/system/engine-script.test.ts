/** A program outside the repository that uses the built library: it ends by itself, and keeps nothing. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChild } from "../fixtures/child.ts";
import { guest } from "../fixtures/guests.ts";

const LIBRARY = new URL("../../dist/engine.mjs", import.meta.url).href;
/** What a thread that waits has open. */
const WORKER_DESCRIPTORS_MAX = 8;
/** All of the in `npm run test:long`. */
const RUN_COUNT = process.env.WPOD_TEST_LONG === "1" ? 1000 : 80;

test(`${RUN_COUNT} runs leave neither descriptors nor memory behind, and the script ends by itself`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "wpod-script-"));
  const script = join(folder, "script.mjs");
  writeFileSync(
    script,
    `
    import { readdirSync } from "node:fs";
    import { Engine } from ${JSON.stringify(LIBRARY)};
    const engine = new Engine({ root: ${JSON.stringify(join(folder, "root"))} });
    const cat = ${JSON.stringify(await guest("cat"))};
    const used = () => {
      global.gc();
      return { descriptors: process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0, memoryMib: process.memoryUsage().rss / 2 ** 20 };
    };
    async function runs(count) {
      for (let done = 0; done < count; done += 4) {
        const some = await Promise.all([0, 1, 2, 3].map((at) => engine.run(cat, { stdin: "input " + at })));
        some.forEach((result, at) => {
          if (Buffer.from(result.stdout).toString() !== "input " + at) throw new Error("mixed");
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await runs(${RUN_COUNT / 2});
    const before = used();
    await runs(${RUN_COUNT / 2});
    const after = used();
    await engine[Symbol.asyncDispose]();
    console.log(JSON.stringify({ before, after }));`,
  );
  const child = await runChild(process.execPath, ["--expose-gc", script]);
  expect(`${child.stderr}`).toBe("");
  expect(child.exitCode).toBe(0);
  const { before, after } = JSON.parse(`${child.stdout}`);
  // One worker more may be idle than before; a descriptor of each run would be forty.
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + WORKER_DESCRIPTORS_MAX);
  // The allocator's holes grow in steps until about 2,500 runs, and then no more (seen up to 5,500: 171 MiB). What a run left behind
  // would show: its rings alone are 128 KiB, 64 MiB in the second half.
  expect(after.memoryMib).toBeLessThan(before.memoryMib * 1.2 + 10);
  rmSync(folder, { recursive: true });
}, 240_000);
