import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const SOURCE = fileURLToPath(new URL("../../toolchain/code-cache.cjs", import.meta.url));
const POSIX = process.platform !== "win32";

/** Loads a program with the cache, and tells whether V8 took what was kept for its two files. */
const MAIN = `
const vm = require("node:vm");
const taken = [];
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    taken.push(options.cachedData === undefined ? "none" : this.cachedDataRejected ? "rejected" : "taken");
  }
};
const { load, save } = require("./code-cache.js");
load("program.js");
save();
console.log(taken.join(" "));
`;
const PROGRAM = `console.log("sum " + require("./part.js").add(2, 3));`;
const PART = `exports.add = (a, b) => a + b;`;

let directory: string;
let cache: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wpod-code-"));
  cache = join(directory, "cache");
  cpSync(SOURCE, join(directory, "code-cache.js"));
  writeFileSync(join(directory, "main.js"), MAIN);
  writeFileSync(join(directory, "program.js"), PROGRAM);
  writeFileSync(join(directory, "part.js"), PART);
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What V8 said of each file; the program's own output is always the same. */
function run(env: Record<string, string> = { WPOD_CODE_CACHE: cache }): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(directory, "main.js")], {
    env: { PATH: process.env.PATH, ...env },
    encoding: "utf8",
  });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  const [sum, taken] = stdout.trimEnd().split("\n");
  expect(sum).toBe("sum 5");
  return taken ?? "";
}

/** The folder of this bundle and Node.js. */
function folder(): string {
  const [name] = readdirSync(cache);
  return join(cache, name ?? "");
}

test("the second start takes what the first one kept, in a folder that is the user's alone", () => {
  expect(run()).toBe("none none");
  expect(readdirSync(folder()).sort()).toEqual(["part.js.code", "program.js.code"]);
  if (POSIX) expect(statSync(folder()).mode & 0o777).toBe(0o700);
  expect(run()).toBe("taken taken");
});

test("what is damaged is refused, and made anew", () => {
  run();
  writeFileSync(join(folder(), "part.js.code"), "not what V8 wrote");
  expect(run()).toBe("taken rejected");
  expect(run()).toBe("taken taken");
});

test("a folder that others may write to is left alone", { skip: !POSIX }, () => {
  run();
  chmodSync(folder(), 0o770);
  expect(run()).toBe("none none");
});

test("a link in its place is not followed", { skip: !POSIX }, () => {
  run();
  const real = folder();
  const elsewhere = join(directory, "elsewhere");
  mkdirSync(elsewhere, { mode: 0o700 });
  rmSync(real, { recursive: true });
  symlinkSync(elsewhere, real);
  expect(run()).toBe("none none");
  expect(readdirSync(elsewhere)).toEqual([]);
});

const without = [
  { name: "switched off", env: { WPOD_CODE_CACHE: "off" } },
  { name: "no home", env: {} },
  { name: "a place that can't be made", env: { WPOD_CODE_CACHE: join(SOURCE, "below-a-file") } },
];
test.each(without)("$name: it runs without", ({ env }) => {
  expect(run(env)).toBe("none none");
  expect(run(env)).toBe("none none");
  expect(existsSync(cache)).toBe(false);
});
