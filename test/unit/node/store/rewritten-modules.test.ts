import {
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
import {
  REWRITTEN_FILES_MAX,
  REWRITTEN_MODULE_BYTES_MAX,
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

/** What is answered, and whether it was made for that. */
function get(modules: RewrittenModules, module = MODULE, result = RESULT, how = "how"): [number[], boolean] {
  let made = false;
  const found = modules.get(module, how, () => {
    made = true;
    return result;
  });
  return [[...found], made];
}

const opened = (version = "1.2.3") => new RewrittenModules(folder, version);
const expected = [...RESULT];
const files = () => readdirSync(folder).map((name) => join(folder, name));

describe("a rewritten module", () => {
  test("is made once, and then found by whoever comes later", () => {
    expect(get(opened())).toEqual([expected, true]);
    expect(get(opened())).toEqual([expected, false]);
    expect(readdirSync(folder).length).toBe(1);
  });

  test("may be the module itself", () => {
    const modules = opened();
    expect(modules.get(MODULE, "how", () => MODULE)).toBe(MODULE);
    expect(modules.get(MODULE, "how", () => expect.fail("it is known"))).toBe(MODULE);
  });

  test("is found for bytes at any place of a buffer", () => {
    get(opened());
    for (let offset = 0; offset < 9; offset++) {
      const buffer = Buffer.alloc(200);
      buffer.set(MODULE, offset);
      expect(get(opened(), buffer.subarray(offset, offset + MODULE.length))).toEqual([expected, false]);
    }
  });

  test.each([
    { name: "another version of wpod", modules: () => opened("1.2.4"), module: MODULE, how: "how" },
    { name: "another way to rewrite", modules: () => opened(), module: MODULE, how: "otherwise" },
    { name: "another module", modules: () => opened(), module: MODULE.map((byte) => byte ^ 1), how: "how" },
    { name: "a module cut short", modules: () => opened(), module: MODULE.subarray(1), how: "how" },
  ])("isn't taken for $name", ({ modules, module, how }) => {
    get(opened());
    expect(get(modules(), module, RESULT, how)).toEqual([expected, true]);
  });

  test("isn't taken for another module whose name is the same", () => {
    get(opened());
    const [path] = files();
    const other = MODULE.slice();
    other[50] = 0;
    get(opened(), other, Uint8Array.of(1));
    for (const each of files()) if (each !== path) writeFileSync(each, readFileSync(path!));
    expect(get(opened(), other, Uint8Array.of(1))).toEqual([[1], true]);
    expect(get(opened(), other, Uint8Array.of(1))).toEqual([[1], false]);
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
          // Between the two modules nothing is read.
          const padding = at >= 256 + MODULE.length && at < 256 + Math.ceil(MODULE.length / 8) * 8;
          expect(made).toBe(cut || !padding);
          expect(get(opened())).toEqual([expected, false]);
        },
      ),
    );
  });

  test("is kept up to a size", () => {
    for (const [size, kept] of [
      [REWRITTEN_MODULE_BYTES_MAX, true],
      [REWRITTEN_MODULE_BYTES_MAX + 1, false],
    ] as const) {
      const module = new Uint8Array(size);
      get(opened(), module);
      expect(get(opened(), module)).toEqual([expected, !kept]);
    }
  });

  test("makes room for the next: the oldest goes", () => {
    const module = (index: number) => Uint8Array.of(index, 1, 2, 3);
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
    for (const index of [0, 1, 3, REWRITTEN_FILES_MAX - 1, 200]) {
      expect(get(opened(), module(index)), `${index}`).toEqual([expected, false]);
    }
    expect(get(opened(), module(2))).toEqual([expected, true]);
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
