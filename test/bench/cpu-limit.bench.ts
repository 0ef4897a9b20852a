/**
 * How exactly CPU time is limited, by both ways: of programs that compute all the time, over ten seconds and in the worst of them; how it is divided, what a
 * neighbour keeps, and what it costs to look.
 */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { outputOf } from "./process-output.ts";

const ENGINE = new URL("../../dist/engine.mjs", import.meta.url).href;

/** A process of its own: what its threads use is the programs', but for its first. */
const HOUSE = `
import { Engine } from ${JSON.stringify(ENGINE)};
const { root, cpuControl, groupCpus, programs, seconds } = JSON.parse(process.argv[1]);
const engine = new Engine({ root, cpuControl });
const group = groupCpus === undefined ? undefined : engine.group({ cpus: groupCpus });
const own = () => process.threadCpuUsage();
const ms = ({ user, system }) => (user + system) / 1000;
const othersMs = () => ms(process.cpuUsage()) - ms(own());
const containers = [];
for (const { path, args, limits } of programs) {
  const up = Promise.withResolvers();
  containers.push(await engine.launch(path, { args, limits, group, stdout: () => up.resolve() }));
  if (args[0] !== "600000") await up.promise;
}
if (seconds.wait) await new Promise((resolve) => setTimeout(resolve, seconds.wait * 1000));
const usedMs = async () => Promise.all(containers.map(async (one) => (await one.stats()).cpu.usageUs / 1000));
const whole = programs.length > 1 && programs.length < 9;
const look = async () => ({ atMs: performance.now(), othersMs: othersMs(), ownMs: ms(own()), each: whole ? await usedMs() : [] });
const looks = [await look()];
while (looks.length <= seconds.count) {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  looks.push(await look());
}
console.log(JSON.stringify(looks));
await engine[Symbol.asyncDispose]();
`;

/** CPU time of a program's run, in milliseconds. */
const ONCE = `
import { Engine } from ${JSON.stringify(ENGINE)};
const { root, path, args, limits } = JSON.parse(process.argv[1]);
const engine = new Engine({ root });
await engine.run(path, { args, limits });
const { user, system } = process.cpuUsage();
console.log((user + system) / 1000);
await engine[Symbol.asyncDispose]();
`;

interface Look {
  atMs: number;
  /** Of all threads but the engine's. */
  othersMs: number;
  ownMs: number;
  /** Of each container. */
  each: number[];
}
interface Plan {
  cpuControl?: string;
  groupCpus?: number;
  programs: { path: string; args: string[]; limits: object }[];
  seconds: { wait?: number; count: number };
}

/** How much of a second of this is used in each second between two looks. */
const share = (from: Look, to: Look, of: (look: Look) => number) =>
  (of(to) - of(from)) / (to.atMs - from.atMs);
const whole = (looks: Look[], of: (look: Look) => number) => share(looks[0]!, looks.at(-1)!, of);

export default async function cpuLimit({ directory }: Bench): Promise<BenchCase[]> {
  const [spin, threads, sleep] = await Promise.all([guest("spin"), guest("threads"), guest("sleep")]);
  const house = (plan: Plan) => {
    const rounds: Promise<Look[]>[] = [];
    return (round: number): Promise<Look[]> => {
      rounds[round] ??= (async () => {
        const root = await mkdtemp(join(directory, "house-"));
        const given = JSON.stringify({ ...plan, root });
        return JSON.parse(await outputOf(["--input-type=module", "-e", HOUSE, "--", given])) as Look[];
      })();
      return rounds[round];
    };
  };
  const side = (
    name: string,
    looks: (round: number) => Promise<Look[]>,
    value: (looks: Look[]) => number,
  ) => {
    let next = 0;
    return { name, measure: async () => value(await looks(next++)) };
  };
  const others = ({ othersMs }: Look) => othersMs;

  const limits = [
    { cpus: 0.1, path: spin, args: ["up"] },
    { cpus: 0.25, path: spin, args: ["up"] },
    { cpus: 0.5, path: spin, args: ["up"] },
    { cpus: 1, path: threads, args: ["all-spin"] },
    { cpus: 1.5, path: threads, args: ["all-spin"] },
  ];
  const accuracy = ["interrupt", "metering"].flatMap((cpuControl) =>
    limits.flatMap(({ cpus, path, args }): BenchCase[] => {
      const looks = house({
        cpuControl,
        programs: [{ path, args, limits: { cpus } }],
        seconds: { count: 10 },
      });
      const off = (from: Look, to: Look) => Math.abs(share(from, to, others) - cpus) * 1000;
      const worst = (all: Look[]) => Math.max(...all.slice(1).map((to, index) => off(all[index]!, to)));
      const name = `${cpus} of a core by ${cpuControl}`;
      const mean = side("CPU time off, a second", looks, (all) => off(all[0]!, all.at(-1)!));
      const each = side("CPU time off, in the worst", looks, worst);
      return [
        { name: `${name}, ten seconds`, unit: "ms", subject: mean, valueMax: 20, rounds: 2 },
        { name: `${name}, each`, unit: "ms", subject: each, valueMax: 50, rounds: 2 },
      ];
    }),
  );

  const pair = [3072, 1024].map((cpuShares) => ({ path: spin, args: ["up"], limits: { cpuShares } }));
  const shared = house({ groupCpus: 1, programs: pair, seconds: { wait: 1, count: 5 } });
  const ratio = (looks: Look[]) =>
    whole(looks, ({ each }) => each[0]!) / whole(looks, ({ each }) => each[1]!);

  const beside = [
    { path: spin, args: ["up"], limits: {} },
    { path: spin, args: ["up"], limits: { cpus: 0.25 } },
  ];
  const neighbours = house({ programs: beside, seconds: { wait: 1, count: 5 } });

  const idle = Array.from({ length: 100 }, () => ({ path: sleep, args: ["600000"], limits: { cpus: 0.5 } }));
  const asleep = house({ programs: idle, seconds: { wait: 3, count: 10 } });
  const [nbody, sha256] = await Promise.all([guest("nbody"), guest("sha256")]);
  const unreached = [
    { name: "nbody", path: nbody, args: ["2000000"] },
    { name: "sha256", path: sha256, args: ["100"] },
  ].map(({ name, path, args }): BenchCase => {
    const run = (limits: object) => async () => {
      const root = await mkdtemp(join(directory, "once-"));
      const given = JSON.stringify({ root, path, args, limits });
      return Number(await outputOf(["--input-type=module", "-e", ONCE, "--", given]));
    };
    return {
      name: `${name} under a limit that is never reached`,
      unit: "ms",
      subject: { name: "CPU time with --cpus 4", measure: run({ cpus: 4 }) },
      baseline: { name: "without", measure: run({}) },
      ratioMax: 1.01,
      rounds: 9,
    };
  });
  return [
    ...accuracy,
    ...unreached,
    {
      name: "shares of 3072 and 1024 in a core",
      unit: "%",
      subject: side(
        "off three to one, in percent",
        shared,
        (looks) => (Math.abs(ratio(looks) - 3) / 3) * 100,
      ),
      valueMax: 10,
      rounds: 2,
    },
    {
      name: "who has no limit, beside one that has",
      unit: "ms",
      subject: side(
        "of a second it doesn't get",
        neighbours,
        (looks) => 1000 - whole(looks, ({ each }) => each[0]!) * 1000,
      ),
      valueMax: 100,
      rounds: 2,
    },
    {
      name: "looking after 100 that sleep",
      unit: "ms",
      subject: side(
        "CPU time of the engine, a second",
        asleep,
        (looks) => whole(looks, ({ ownMs }) => ownMs) * 1000,
      ),
      valueMax: 10,
      rounds: 2,
    },
  ];
}
