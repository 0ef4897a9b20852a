/**
 * Every interleaving of one operation with a host that changes what it names: the change happens right before the n-th
 * call of `node:fs` that the operation makes, for every n, and is undone before the m-th, for the m that follow. The calls are the
 * real ones; only their order is chosen here. `test/system/bind-race.test.ts` leaves it to chance.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openHostTree } from "../../../../runtime/node/hostdir/host-tree.ts";
import { type GuardedFolder, guardedFolder, walk } from "../../../fixtures/guarded-folder.ts";
import { judge, OPERATIONS, type Operation, rootOver } from "../../../fixtures/hostile-client.ts";

const WATCHED = [
  "chmodSync", "closeSync", "fchmodSync", "fstatSync", "linkSync", "lstatSync", "lutimesSync", "mkdirSync", "openSync",
  "readSync", "opendirSync", "readdirSync", "readlinkSync", "renameSync", "rmdirSync", "statSync", "symlinkSync", "unlinkSync", "utimesSync",
  "futimesSync", "ftruncateSync", "writeSync", "realpathSync", "readFileSync",
] as const; // biome-ignore format: a list

const REAL = Object.fromEntries(WATCHED.map((name) => [name, fs[name]]));

/** Before each call of `node:fs` while an operation runs. */
let beforeCall: (() => void) | undefined;

beforeEach(() => {
  for (const name of WATCHED) {
    const real = REAL[name] as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]) => {
      const run = beforeCall;
      if (run !== undefined) {
        beforeCall = undefined;
        run();
        beforeCall = run;
      }
      return real(...args);
    };
    Object.assign(fs, { [name]: Object.assign(watched, real) });
  }
  syncBuiltinESMExports();
});
afterEach(() => {
  beforeCall = undefined;
  Object.assign(fs, REAL);
  syncBuiltinESMExports();
});

interface Swap {
  readonly name: string;
  run(folder: GuardedFolder): void;
  undo(folder: GuardedFolder): void;
}

/** A link that leads out stands where `place` was. */
function linkInPlaceOf(place: string): Swap {
  return {
    name: `a link in place of ${place}`,
    run({ base, inside, outside }) {
      fs.renameSync(join(inside, place), join(base, "aside"));
      fs.symlinkSync(join(outside, place), join(inside, place));
    },
    undo({ base, inside }) {
      fs.rmSync(join(inside, place), { recursive: true, force: true });
      fs.renameSync(join(base, "aside"), join(inside, place));
    },
  };
}

const LONG = process.env.WPOD_TEST_LONG === "1";
/** Calls between a swap and its undoing: an operation looks at most at so many things that have to fit together. */
const UNDONE_WITHIN = LONG ? 6 : 1;
const PLACES = ["sub", "sub/deep", "sub/file", "sub/victim", "sub/empty", "sub/link", "file"];

/** The directory, and the file that the operation works on; all with WPOD_TEST_LONG=1. */
function swapsFor({ name }: Operation): Swap[] {
  const file = /truncate|append|unlink|rename from/.test(name) ? "sub/victim" : "sub/file";
  return PLACES.filter((place) => LONG || place === "sub" || place === file).map(linkInPlaceOf);
}

/** What the files outside hold; names that were made there don't count. */
function contents({ outside }: GuardedFolder): string {
  return ["file", "sub/file", "sub/victim", "sub/deep/file"]
    .map((name) => fs.readFileSync(join(outside, name), "latin1"))
    .join("\n");
}

/** @returns how many calls the operation made; `swap` happens before call `from`, its undoing before call `to` */
function interleave(operation: Operation, swap: Swap, from: number, to: number, portable: boolean): number {
  const folder = guardedFolder();
  let callCount = 0;
  try {
    const picture = portable ? () => contents(folder) : folder.picture;
    const before = picture();
    const by = judge(folder.inodes());
    const tree = openHostTree(folder.inside, { readOnly: false, device: 2n, uid: 0, gid: 0, portable });
    const root = rootOver(tree);
    let isSwapped = false;
    beforeCall = () => {
      callCount++;
      if (callCount === from) {
        try {
          swap.run(folder);
          isSwapped = true;
        } catch {
          // The operation has moved it away.
        }
      } else if (callCount === to && isSwapped) {
        isSwapped = false;
        swap.undo(folder);
      }
    };
    operation.run(root, by);
    beforeCall = undefined;
    root.close();
    tree.close();
    const where = `${operation.name}, ${swap.name} at call ${from} until ${to}`;
    expect(by.leaks, where).toEqual([]);
    expect(picture(), where).toBe(before);
    const inodes = folder.inodes();
    expect(walk(folder.inside).filter((path) => inodes.has(fs.lstatSync(path, { bigint: true }).ino))).toEqual([]);
    return callCount;
  } finally {
    beforeCall = undefined;
    folder[Symbol.dispose]();
  }
} // biome-ignore format: long conditions

function everyInterleaving(operation: Operation, portable: boolean): void {
  for (const swap of swapsFor(operation)) {
    // How many calls it makes when nothing changes.
    const calls = interleave(operation, swap, -1, -1, portable);
    expect(calls).toBeGreaterThan(1);
    for (let from = 1; from <= calls; from++) {
      interleave(operation, swap, from, -1, portable);
      const last = Math.min(calls, from + UNDONE_WITHIN);
      for (let to = from + 1; to <= last; to++) interleave(operation, swap, from, to, portable);
    }
  }
}

describe.runIf(process.platform === "linux")(
  "whenever it happens, nothing outside is read or touched",
  () => {
    test.each(OPERATIONS)("$name", { timeout: 600_000 }, (operation) => everyInterleaving(operation, false));
  },
);

/** What can't be had without `openat`: not to make or remove a name in the one moment that the directory is a link. */
const BY_NAME = /mkdir|rmdir|unlink|symlink|rename|link from/;

describe.runIf(process.platform !== "win32")(
  "where there is no /proc, no byte outside is read or written",
  () => {
    test.each(OPERATIONS.filter(({ name }) => !BY_NAME.test(name)))(
      "$name",
      { timeout: 600_000 },
      (operation) => everyInterleaving(operation, true),
    );
  },
);
