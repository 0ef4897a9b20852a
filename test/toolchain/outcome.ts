/** What a run of the tests comes to: counts, the skipped ones with their reasons, and whether it may pass. Pure. */

export interface TestOutcome {
  /** `file > suite > name`. */
  id: string;
  state: "passed" | "failed" | "skipped";
  /** Why it was skipped, in its own words. */
  note: string | undefined;
}

/** A line of `spec/skips.json`: a test that may be skipped where nothing may. */
export interface AllowedSkip {
  /** An id; `*` stands for anything. */
  id: string;
  reason: string;
}

export interface Verdict {
  passed: number;
  failed: number;
  skipped: number;
  /** A line for each thing that a reader has to know. */
  remarks: string[];
  exitCode: 0 | 1;
}

/**
 * @param brokenFiles files whose tests could not even be collected, and errors outside of any test: a failure each
 * @param allowed skips that are fine although none should be; undefined where any may be
 */
export function judgeRun(
  outcomes: readonly TestOutcome[],
  brokenFiles: readonly string[],
  allowed: readonly AllowedSkip[] | undefined,
): Verdict {
  const count = (state: TestOutcome["state"]) => outcomes.filter((outcome) => outcome.state === state).length;
  const passed = count("passed");
  const failed = count("failed") + brokenFiles.length;
  const skipped = outcomes.filter((outcome) => outcome.state === "skipped");

  const remarks = brokenFiles.map((file) => `broken: ${file}`);
  let refused = 0;
  for (const { id, note } of skipped) {
    const listed = allowed?.find((skip) => matches(skip.id, id));
    const reason = note ?? listed?.reason ?? "no reason given";
    if (allowed !== undefined && listed === undefined) {
      refused++;
      remarks.push(`skipped, and spec/skips.json doesn't list it: ${id}: ${reason}`);
    } else {
      remarks.push(`skipped: ${id}: ${reason}`);
    }
  }
  if (passed + failed === 0) remarks.push("no test was run");
  const exitCode = failed > 0 || refused > 0 || passed === 0 ? 1 : 0;
  return { passed, failed, skipped: skipped.length, remarks, exitCode };
}

/** The last line of a run, alone on its line: programs read it. */
export function closingLine({ passed, failed, skipped }: Verdict): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function matches(pattern: string, id: string): boolean {
  const escaped = pattern.split("*").map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}$`, "s").test(id);
}
