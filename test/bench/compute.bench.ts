/** A guest that computes and calls nothing: a container must cost it nothing. */
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { preparePrograms } from "./programs.ts";

export default async function compute({ directory }: Bench): Promise<BenchCase[]> {
  const programs = await preparePrograms(directory);
  const nbody = await guest("nbody");
  const sha256 = await guest("sha256");

  const steps = ["2000000"];
  const nbodyMs = async (args: string[]) => (await programs.json<{ seconds: number }>(args)).seconds * 1000;
  // The second round of a process: the first one runs in V8's baseline compiler until it ends.
  const rounds = ["20", "2"];
  const sha256Ms = async (args: string[]) =>
    ((await programs.json<{ seconds: number[] }>(args)).seconds[1] ?? Number.NaN) * 1000;

  return [
    {
      name: "nbody",
      unit: "ms",
      subject: { name: "in a container", measure: () => nbodyMs(programs.container(nbody, steps)) },
      baseline: { name: "plain WebAssembly", measure: () => nbodyMs(programs.plain(nbody, steps)) },
      ratioMax: 1.03,
    },
    {
      name: "sha256",
      unit: "ms",
      subject: { name: "in a container", measure: () => sha256Ms(programs.container(sha256, rounds)) },
      baseline: { name: "plain WebAssembly", measure: () => sha256Ms(programs.plain(sha256, rounds)) },
      ratioMax: 1.03,
    },
  ];
}
