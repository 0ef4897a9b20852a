import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Patch } from "../../../../runtime/core/wasm/patch.ts";
import {
  REWRITTEN_FILE_BYTES_MAX,
  REWRITTEN_FILES_MAX,
  RewrittenModules,
} from "../../../../runtime/node/store/rewritten-modules.ts";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "wpod-rewritten-"));
  folder = join(root, "rewritten");
});
afterEach(() => rmSync(root, { recursive: true }));

const MODULE = Uint8Array.from({ length: 101 }, (_, index) => index);
const RESULT = Uint8Array.from({ length: 207 }, (_, index) => 255 - (index % 251));

/** It depends on the first 60 bytes and on ten more, and puts something new between two parts of the module. */
const PATCH: Patch = {
  reads: [
    [0, 60],
    [80, 90],
  ],
  pieces: [[0, 40], RESULT, [50, MODULE.length]],
};

/** What is answered, and whether the patch was made for that. */
function get(
  modules: RewrittenModules,
  module = MODULE,
  patch: Patch | undefined = PATCH,
  how = "how",
): [number[], boolean] {
  let made = false;
  const found = modules.get(module, how, () => {
    made = true;
    return patch;
  });
  return [[...found.bytes], made];
}

const opened = (version = "1.2.3") => new RewrittenModules(folder, version);
const rewritten = (module: Uint8Array) => [...module.subarray(0, 40), ...RESULT, ...module.subarray(50, 101)];
const expected = rewritten(MODULE);
const files = () => readdirSync(folder).map((name) => join(folder, name));

describe("a rewritten module", () => {
  test("is made once, and then found by whoever comes later", () => {
    expect(get(opened())).toEqual([expected, true]);
    expect(get(opened())).toEqual([expected, false]);
    expect(readdirSync(folder).length).toBe(1);
  });

  test("may be the module itself", () => {
    const modules = opened();
    expect(modules.get(MODULE, "how", () => undefined).bytes).toBe(MODULE);
    expect(modules.get(MODULE, "how", () => expect.fail("it is known")).bytes).toBe(MODULE);
  });

  test("is found for bytes at any place of a buffer", () => {
    get(opened());
    for (let offset = 0; offset < 9; offset++) {
      const buffer = Buffer.alloc(200);
      buffer.set(MODULE, offset);
      expect(get(opened(), buffer.subarray(offset, offset + MODULE.length))).toEqual([expected, false]);
    }
  });

  const changedAt = (at: number) => MODULE.map((byte, index) => (index === at ? byte ^ 1 : byte));
  test.each([
    { name: "another version of wpod", modules: () => opened("1.2.4"), module: MODULE, how: "how" },
    { name: "another way to rewrite", modules: () => opened(), module: MODULE, how: "otherwise" },
    { name: "a longer module", modules: () => opened(), module: Uint8Array.of(...MODULE, 0), how: "how" },
  ])("isn't taken for $name", ({ modules, module, how }) => {
    get(opened());
    expect(get(modules(), module, PATCH, how)).toEqual([rewritten(module), true]);
  });

  test.each([
    { at: 0, taken: false },
    { at: 59, taken: false },
    { at: 60, taken: true },
    { at: 79, taken: true },
    { at: 80, taken: false },
    { at: 89, taken: false },
    { at: 90, taken: true },
    { at: 100, taken: true },
  ])("is taken for a module that differs at byte $at: $taken", ({ at, taken }) => {
    const module = changedAt(at);
    get(opened());
    // As if both had one name: it is that of the first bytes, all of them here.
    const [path] = files();
    get(opened(), module);
    for (const each of files()) if (each !== path) copyFileSync(path!, each);
    expect(get(opened(), module)).toEqual([rewritten(module), !taken]);
    expect(get(opened(), module)).toEqual([rewritten(module), false]);
  });

  test("is never taken from a damaged file", () => {
    get(opened());
    const [path] = files();
    const whole = readFileSync(path!);
    fc.assert(
      fc.property(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, bits, cut) => {
          const damaged = Buffer.from(cut ? whole.subarray(0, at) : whole);
          if (!cut) damaged[at]! ^= bits;
          writeFileSync(path!, damaged);
          const [found, made] = get(opened());
          expect(found).toEqual(expected);
          expect(made).toBe(true);
          expect(get(opened())).toEqual([expected, false]);
        },
      ),
    );
  });

  test("is found by its key alone, where there is one, with its note", () => {
    const patch: Patch = { reads: [], pieces: [RESULT], note: 7 };
    expect(opened().get(MODULE, "how", () => patch, "a key")).toEqual({ bytes: RESULT, note: 7 });
    const other = changedAt(0);
    const fail = () => expect.fail("it is known");
    expect(opened().get(other, "how", fail, "a key")).toEqual({ bytes: RESULT, note: 7 });
    for (const key of [undefined, "another key"]) {
      expect(opened().get(other, "how", () => undefined, key)).toEqual({ bytes: other, note: 0 });
    }
  });

  test("is kept up to a size", () => {
    // What counts beside: six numbers, and 60 bytes that are read.
    const besideBytes = 4 * 6 + 60;
    for (const [size, kept] of [
      [REWRITTEN_FILE_BYTES_MAX - besideBytes, true],
      [REWRITTEN_FILE_BYTES_MAX - besideBytes + 1, false],
    ] as const) {
      const patch: Patch = { reads: [[0, 60]], pieces: [new Uint8Array(size)] };
      const module = MODULE.map((byte) => byte ^ size);
      expect(opened().get(module, "how", () => patch).bytes.length).toBe(size);
      let made = false;
      opened().get(module, "how", () => {
        made = true;
        return patch;
      });
      expect(made).toBe(!kept);
    }
  });

  test("makes room for the next: the oldest goes", () => {
    const module = (index: number) => MODULE.map((byte) => byte ^ index);
    for (let index = 0; index < REWRITTEN_FILES_MAX; index++) {
      const before = existsSync(folder) ? readdirSync(folder) : [];
      get(opened(), module(index));
      const [added] = readdirSync(folder).filter((name) => !before.includes(name));
      // The third one is the oldest.
      utimesSync(join(folder, added!), 1000, index === 2 ? 1000 : 2000 + index);
    }
    expect(readdirSync(folder).length).toBe(REWRITTEN_FILES_MAX);
    get(opened(), module(200));
    expect(readdirSync(folder).length).toBe(REWRITTEN_FILES_MAX);
    for (const index of [0, 1, 3, REWRITTEN_FILES_MAX - 1, 200])
      expect(get(opened(), module(index)), `${index}`).toEqual([rewritten(module(index)), false]);
    expect(get(opened(), module(2))).toEqual([rewritten(module(2)), true]);
  });

  test("belongs to the user alone", () => {
    get(opened());
    if (process.platform === "win32") return;
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(files().map((path) => statSync(path).mode & 0o777)).toEqual([0o600]);
  });

  test.each([
    { name: "the folder's own folder isn't there", spoil: () => rmSync(root, { recursive: true }) },
    { name: "a file is in the folder's place", spoil: () => writeFileSync(folder, "") },
    {
      name: "a folder is in the file's place",
      spoil: () => {
        get(opened());
        const [path] = files();
        rmSync(path!);
        mkdirSync(path!);
      },
    },
  ])("is made each time where it can't be kept: $name", ({ spoil }) => {
    spoil();
    for (let turn = 0; turn < 2; turn++) expect(get(opened())).toEqual([expected, true]);
    if (!existsSync(root)) mkdirSync(root);
    else if (statSync(folder).isDirectory()) expect(readdirSync(folder).length).toBe(1);
  });
});
