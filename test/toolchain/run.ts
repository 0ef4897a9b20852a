/**
 * `npm test`: builds, runs the tests, and ends with a line that says `N passed, N failed`.
 *
 * `--long` repeats what is repeated by chance more often (WPOD_TEST_LONG=1). Everything else goes to vitest: names of files,
 * `-t NAME`. With CI=true or WPOD_NO_SKIPS=1 (which wins), a skipped test that `spec/skips.json` doesn't list fails the run.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseCLI, startVitest, type TestModule, type Vitest } from "vitest/node";
import { buildDist } from "./build.ts";
import { type AllowedSkip, closingLine, judgeRun, type TestOutcome, type Verdict } from "./outcome.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const verdict = await runTests(process.argv.slice(2));
for (const remark of verdict.remarks) console.log(remark);
console.log(closingLine(verdict));
// A test may have left something open that keeps this process alive.
process.exit(verdict.exitCode);

async function runTests(args: string[]): Promise<Verdict> {
  if (args.includes("--long")) process.env.WPOD_TEST_LONG = "1";
  const rest = args.filter((arg) => arg !== "--long");
  try {
    await buildDist({ types: false });
  } catch (error) {
    return judgeRun([], [`the build: ${error instanceof Error ? error.message : error}`], undefined);
  }

  const { filter, options: given } = parseCLI(["vitest", "run", ...rest]);
  // `--reporter` would be in place of all of them.
  const { reporter = "default", ...options } = given as typeof given & { reporter?: string | string[] };
  const outcomes: TestOutcome[] = [];
  const broken: string[] = [];
  const collector = {
    onTestRunEnd(modules: readonly TestModule[], errors: readonly { message: string }[]) {
      for (const module of modules) {
        outcomes.push(...outcomesOf(module, options.testNamePattern !== undefined));
        if (
          module.state() === "failed" &&
          !outcomes.some((o) => o.state === "failed" && o.id.startsWith(module.relativeModuleId))
        ) {
          broken.push(module.relativeModuleId);
        }
      }
      broken.push(...errors.map((error) => `outside of a test: ${error.message}`));
    },
  };
  const vitest: Vitest = await startVitest(filter, {
    ...options,
    root,
    watch: false,
    run: true,
    reporters: [...[reporter].flat(), collector],
  });
  await vitest.close();
  return judgeRun(outcomes, broken, skipsAllowed());
}

/** @param byName tests were chosen by name: vitest calls all others skipped, and nobody wants to hear of them */
function outcomesOf(module: TestModule, byName: boolean): TestOutcome[] {
  const outcomes: TestOutcome[] = [];
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    const note = state === "skipped" ? (test.result() as { note?: string }).note : undefined;
    if (state === "skipped" && note === undefined && byName) continue;
    const id = `${module.relativeModuleId} > ${test.fullName}`;
    // One that never ended: its process died.
    outcomes.push({ id, state: state === "pending" ? "failed" : state, note });
  }
  return outcomes;
}

function skipsAllowed(): AllowedSkip[] | undefined {
  const wish = process.env.WPOD_NO_SKIPS ?? process.env.CI ?? "";
  if (["", "0", "false"].includes(wish)) return undefined;
  return JSON.parse(readFileSync(`${root}/spec/skips.json`, "utf8")).skips;
}
