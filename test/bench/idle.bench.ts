/** Many containers of one image that only wait, in one process: what each costs in memory, and whether a full house starts slower. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { outputOf } from "./process-output.ts";

const ENGINE = new URL("../../dist/engine.mjs", import.meta.url).href;
const COUNT = 100;

/**
 * Starts the containers one after the other in a process of their own. Prints the memory of the process after the first
 * and the last, in bytes, and the CPU time of the second and the last start, in ms; the median of three around each.
 */
const HOUSE = `
import { Engine } from ${JSON.stringify(ENGINE)};
const [program, root, placement] = process.argv.slice(1);
const engine = new Engine({ root, placement });
await engine.images.import(program, "sleep");
const cpuMs = [];
let firstBytes = 0;
for (let count = 0; count < ${COUNT + 1}; count++) {
  const before = process.cpuUsage();
  await engine.launch("sleep", { args: ["3600000"], keepFiles: false });
  const { user, system } = process.cpuUsage(before);
  cpuMs.push((user + system) / 1000);
  if (count === 0) firstBytes = process.memoryUsage.rss();
}
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const lastBytes = process.memoryUsage.rss();
console.log(JSON.stringify({ firstBytes, lastBytes, second: median(cpuMs.slice(1, 6)), last: median(cpuMs.slice(-5)) }));
await engine[Symbol.asyncDispose]();
`;

interface House {
  firstBytes: number;
  lastBytes: number;
  second: number;
  last: number;
}

export default async function idle({ directory }: Bench): Promise<BenchCase[]> {
  const program = await guest("sleep");
  const house = async (placement: string): Promise<House> => {
    const root = await mkdtemp(join(directory, "house-"));
    return JSON.parse(await outputOf(["--input-type=module", "-e", HOUSE, "--", program, root, placement]));
  };
  return ["worker", "kernel"].flatMap((placement): BenchCase[] => {
    const houses: Promise<House>[] = [];
    const nextOf = () => {
      let next = 0;
      return () => {
        const index = next++;
        houses[index] ??= house(placement);
        return houses[index];
      };
    };
    const [memory, second, last] = [nextOf(), nextOf(), nextOf()];
    return [
      {
        name: `memory of one of ${COUNT}, files in the ${placement}`,
        unit: "MB",
        subject: {
          name: "an idle container",
          measure: async () => {
            const { firstBytes, lastBytes } = await memory();
            return (lastBytes - firstBytes) / COUNT / 1e6;
          },
        },
        valueMax: 9,
        rounds: 3,
      },
      {
        name: `start of the last of ${COUNT}, files in the ${placement}`,
        unit: "ms",
        subject: { name: `CPU of start ${COUNT}`, measure: async () => (await last()).last },
        baseline: { name: "CPU of start 2", measure: async () => (await second()).second },
        ratioMax: 1.3,
        rounds: 3,
      },
    ];
  });
}
