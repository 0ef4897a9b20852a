/**
 * Makes `node_modules` what the lock file says, and does nothing when it is that already (`prestart` and `pretest` call it
 * each time). Runs under whatever Node.js the machine has, before anything is installed: plain JavaScript, `node:*` only.
 *
 * With it comes the repository's own Node.js, as `node_modules/.bin/node`. npm puts that directory first on the PATH of its
 * scripts, so the script after this one runs on it: `spec/design/0001-why-node-from-npm.md`.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The oldest Node.js that this file is tried with, and the oldest that can stand in where npm has none for a platform. */
const CALLER_MAJOR_MIN = 20;
const RUNTIME_MAJOR_MIN = 24;
/** Older ones don't read the settings in `.npmrc` that keep install scripts from running. */
const NPM_MAJOR_MIN = 11;

const root = fileURLToPath(new URL("../..", import.meta.url));
const stamp = join(root, "node_modules", ".wpod-setup");

/** A reason to stop that the person at the keyboard can do something about. */
class SetupError extends Error {}

try {
  setUp();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`setup: ${error.message}\n`);
  process.exit(1);
}

function setUp() {
  const key = lockKey();
  if (readText(stamp) === key) return;

  if (majorOf(process.versions.node) < CALLER_MAJOR_MIN) {
    throw new SetupError(
      `needs Node.js ${CALLER_MAJOR_MIN} or newer to begin with; this is ${process.version}.`,
    );
  }
  if (!matchesLock()) install();
  checkNode();
  writeFileSync(stamp, key);
}

/** What an installation depends on: the lock file and the kind of machine (a work tree can be shared between several). */
function lockKey() {
  const hash = createHash("sha256").update(readFileSync(join(root, "package-lock.json")));
  return `${process.platform}-${process.arch} ${hash.digest("hex")}\n`;
}

/** True when somebody ran npm here already: installing again would only take time. */
function matchesLock() {
  const text = readText(join(root, "node_modules", ".package-lock.json"));
  if (text === undefined) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const present = JSON.parse(text).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || !path.startsWith("node_modules/")) continue;
    if (present[path] === undefined ? !entry.optional : present[path].version !== entry.version) return false;
  }
  return ownNode() !== undefined;
}

function install() {
  const npm = npmCommand();
  const version = run(npm, ["--version"], "pipe").trim();
  if (majorOf(version) < NPM_MAJOR_MIN) {
    throw new SetupError(
      `needs npm ${NPM_MAJOR_MIN} or newer, this is ${version}: \`npm install --global npm@${NPM_MAJOR_MIN}\`.`,
    );
  }
  process.stderr.write("setup: installing what package-lock.json names (npm ci)\n");
  // Asked for by name: `omit=optional` or NODE_ENV=production in somebody's settings would leave Node.js or the compiler out.
  run(
    npm,
    ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"],
    "print",
  );
}

/** The repository's own Node.js has to be there and to run; where npm has none, a new enough one of the machine does. */
function checkNode() {
  const path = ownNode();
  if (path !== undefined) {
    const { status, error } = spawnSync(path, ["--version"], { stdio: "ignore" });
    if (status === 0) return;
    throw new SetupError(
      `the Node.js of this repository (${path}) doesn't run here (${error ? error.message : `exit ${status}`}): it wants glibc on Linux.`,
    );
  }
  const platform = `${process.platform}-${process.arch}`;
  if (majorOf(process.versions.node) >= RUNTIME_MAJOR_MIN) {
    process.stderr.write(
      `setup: npm has no Node.js package for ${platform}; going on with ${process.version} of this machine.\n`,
    );
    return;
  }
  throw new SetupError(
    `no Node.js from npm for ${platform}: install Node.js ${RUNTIME_MAJOR_MIN} or newer yourself, this is ${process.version}.`,
  );
}

/** Path of the Node.js that npm installed for this machine; undefined when there is none. */
function ownNode() {
  const names = [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`];
  // npm's packages call Windows "win", as Node's downloads do.
  if (process.platform === "win32") names.push(`node-win-${process.arch}`);
  const program = process.platform === "win32" ? "node.exe" : "node";
  return names
    .map((name) => join(root, "node_modules", name, "bin", program))
    .find((path) => existsSync(path));
}

/** The npm that runs this script, else the one on PATH. */
function npmCommand() {
  const script = process.env.npm_execpath;
  if (script?.endsWith(".js") && existsSync(script))
    return { program: process.execPath, before: [script], shell: false };
  // On Windows npm is a batch file, which only a shell starts.
  return { program: "npm", before: [], shell: process.platform === "win32" };
}

/** @param {"print" | "pipe"} output to stderr, so that what a script prints itself stays alone on stdout; or answered */
function run({ program, before, shell }, args, output) {
  const stdio = output === "print" ? ["ignore", 2, 2] : ["ignore", "pipe", 2];
  const { status, error, stdout } = spawnSync(program, [...before, ...args], {
    cwd: root,
    shell,
    stdio,
    encoding: "utf8",
  });
  if (error) throw new SetupError(`npm can't be started (${error.message}).`);
  if (status !== 0) {
    throw new SetupError(
      `\`npm ${args[0]}\` failed with exit code ${status}: what it says stands above. Nothing else was changed.`,
    );
  }
  return stdout ?? "";
}

function majorOf(version) {
  return Number.parseInt(version, 10);
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
