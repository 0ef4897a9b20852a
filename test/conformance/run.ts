/**
 * `npm run conformance -- PATH`: runs the WASI test suite from a checkout at PATH (branch `prod/testsuite-all`, which has
 * the programs built, those of `wasi-threads` too) through the built command line, and judges exit codes and output as the
 * suite's JSON files say.
 *
 * What is known to fail stands in `spec/conformance.json` with its reason; what stands there and passes fails the run.
 * Ends with `N passed, N failed`; exit 1 when something is not as expected.
 */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { directoryName, type Ending, judge, readSuite, type SuiteCase } from "./suite.ts";

const COMMAND_LINE = fileURLToPath(new URL("../../dist/bin/wpod.js", import.meta.url));
const EXPECTATIONS = new URL("../../spec/conformance.json", import.meta.url);
const TIMEOUT_MS = 60_000;
/** What every run has: the suite's programs count their variables, and some expect that a read of their input waits. */
const FLAGS = ["--rm", "--unsetenv-all", "--interactive"];

const checkout = process.argv[2];
if (checkout === undefined || !existsSync(checkout)) {
  console.error("usage: npm run conformance -- PATH\nPATH: a checkout of WebAssembly/wasi-testsuite");
  process.exit(2);
}
if (!existsSync(COMMAND_LINE)) {
  console.error("there is no command line yet: npm run build");
  process.exit(2);
}

const { cases, componentCount } = readSuite(checkout);
const expectations: { failures: { test: string; reason: string }[] } = JSON.parse(
  readFileSync(EXPECTATIONS, "utf8"),
);
const expectedFailures = new Map(expectations.failures.map(({ test, reason }) => [test, reason]));
const scratch = mkdtempSync(join(tmpdir(), "wpod-conformance-"));

let passedCount = 0;
let asExpected = cases.length > 0;
try {
  for (const suiteCase of cases) {
    const complaint = judge(suiteCase, await run(suiteCase));
    const reason = expectedFailures.get(suiteCase.name);
    if (complaint === undefined) passedCount++;
    if ((complaint === undefined) !== (reason === undefined)) asExpected = false;
    console.log(line(suiteCase.name, complaint, reason));
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
for (const name of expectedFailures.keys()) {
  if (cases.some((suiteCase) => suiteCase.name === name)) continue;
  console.log(`spec/conformance.json names ${name}, which the suite doesn't have`);
  asExpected = false;
}
if (componentCount > 0) console.log(`${componentCount} components left out: they are not preview 1`);
console.log(`${passedCount} passed, ${cases.length - passedCount} failed`);
process.exit(asExpected ? 0 : 1);

function line(name: string, complaint: string | undefined, reason: string | undefined): string {
  if (complaint === undefined) {
    return reason === undefined ? `pass  ${name}` : `PASS  ${name}: take it out of spec/conformance.json`;
  }
  return reason === undefined ? `FAIL  ${name}: ${complaint}` : `known ${name}: ${reason}`;
}

/** Programs leave files behind: each gets copies of its directories. */
async function run({ program, args, env, root, directories }: SuiteCase): Promise<Ending> {
  const work = mkdtempSync(join(scratch, "case-"));
  const preopens = [
    ...(root === undefined ? [] : [{ source: root, name: "/", target: "/suite-root" }]),
    ...directories.map((source, index) => ({
      source,
      name: directoryName(source),
      target: `/suite-${index}`,
    })),
  ];
  const mounts = preopens.flatMap(({ source, target }) => {
    cpSync(source, join(work, target), { recursive: true, verbatimSymlinks: true });
    return ["--volume", `${join(work, target)}:${target}`];
  });
  const opened = preopens.map(({ name, target }) => `${name}=${target}`).join(",");
  const flags = [...FLAGS, ...mounts, "--annotation", `wpod.preopens=${opened}`];
  const variables = Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  try {
    return await wpod(["run", ...flags, ...variables, program, ...args]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function wpod(args: readonly string[]): Promise<Ending> {
  const child = spawn(process.execPath, [COMMAND_LINE, ...args], {
    env: { ...process.env, WPOD_ROOT: join(scratch, "wpod") },
    // Its input stays open, and empty.
    stdio: ["pipe", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on("data", (chunk: Buffer) => output.stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => {
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
      resolve({ exitCode, stdout: text(output.stdout), stderr: text(output.stderr) });
    });
  });
}
