/** Entries of a directory of the host: all of them, once, from any cookie on, and no more names kept than a few. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HostTree, openHostTree } from "../../../../runtime/node/hostdir/host-tree.ts";
import type { OpenFile } from "../../../../shim/abi/system.ts";
import { rootOver } from "../../../fixtures/hostile-client.ts";
import { openPath } from "../../core/vfs/inspect.ts";

const LONG = process.env.WPOD_TEST_LONG === "1";
/** More than are kept: what is far back is read again. */
const COUNT = 20_000;

let folder: string;
let tree: HostTree;
let root: OpenFile;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wpod-listing-"));
  mkdirSync(join(folder, "many"));
  mkdirSync(join(folder, "empty"));
  for (let index = 0; index < COUNT; index++) writeFileSync(join(folder, "many", `file-${index}`), "");
  tree = openHostTree(folder, { readOnly: true, device: 2n, uid: 0, gid: 0 });
  root = rootOver(tree);
}, 60_000);
afterAll(() => {
  root.close();
  tree.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Entry {
  name: string;
  cookie: number;
}

/** What the directory tells from a cookie on, until the sink is full. */
function entries(directory: OpenFile, from: number, max: number): Entry[] {
  const seen: Entry[] = [];
  expect(
    directory.readDirectory(from, (cookie, _inode, _type, name) => {
      if (seen.length === max) return false;
      seen.push({ name, cookie });
      return true;
    }),
  ).toBe(0);
  return seen;
}

test("an empty directory has two entries, whichever way it is read", () => {
  const directory = openPath(root, "m/empty");
  expect(entries(directory, 0, 10)).toEqual([
    { name: ".", cookie: 1 },
    { name: "..", cookie: 2 },
  ]);
  for (const cookie of [2, 3, 1_000_000, 2 ** 53 - 1]) expect(entries(directory, cookie, 10)).toEqual([]);
  expect(entries(directory, 1, 10).length).toBe(1);
  directory.close();
});

test.each([1, 7, 1000, COUNT + 10])("read in pieces of %d, each name is there once", (piece) => {
  const directory = openPath(root, "m/many");
  const count = piece === 1 ? 300 : COUNT + 2;
  const seen: string[] = [];
  for (let cookie = 0; seen.length < count; ) {
    const some = entries(directory, cookie, piece);
    if (some.length === 0) break;
    seen.push(...some.map(({ name }) => name));
    cookie = some.at(-1)!.cookie;
  }
  directory.close();
  expect(seen.slice(0, 2)).toEqual([".", ".."]);
  if (piece === 1) expect(new Set(seen).size).toBe(count);
  else expect(seen.slice(2).sort()).toEqual(readdirSync(join(folder, "many")).sort());
});

test("from any cookie on, in any order, the same entries follow", () => {
  const directory = openPath(root, "m/many");
  const all = entries(directory, 0, COUNT + 10);
  expect(all.map(({ cookie }) => cookie)).toEqual(Array.from({ length: COUNT + 2 }, (_, index) => index + 1));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(COUNT + 10), fc.integer({ min: 1, max: 300 })), { maxLength: 12 }), (reads) => {
      for (const [cookie, max] of reads) expect(entries(directory, cookie, max)).toEqual(all.slice(cookie, cookie + max));
    }),
    { numRuns: LONG ? 300 : 15 },
  );
  directory.close();
}); // biome-ignore format: long lines

test("names aren't kept: five readers at the end of a large directory cost little", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const heapBytes = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const readers = Array.from({ length: 5 }, () => openPath(root, "m/many"));
  entries(readers[0]!, 0, COUNT + 10);
  const before = heapBytes();
  for (const reader of readers) reader.readDirectory(0, () => true);
  // All names of all readers would be 100,000 strings.
  expect((heapBytes() - before) / readers.length).toBeLessThan(600_000);
  for (const reader of readers) reader.close();
}, 60_000);

test.runIf(process.platform === "linux")(
  "a reader gives its descriptor back at the end, and when it is closed before",
  () => {
    const descriptors = () => readdirSync("/proc/self/fd").length;
    const directory = openPath(root, "m/many");
    const before = descriptors();
    entries(directory, 0, COUNT + 10);
    expect(descriptors()).toBe(before);
    entries(directory, 0, 10);
    expect(descriptors()).toBe(before + 1);
    entries(directory, 0, 10);
    expect(descriptors()).toBe(before + 1);
    directory.close();
    expect(descriptors()).toBe(before - 1);
  },
);

test.runIf(process.platform === "linux")(
  "a name of the host that is no UTF-8 is not shown, and harms no other",
  () => {
    mkdirSync(join(folder, "odd"));
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/odd/`), Buffer.of(0x61, 0xff)]), "");
    writeFileSync(join(folder, "odd", "ä"), "");
    const directory = openPath(root, "m/odd");
    expect(entries(directory, 2, 10).map(({ name }) => name)).toEqual(["ä"]);
    directory.close();
  },
);
