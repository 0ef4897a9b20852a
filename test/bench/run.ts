/**
 * `npm run bench [-- NAME...]`: runs the benchmarks whose `file/case` begins with one of the names, all without a name, and
 * prints medians, spread, and the ratio to what each is compared with in the same run.
 *
 * `--rounds N` measures more often, `--json` prints one object a line, `--list` only names the files, `--check` fails where a
 * target is missed.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildDist } from "../toolchain/build.ts";
import type { BenchCase, BenchFile } from "./bench-case.ts";
import { type Measured, measureCase } from "./measure.ts";
import type { Summary } from "./statistics.ts";

const ROUNDS = 11;
const SUFFIX = ".bench.ts";

const { values: flags, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    json: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
  },
});
const here = fileURLToPath(new URL(".", import.meta.url));
const files = (await readdir(here))
  .filter((name) => name.endsWith(SUFFIX))
  .map((name) => name.slice(0, -SUFFIX.length));

if (flags.list) {
  console.log(files.join("\n"));
} else {
  await buildDist({ types: false });
  if (!flags.json)
    console.log(`${process.version}, ${availableParallelism()} x ${cpus()[0]?.model ?? "?"}\n`);
  const measured: Measured[] = [];
  for (const file of files) {
    if (wanted.length > 0 && !wanted.some((name) => name.split("/")[0] === file)) continue;
    measured.push(...(await runFile(file)));
  }
  if (measured.length === 0 && process.exitCode === undefined)
    throw new Error(`no benchmark is called ${wanted.join(" or ")}`);
  const missed = measured.filter(({ reached }) => reached === false);
  if (!flags.json) console.log(`\n${measured.length} measured, ${missed.length} beyond their target`);
  if (flags.check && missed.length > 0) process.exitCode = 1;
}

async function runFile(file: string): Promise<Measured[]> {
  const cases = ((await import(join(here, file + SUFFIX))) as { default: BenchFile }).default;
  const directory = await mkdtemp(join(tmpdir(), "wpod-bench-"));
  const undoing: (() => Promise<void> | void)[] = [() => rm(directory, { recursive: true, force: true })];
  const measured: Measured[] = [];
  try {
    for (const bench of await cases({ directory, defer: (undo) => void undoing.push(undo) })) {
      if (!isWanted(`${file}/${bench.name}`)) continue;
      try {
        const result = await measureCase({ ...bench, name: `${file}/${bench.name}` }, roundsOf(bench));
        console.log(flags.json ? JSON.stringify(result) : describe(result));
        measured.push(result);
      } catch (error) {
        // The others can still be measured; the run has failed all the same.
        console.error(`${file}/${bench.name}  FAILED\n  ${error instanceof Error ? error.message : error}`);
        process.exitCode = 1;
      }
    }
  } finally {
    for (const undo of undoing.reverse()) await undo();
  }
  return measured;
}

function isWanted(name: string): boolean {
  return wanted.length === 0 || wanted.some((part) => name.startsWith(part));
}

function roundsOf(bench: BenchCase): number {
  return flags.rounds === undefined ? (bench.rounds ?? ROUNDS) : Number(flags.rounds);
}

function describe({ name, unit, subject, baseline, ratio, target, reached }: Measured): string {
  const lines = [`${name}  (${subject.count} rounds)`, `  ${subject.name}: ${inWords(subject, unit)}`];
  if (baseline !== undefined) lines.push(`  ${baseline.name}: ${inWords(baseline, unit)}`);
  if (ratio !== undefined) lines.push(`  ratio ${inWords(ratio, "")}`);
  if (target !== undefined) lines.push(`  ${reached ? "reached" : "MISSED"}: ${target}`);
  return lines.join("\n");
}

function inWords({ median, p10, p90 }: Summary, unit: string): string {
  return `${figure(median)} ${unit} (${figure(p10)} to ${figure(p90)})`.replace("  ", " ");
}

/** Three digits that mean something. */
function figure(value: number): string {
  return Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(3)));
}
