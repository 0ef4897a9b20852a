"use strict";
// Loads a file of the bundle with the code that V8 made of it at an earlier start, functions that were called included.
// Compiling it anew would take as long as starting Node.js. What V8 made is kept in a folder of the user's own, by version
// of Node.js, architecture and bundle: code is trusted, so nobody else may have written there.

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

/** Folders of code that are kept. */
const FOLDERS_MAX = 8;

/** Set when the bundle is built. */
const BUNDLE = "@BUNDLE@";

/** As Node.js puts around a CommonJS module. */
const HEAD = "(function(exports,require,module,__filename,__dirname){";

/** The file that has all commands. */
const COMMANDS = "wpod.js";

const folder = cacheFolder();
const unsaved = [];

/** Runs a file beside this one as a CommonJS module; what it requires from the bundle comes the same way. */
function load(name) {
  const file = path.join(__dirname, name);
  const source = fs.readFileSync(file, "latin1");
  const cached = read(codeName(name));
  // Where the build has put the function around it already, there is one copy of it in memory.
  const script = new vm.Script(source.startsWith(HEAD) ? source : `${HEAD}${source}\n})`, {
    filename: file,
    cachedData: cached,
  });
  if (cached === undefined || script.cachedDataRejected) unsaved.push({ name, script });
  const module = { exports: {} };
  const local = (wanted) => (wanted.startsWith("./") ? loadOnce(wanted.slice(2)) : require(wanted));
  loaded.set(name, module);
  script.runInThisContext()(module.exports, local, module, file, __dirname);
  return module.exports;
}

const loaded = new Map();

function loadOnce(name) {
  const known = loaded.get(name);
  return known === undefined ? load(name) : known.exports;
}

/** What one command calls isn't what another one calls, and only what was called is kept. Nearly every start is a `run`. */
function codeName(name) {
  const isRun = process.argv[2] === "run" || process.argv[3] === "run";
  return name === COMMANDS ? `${name}.${isRun ? "run" : "other"}.code` : `${name}.code`;
}

/** Keeps what was compiled by now. Whoever can't write does without. */
function save() {
  // What this run has done nobody has to do again: its code would make every start longer.
  if (globalThis[Symbol.for("wpod.ranOnce")]) return;
  if (folder === undefined || unsaved.length === 0) return;
  dropOldest();
  for (const { name, script } of unsaved.splice(0)) {
    try {
      const target = path.join(folder, codeName(name));
      const temporary = `${target}.${process.pid}.${process.hrtime()[1]}`;
      fs.writeFileSync(temporary, script.createCachedData(), { mode: 0o600, flag: "wx" });
      fs.renameSync(temporary, target);
    } catch {
      return;
    }
  }
}

/** Bundles and versions of Node.js come and go; what the latest of them left is enough. */
function dropOldest() {
  try {
    const base = path.dirname(folder);
    const others = fs
      .readdirSync(base)
      .map((name) => path.join(base, name))
      .filter((other) => other !== folder);
    const byAge = others
      .map((other) => ({ other, ageMs: -fs.lstatSync(other).mtimeMs }))
      .sort((a, b) => a.ageMs - b.ageMs);
    for (const { other } of byAge.slice(FOLDERS_MAX - 1)) fs.rmSync(other, { recursive: true, force: true });
  } catch {
    // Another process does the same.
  }
}

function read(name) {
  if (folder === undefined) return undefined;
  try {
    return fs.readFileSync(path.join(folder, name));
  } catch {
    return undefined;
  }
}

/** The folder, made where there is none; undefined where it isn't ours alone. */
function cacheFolder() {
  const base = process.env.WPOD_CODE_CACHE || defaultFolder();
  if (base === undefined || base === "off") return undefined;
  const key = `${BUNDLE}-${process.version}-${process.arch}`;
  const whole = path.join(base, key);
  try {
    if (!isOurs(whole)) {
      fs.mkdirSync(whole, { recursive: true, mode: 0o700 });
      if (!isOurs(whole)) return undefined;
    }
    return whole;
  } catch {
    return undefined;
  }
}

function defaultFolder() {
  const { env, platform } = process;
  if (platform === "win32") return env.LOCALAPPDATA && path.join(env.LOCALAPPDATA, "wpod", "code");
  if (env.XDG_CACHE_HOME) return path.join(env.XDG_CACHE_HOME, "wpod", "code");
  return env.HOME && path.join(env.HOME, platform === "darwin" ? "Library/Caches" : ".cache", "wpod", "code");
}

function isOurs(where) {
  const stat = fs.lstatSync(where, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (!stat.isDirectory()) throw new Error("not a directory");
  return process.platform === "win32" || (stat.uid === process.getuid() && (stat.mode & 0o077) === 0);
}

module.exports = { load, save };
