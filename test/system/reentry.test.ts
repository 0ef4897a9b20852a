/** A program is rewritten at its first start, and found as it was rewritten at the next one. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Patch } from "../../runtime/core/wasm/patch.ts";
import { VERSION } from "../../runtime/engine/version.ts";
import { RewrittenModules } from "../../runtime/node/store/rewritten-modules.ts";
import { sampleDirectory } from "../../samples/sample.ts";
import { engineForTest } from "../fixtures/engine-for-test.ts";
import { guest } from "../fixtures/guests.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
const folder = join(cli.root, "rewritten");
const hello = join(sampleDirectory("hello"), "hello.wasm");
const HELLO = "Hello from a container!";

// The very first run of all has no store yet in which something could be kept.
beforeAll(() => cli.must(["images"]));
afterAll(() => cli.dispose());
beforeEach(() => rmSync(folder, { recursive: true, force: true }));

/** From now on the store says that `hello` is to be run as another program. */
async function plant(root: string): Promise<void> {
  const other = readFileSync(await guest("env"));
  const patch: Patch = { reads: [], pieces: [other] };
  new RewrittenModules(join(root, "rewritten"), VERSION).get(readFileSync(hello), "reentry", () => patch);
}

test("the second start runs what the first one left", { timeout: 60_000 }, async () => {
  expect(await cli.must(["run", "--rm", hello])).toContain(HELLO);
  expect(readdirSync(folder).length).toBe(1);
  expect(await cli.must(["run", "--rm", hello])).toContain(HELLO);

  rmSync(folder, { recursive: true });
  await plant(cli.root);
  expect(await cli.must(["run", "--rm", hello])).not.toContain(HELLO);
});

test("it is left out where that is wished", { timeout: 60_000 }, async () => {
  const env = { WPOD_REENTRY: "off" };
  expect(await cli.must(["run", "--rm", hello], { env })).toContain(HELLO);
  expect(readdirSync(folder).every((name) => name.endsWith("-confined"))).toBe(true);
  await plant(cli.root);
  expect(await cli.must(["run", "--rm", hello], { env })).toContain(HELLO);
  expect(await cli.wpod(["run", "--rm", hello], { env: { WPOD_REENTRY: "no" } })).toEqual({
    exitCode: 125,
    stdout: "",
    stderr: 'Error: WPOD_REENTRY is "no": it is "on" or "off"\n',
  });
});

test.each([true, false])("a library says so with an option: %s", async (reentry) => {
  await using own = await engineForTest({ reentry });
  await own.engine.images.list();
  await plant(own.root);
  const result = await own.engine.run(hello);
  expect(result).toMatchObject({ exitCode: 0 });
  if (reentry) expect(new TextDecoder().decode(result.stdout)).not.toContain(HELLO);
  else expect(new TextDecoder().decode(result.stdout)).toContain(HELLO);
});

test("a program whose long calls are entered again computes the same", { timeout: 120_000 }, async () => {
  const digests: string[] = [];
  for (const env of [{ WPOD_REENTRY: "on" }, { WPOD_REENTRY: "off" }]) {
    const printed = await cli.must(["run", "--rm", await guest("sha256"), "8"], { env });
    digests.push(/"digest":"(.*)"/.exec(printed)![1]!);
  }
  expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(digests[0]).toBe(digests[1]);
});
