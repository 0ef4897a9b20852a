/** How exactly CPU time is limited: of programs that compute all the time, over ten seconds and in the worst of them. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { outputOf } from "./process-output.ts";

const ENGINE = new URL("../../dist/engine.mjs", import.meta.url).href;

/**
 * A process of its own: what its threads use is the program's, but for its first. Prints by how many ms of CPU time a second the
 * program was off, as a mean and in the worst second.
 */
const HOUSE = `
import { Engine } from ${JSON.stringify(ENGINE)};
const [program, root, cpus, ...args] = process.argv.slice(1);
const engine = new Engine({ root });
const usedMs = () => {
  const whole = process.cpuUsage();
  const own = process.threadCpuUsage();
  return (whole.user + whole.system - own.user - own.system) / 1000;
};
const up = Promise.withResolvers();
await engine.launch(program, { args, limits: { cpus: Number(cpus) }, stdout: () => up.resolve() });
await up.promise;
const seconds = [{ ms: performance.now(), usedMs: usedMs() }];
while (seconds.length <= 10) {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  seconds.push({ ms: performance.now(), usedMs: usedMs() });
}
const off = (from, to) => Math.abs((to.usedMs - from.usedMs) / (to.ms - from.ms) - cpus) * 1000;
const worst = Math.max(...seconds.slice(1).map((second, index) => off(seconds[index], second)));
console.log(JSON.stringify({ mean: off(seconds[0], seconds.at(-1)), worst }));
await engine[Symbol.asyncDispose]();
`;

export default async function cpuLimit({ directory }: Bench): Promise<BenchCase[]> {
  const spin = await guest("spin");
  const threads = await guest("threads");
  const programs = [
    { cpus: 0.1, args: [spin, "up"] },
    { cpus: 0.25, args: [spin, "up"] },
    { cpus: 0.5, args: [spin, "up"] },
    { cpus: 1.5, args: [threads, "all-spin"] },
  ];
  return programs.flatMap(({ cpus, args: [program, ...args] }): BenchCase[] => {
    const houses: Promise<{ mean: number; worst: number }>[] = [];
    const side = (name: string, which: "mean" | "worst") => {
      let next = 0;
      const measure = async () => {
        const index = next++;
        houses[index] ??= (async () => {
          const root = await mkdtemp(join(directory, "house-"));
          const command = ["--input-type=module", "-e", HOUSE, "--", program!, root, `${cpus}`, ...args];
          return JSON.parse(await outputOf(command));
        })();
        return (await houses[index])[which];
      };
      return { name, measure };
    };
    const name = `${cpus} of a core`;
    return [
      {
        name: `${name}, ten seconds`,
        unit: "ms",
        subject: side("CPU time off, a second", "mean"),
        valueMax: 20,
        rounds: 3,
      },
      {
        name: `${name}, each`,
        unit: "ms",
        subject: side("CPU time off, in the worst", "worst"),
        valueMax: 50,
        rounds: 3,
      },
    ];
  });
}
