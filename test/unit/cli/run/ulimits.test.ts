import { describe, expect, test } from "vitest";
import { parseFlags } from "../../../../runtime/cli/flags/parse-flags.ts";
import { RUN_FLAGS } from "../../../../runtime/cli/flags/run-flags.ts";
import { parseRunLimits } from "../../../../runtime/cli/run/run-limits.ts";
import { parseUlimits, ulimitWarnings } from "../../../../runtime/cli/run/ulimits.ts";

const NONE = Number.MAX_SAFE_INTEGER;

test.each([
  { given: "nofile=100", limits: { descriptorsMax: 100 } },
  { given: "nofile=100:200", limits: { descriptorsMax: 100 } },
  { given: "nofile=0", limits: { descriptorsMax: 0 } },
  { given: "nofile=65536", limits: { descriptorsMax: 65_536 } },
  { given: "nofile=65537", limits: { descriptorsMax: 65_536 } },
  { given: "nofile=-1", limits: { descriptorsMax: 65_536 } },
  { given: "nofile=1:-1", limits: { descriptorsMax: 1 } },
  { given: "nproc=7", limits: { threadsMax: 7 } },
  { given: "nproc=-1:-1", limits: { threadsMax: NONE } },
  { given: "fsize=1000", limits: { fileBytesMax: 1000 } },
  { given: "fsize=-1", limits: {} },
  { given: "locks=3", limits: { locksMax: 3 } },
  { given: "locks=1000000", limits: { locksMax: 16_384 } },
  { given: "locks=-1", limits: { locksMax: 16_384 } },
  { given: "cpu=2:5", limits: { cpuTimeMs: 2000 } },
  { given: "cpu=0", limits: { cpuTimeMs: 1000 } },
  { given: "cpu=-1", limits: {} },
  { given: "memlock=-1:-1", limits: {} },
  { given: "stack=67108864", limits: {} },
])("$given", ({ given, limits }) => {
  expect(parseUlimits([given])).toEqual(limits);
});

test("of one name the last counts, and of --pids-limit and nproc the stricter", () => {
  expect(parseUlimits(["nofile=1", "nofile=2", "cpu=1"])).toEqual({ descriptorsMax: 2, cpuTimeMs: 1000 });
  const given = (nproc: number) =>
    parseFlags([`--ulimit=nproc=${nproc}`], { flags: RUN_FLAGS, interspersed: false, command: "wpod run" });
  for (const [pids, nproc, threadsMax] of [
    [5, 7, 5],
    [7, 5, 5],
    [5, -1, 5],
  ] as const) {
    expect(parseRunLimits(given(nproc), { threadsMax: pids, cpus: 1 })).toEqual({ threadsMax, cpus: 1 });
  }
});

describe("is refused, with the reason", () => {
  const FORM = "it is NAME=SOFT[:HARD]";
  const NUMBER = "a limit is a whole number, or -1 for none";
  const ORDER = "the soft limit is more than the hard one";
  test.each([
    { given: "", why: FORM },
    { given: "nofile", why: FORM },
    { given: "nofile:1", why: FORM },
    { given: "=1", why: 'there is no limit of the name ""' },
    { given: "files=1", why: 'there is no limit of the name "files"' },
    { given: "NOFILE=1", why: 'there is no limit of the name "NOFILE"' },
    { given: "__proto__=1", why: 'there is no limit of the name "__proto__"' },
    { given: "constructor=1", why: 'there is no limit of the name "constructor"' },
    { given: "nofile=", why: NUMBER },
    { given: "nofile=-2", why: NUMBER },
    { given: "nofile=1k", why: NUMBER },
    { given: "nofile=1.5", why: NUMBER },
    { given: "nofile=unlimited", why: NUMBER },
    { given: "nofile=9007199254740992", why: NUMBER },
    { given: "nofile=1:", why: NUMBER },
    { given: "nofile=1:2:3", why: "it has a soft and a hard limit at most" },
    { given: "nofile=2:1", why: ORDER },
    { given: "nofile=-1:1", why: ORDER },
  ])("$given", ({ given, why }) => {
    const refusal = expect.objectContaining({
      code: "USAGE",
      message: `invalid --ulimit ${JSON.stringify(given)}: ${why}`,
    });
    expect(() => parseUlimits([given])).toThrow(refusal);
  });
});

test.each([
  { given: "stack=8388608", warning: "limits nothing: the stack of a program is a part of its module" },
  { given: "memlock=1:2", warning: "limits nothing: a program can't lock memory" },
  { given: "core=1", warning: "limits nothing: wpod writes no core files" },
  { given: "nofile=1048576:1048576", warning: "is 65536: a program can't have more descriptors" },
  { given: "nofile=-1", warning: "is 65536: a program can't have more descriptors" },
  { given: "nofile=65536", warning: undefined },
  { given: "core=0", warning: undefined },
  { given: "memlock=-1:-1", warning: undefined },
  { given: "cpu=1", warning: undefined },
])("$given: $warning", ({ given, warning }) => {
  expect(ulimitWarnings([given])).toEqual(warning === undefined ? [] : [`--ulimit ${given} ${warning}`]);
});
