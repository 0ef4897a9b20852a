import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const SETUP = fileURLToPath(new URL("../../toolchain/setup.mjs", import.meta.url));
const PROGRAM = process.platform === "win32" ? "node.exe" : "node";
const PLATFORM = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

/** Stands for npm: writes down what it was asked, and puts there what FAKE_INSTALLS names. */
const NPM = `
const fs = require("node:fs");
const [command, ...rest] = process.argv.slice(2);
fs.appendFileSync("npm-calls", [command, ...rest].join(" ") + "\\n");
if (command === "--version") console.log(process.env.FAKE_VERSION);
if (command === "ci") {
  if (process.env.FAKE_FAILS) process.exit(7);
  const bin = "node_modules/node-${PLATFORM}/bin";
  fs.mkdirSync(bin, { recursive: true });
  if (process.env.FAKE_INSTALLS) fs.symlinkSync(process.env.FAKE_INSTALLS, bin + "/${PROGRAM}");
}
`;

const LOCK = {
  packages: {
    "": {},
    "node_modules/one": { version: "1.0.0" },
    "node_modules/only-elsewhere": { version: "1.0.0", optional: true },
    "test/toolchain": {},
  },
};

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "wpod-setup-"));
  write("npm.js", NPM);
  write("package-lock.json", JSON.stringify(LOCK));
  mkdirSync(join(root, "test/toolchain"), { recursive: true });
  cpSync(SETUP, join(root, "test/toolchain/setup.mjs"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function setUp(env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "test/toolchain/setup.mjs")], {
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH,
      npm_execpath: join(root, "npm.js"),
      FAKE_VERSION: "12.0.1",
      FAKE_INSTALLS: process.execPath,
      ...env,
    },
    encoding: "utf8",
  });
  const calls = existsSync(join(root, "npm-calls")) ? readFileSync(join(root, "npm-calls"), "utf8") : "";
  rmSync(join(root, "npm-calls"), { force: true });
  return {
    status,
    stdout,
    stderr,
    calls: calls
      .split("\n")
      .map((call) => call.split(" ")[0])
      .filter(Boolean),
  };
}

/** What npm leaves behind when somebody runs it by hand. */
function installedByHand(versionOfOne = "1.0.0"): void {
  const packages = { "node_modules/one": { version: versionOfOne } };
  write("node_modules/.package-lock.json", JSON.stringify({ packages }));
  const bin = join(root, "node_modules", `node-${PLATFORM}`, "bin");
  mkdirSync(bin, { recursive: true });
  symlinkSync(process.execPath, join(bin, PROGRAM));
}

describe("installs", () => {
  test("once, and then finds nothing to do, without asking npm anything", () => {
    expect(setUp()).toMatchObject({ status: 0, calls: ["--version", "ci"], stdout: "" });
    expect(setUp()).toEqual({ status: 0, calls: [], stdout: "", stderr: "" });
  });

  test("again when the lock file changed", () => {
    setUp();
    write("package-lock.json", JSON.stringify({ ...LOCK, changed: true }));
    expect(setUp().calls).toEqual(["--version", "ci"]);
  });

  test("nothing where npm was run by hand, whatever is optional and not for this machine", () => {
    installedByHand();
    expect(setUp()).toEqual({ status: 0, calls: [], stdout: "", stderr: "" });
  });

  test("where somebody installed another version by hand", () => {
    installedByHand("0.9.0");
    expect(setUp({ FAKE_INSTALLS: "" }).calls).toEqual(["--version", "ci"]);
  });
});

const refusals = [
  {
    name: "an npm that is too old",
    env: { FAKE_VERSION: "10.9.9" },
    says: /^setup: needs npm 11 or newer, this is 10\.9\.9: /,
  },
  { name: "npm fails", env: { FAKE_FAILS: "1" }, says: /`npm ci` failed with exit code 7/ },
  {
    name: "a Node.js that doesn't run here",
    env: { FAKE_INSTALLS: join(tmpdir()) },
    says: /the Node\.js of this repository \(.+\) doesn't run here \(.+\)/,
  },
];
test.each(refusals)("$name: one sentence, exit 1, and the next try starts anew", ({ env, says }) => {
  const { status, stderr } = setUp(env);
  expect(status).toBe(1);
  expect(stderr.replace("setup: installing what package-lock.json names (npm ci)\n", "")).toMatch(says);
  expect(stderr).not.toContain("    at ");
  rmSync(join(root, "node_modules"), { recursive: true, force: true });
  expect(setUp()).toMatchObject({ status: 0, calls: ["--version", "ci"] });
});

test("npm has no Node.js for this machine: a new enough one goes on, and says so", () => {
  const { status, stderr } = setUp({ FAKE_INSTALLS: "" });
  expect(status).toBe(0);
  expect(stderr).toContain(
    `npm has no Node.js package for ${process.platform}-${process.arch}; going on with v`,
  );
});
