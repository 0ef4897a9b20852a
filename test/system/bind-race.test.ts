/**
 * A guest that opens, makes and removes in a bind mount, while somebody else swaps directories, files and links under
 * it: nothing outside of the mount is ever read or touched. 2,000 rounds; 100,000 with WPOD_TEST_LONG=1.
 */
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openHostTree } from "../../runtime/node/hostdir/host-tree.ts";
import { type GuardedFolder, guardedFolder, OUTSIDE, walk } from "../fixtures/guarded-folder.ts";
import { judge, OPERATIONS, rootOver } from "../fixtures/hostile-client.ts";

const ROUNDS = process.env.WPOD_TEST_LONG === "1" ? 100_000 : 2_000;

let folder: GuardedFolder;
beforeEach(() => {
  folder = guardedFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** Runs while a thread swaps, until it is told to stop. @returns how often it did */
async function whileSwapping(script: string | URL, run: () => void): Promise<number> {
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const workerData = { base: folder.base, flags };
  const swapper = new Worker(script, { eval: typeof script === "string", workerData });
  const ended = new Promise((resolve, reject) => {
    swapper.once("exit", resolve);
    swapper.once("error", reject);
  });
  try {
    const begun = async () => {
      while (Atomics.load(flags, 1) < 10) await new Promise((resolve) => setImmediate(resolve));
    };
    await Promise.race([begun(), ended]);
    run();
  } finally {
    Atomics.store(flags, 0, 1);
    await ended;
  }
  return Atomics.load(flags, 1);
}

const LOOP = `
const { renameSync, symlinkSync, unlinkSync, writeFileSync } = require("node:fs");
const { base, flags } = require("node:worker_threads").workerData;
/** The guest renames and removes, too: what isn't there now will be. */
const attempt = (call, ...args) => { try { call(...args); return true; } catch { return false; } };
let round = 0;
while (Atomics.load(flags, 0) === 0) {
  /* swap */
  round++;
  Atomics.add(flags, 1, 1);
}`;

/** Puts what stands at \`place\` aside, and a link that leads out in its place. */
const DANCE = (place: string) => `
  if (attempt(renameSync, base + "/in/${place}", base + "/in/.aside")) {
    attempt(symlinkSync, [base + "/out/${place}", "${"../".repeat(place.split("/").length)}out/${place}"][round & 1], base + "/in/${place}");
    attempt(unlinkSync, base + "/in/${place}");
    attempt(renameSync, base + "/in/.aside", base + "/in/${place}");
  }`;

const LOOPED = (swap: string) => LOOP.replace("/* swap */", swap);
const SWAPPERS: readonly { name: string; script: string | URL }[] = [
  { name: "a directory on the way", script: LOOPED(DANCE("sub")) },
  { name: "a directory deeper", script: LOOPED(DANCE("sub/deep")) },
  { name: "a file", script: LOOPED(DANCE("sub/file") + DANCE("file")) },
  {
    name: "a directory that leaves the mount and comes back",
    script: LOOPED(`
      if (attempt(renameSync, base + "/in/sub", base + "/moved")) {
        attempt(symlinkSync, base + "/out/sub", base + "/in/sub");
        attempt(unlinkSync, base + "/in/sub");
        attempt(renameSync, base + "/moved", base + "/in/sub");
      }`),
  },
  {
    name: "all of it, from another container with the same mount",
    script: new URL("../fixtures/planting-guest.ts", import.meta.url),
  },
];

describe.runIf(process.platform !== "win32")("others swap", () => {
  test.each(SWAPPERS)(
    "$name, and nothing outside is read or touched",
    {
      timeout: 600_000,
    },
    async ({ script }) => {
      const before = folder.picture();
      const by = judge(folder.inodes());
      const tree = openHostTree(folder.inside, { readOnly: false, device: 2n, uid: 0, gid: 0 });
      const root = rootOver(tree);
      let isNaiveMisled = false;
      const swaps = await whileSwapping(script, () => {
        const deadline = performance.now() + 60_000;
        for (let round = 0; round < ROUNDS || (!isNaiveMisled && performance.now() < deadline); round++) {
          OPERATIONS[round % OPERATIONS.length]!.run(root, by);
          isNaiveMisled ||= naive();
        }
      });
      root.close();
      tree.close();
      expect(by.leaks).toEqual([]);
      expect(folder.picture()).toBe(before);
      expect(insideThatIsOutside()).toEqual([]);
      expect(by.okCount).toBeGreaterThan(ROUNDS / 10);
      expect(by.failureCount).toBeGreaterThan(0);
      expect(swaps).toBeGreaterThan(10);
      // It is an attack: who opens by path is led astray.
      expect(isNaiveMisled).toBe(true);
    },
  );
});

/** Opens by path, without a look. Was it led astray? */
function naive(): boolean {
  return ["sub/file", "sub/deep/file", "file"].some((path) => {
    try {
      return readFileSync(join(folder.inside, path), "latin1").startsWith(OUTSIDE);
    } catch {
      return false;
    }
  });
}

/** Names in the mount that are, or hold, what is outside. */
function insideThatIsOutside(): string[] {
  const inodes = folder.inodes();
  return walk(folder.inside).filter((path) => inodes.has(lstatSync(path, { bigint: true }).ino));
}
