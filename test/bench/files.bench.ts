/** The file system seen from inside a container, against the same C program under `node:wasi` on a directory of the host (a tmpfs). */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { preparePrograms } from "./programs.ts";

/** Where Linux has a file system in memory; elsewhere the bench's own directory has to do. */
const MEMORY = "/dev/shm";

const PHASES = [
  { name: "stat", ratioMax: 1 },
  { name: "open-read", ratioMax: 1 },
  { name: "readdir-10k", ratioMax: 1 },
  { name: "readdir-100k", ratioMax: 1, rounds: 1 },
  { name: "create-write-unlink", ratioMax: 1 },
  { name: "write-256m", ratioMax: 0.5, rounds: 5 },
  { name: "read-256m", ratioMax: 0.5, rounds: 5 },
] as const;

export default async function files({ directory, defer }: Bench): Promise<BenchCase[]> {
  const inMemory = existsSync(MEMORY) ? await mkdtemp(join(MEMORY, "wpod-bench-")) : directory;
  if (inMemory !== directory) defer(() => rm(inMemory, { recursive: true, force: true }));
  const programs = await preparePrograms(inMemory);
  const fsbench = await guest("fsbench");

  return PHASES.map(({ name, ...bounds }) => {
    const milliseconds = async (nodeArgs: string[]) =>
      ((await programs.json<Record<string, number>>(nodeArgs))[name] ?? Number.NaN) * 1000;
    return {
      name,
      unit: "ms",
      subject: {
        name: "in a container",
        measure: () => milliseconds(programs.container(fsbench, ["/", name])),
      },
      baseline: {
        name: "node:wasi on tmpfs",
        measure: () => milliseconds(programs.plain(fsbench, ["/", name])),
      },
      ...bounds,
    };
  });
}
