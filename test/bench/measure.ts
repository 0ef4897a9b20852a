/** Measures cases: subject and baseline in turn, round by round. */
import type { BenchCase } from "./bench-case.ts";
import { ratios, type Summary, summarise } from "./statistics.ts";

export interface Measured {
  name: string;
  unit: BenchCase["unit"];
  subject: Summary & { name: string };
  baseline: (Summary & { name: string }) | undefined;
  ratio: Summary | undefined;
  /** In words: "<= 2.2 x node -e 0". Undefined where the case asks for nothing. */
  target: string | undefined;
  /** Undefined without a target. */
  reached: boolean | undefined;
}

/** @param rounds that are counted; one more comes first, and is not: files are read from disk, code is compiled */
export async function measureCase(bench: BenchCase, rounds: number): Promise<Measured> {
  const { name, unit, subject, baseline } = bench;
  const subjectValues: number[] = [];
  const baselineValues: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    // Who comes second finds warm caches, or a hot processor: each is second as often.
    const sides = round % 2 === 0 ? ["baseline", "subject"] : ["subject", "baseline"];
    for (const side of sides) {
      const value = side === "subject" ? await subject.measure() : await baseline?.measure();
      if (round === 0 || value === undefined) continue;
      (side === "subject" ? subjectValues : baselineValues).push(value);
    }
  }
  const ratio = baseline === undefined ? undefined : ratios(subjectValues, baselineValues);
  return {
    name,
    unit,
    subject: { name: subject.name, ...summarise(subjectValues) },
    baseline: baseline === undefined ? undefined : { name: baseline.name, ...summarise(baselineValues) },
    ratio,
    ...judgeTarget(bench, summarise(subjectValues).median, ratio?.median),
  };
}

export function judgeTarget(
  { ratioMax, ratioMin, valueMax, unit, baseline }: BenchCase,
  value: number,
  ratio: number | undefined,
): Pick<Measured, "target" | "reached"> {
  const targets: string[] = [];
  let reached = true;
  if (ratioMax !== undefined) {
    targets.push(`<= ${ratioMax} x ${baseline?.name}`);
    reached &&= ratio !== undefined && ratio <= ratioMax;
  }
  if (ratioMin !== undefined) {
    targets.push(`>= ${ratioMin} x ${baseline?.name}`);
    reached &&= ratio !== undefined && ratio >= ratioMin;
  }
  if (valueMax !== undefined) {
    targets.push(`<= ${valueMax} ${unit}`);
    reached &&= value <= valueMax;
  }
  return targets.length === 0
    ? { target: undefined, reached: undefined }
    : { target: targets.join(", "), reached };
}
