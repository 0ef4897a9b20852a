/** 1 GiB through `wpod run -i cat`, between two pipes of a shell, and the most memory that takes. */
import assert from "node:assert/strict";
import { mkdtemp, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { guest } from "../fixtures/guests.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { timeProcess } from "./process-time.ts";
import { preparePrograms, WPOD } from "./programs.ts";

const MIB = 1024;

export default async function stream({ directory }: Bench): Promise<BenchCase[]> {
  const { env } = await preparePrograms(await mkdtemp(join(directory, "stream-")));
  const cat = await guest("cat");
  const container = `'${process.execPath}' '${WPOD}' run --rm -i '${cat}'`;

  const throughput = async (program: string) => {
    const pipe = `set -e; head -c ${MIB}m /dev/zero | ${program} | wc -c | grep -q '^ *${MIB * 1024 * 1024}$'`;
    const { wallMs } = await timeProcess("/bin/sh", ["-c", pipe], { env });
    return MIB / (wallMs / 1000);
  };
  // From a file without blocks, so that the disk isn't measured; through pipes that this process feeds and empties.
  const zeros = join(directory, "zeros");
  await writeFile(zeros, "");
  await truncate(zeros, MIB * 1024 * 1024);
  const peakMiB = async () => {
    let receivedBytes = 0;
    const { peakBytes } = await timeProcess(process.execPath, [WPOD, "run", "--rm", "-i", cat], {
      env,
      stdinPath: zeros,
      onOutput: (chunk) => {
        receivedBytes += chunk.length;
      },
      watchMemory: true,
    });
    assert.equal(receivedBytes, MIB * 1024 * 1024);
    return (peakBytes ?? Number.NaN) / 1024 / 1024;
  };
  return [
    {
      name: "cat",
      unit: "MB/s",
      subject: { name: "wpod run -i cat", measure: () => throughput(container) },
      baseline: { name: "cat", measure: () => throughput("cat") },
      rounds: 5,
    },
    { name: "memory", unit: "MB", subject: { name: "wpod run -i cat", measure: peakMiB }, rounds: 1 },
  ];
}
