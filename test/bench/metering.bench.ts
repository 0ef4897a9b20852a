/** What it costs to be metered: a guest's speed, its size, and the time to rewrite it. All without wpod around. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addMetering } from "../../runtime/core/wasm/metering.ts";
import { GUEST_NAMES, guest } from "../fixtures/guests.ts";
import { clang, esbuildModule, pythonModule } from "../fixtures/programs/pinned.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { timeProcess } from "./process-time.ts";
import { preparePrograms } from "./programs.ts";

const MEGABYTE = 1e6;
const REWRITTEN_BYTES_PER_MS_MIN = (100 * MEGABYTE) / 1000;

const PYTHON_LOOP = "total = 0\nfor i in range(3_000_000): total += i * i % 7";

export default async function metering({ directory }: Bench): Promise<BenchCase[]> {
  const programs = await preparePrograms(directory);
  const python = await pythonModule();
  const clangModule = (await clang()).module;

  const meteredFile = async (file: string) => {
    const metered = join(await mkdtemp(join(directory, "metered-")), "program.wasm");
    await writeFile(metered, meteredBytes(await readFile(file)));
    return metered;
  };
  const compared = async (
    name: string,
    file: string,
    measureMs: (module: string) => Promise<number>,
  ): Promise<BenchCase> => {
    const metered = await meteredFile(file);
    return {
      name,
      unit: "ms",
      subject: { name: "metered", measure: () => measureMs(metered) },
      baseline: { name: "as it is", measure: () => measureMs(file) },
      ratioMax: 1.05,
    };
  };
  // As in compute.bench.ts.
  const nbodyMs = async (module: string) =>
    (await programs.json<{ seconds: number }>(programs.plain(module, ["2000000"]))).seconds * 1000;
  const sha256Ms = async (module: string) =>
    ((await programs.json<{ seconds: number[] }>(programs.plain(module, ["20", "2"]))).seconds[1] ??
      Number.NaN) * 1000;
  const pythonMs = async (module: string) =>
    (await timeProcess(process.execPath, programs.plain(module, ["-c", PYTHON_LOOP]), { env: programs.env }))
      .wallMs;

  const rewriting = async (name: string, file: string): Promise<BenchCase> => {
    const bytes = await readFile(file);
    return {
      name: `rewriting ${name}`,
      unit: "ms",
      subject: { name: `${(bytes.length / MEGABYTE).toFixed(1)} MB`, measure: () => rewriteMs(bytes) },
      valueMax: bytes.length / REWRITTEN_BYTES_PER_MS_MIN,
      rounds: 5,
    };
  };
  const growth = async (name: string, files: readonly string[]): Promise<BenchCase> => {
    const modules = await Promise.all(files.map(async (file) => await readFile(file)));
    const size = (of: (bytes: Uint8Array) => Uint8Array) =>
      modules.reduce((sum, bytes) => sum + of(bytes).length, 0) / MEGABYTE;
    return {
      name: `size of ${name}`,
      unit: "MB",
      subject: { name: "metered", measure: () => size(meteredBytes) },
      baseline: { name: "as it is", measure: () => size((bytes) => bytes) },
      ratioMax: 1.15,
      rounds: 1,
    };
  };
  const esbuild = await esbuildModule();
  return [
    await compared("nbody", await guest("nbody"), nbodyMs),
    await compared("sha256", await guest("sha256"), sha256Ms),
    { ...(await compared("python", python, pythonMs)), ratioMax: 1.3, rounds: 5 },
    await rewriting("clang", clangModule),
    await rewriting("esbuild", esbuild),
    await rewriting("CPython", python),
    await growth("C guests", await Promise.all(GUEST_NAMES.map(guest))),
    await growth("large programs", [clangModule, esbuild, python]),
  ];
}

function meteredBytes(bytes: Uint8Array): Uint8Array {
  const metering = addMetering(bytes);
  assert(metering.kind === "metered", "a real program can be metered");
  return metering.bytes;
}

function rewriteMs(bytes: Uint8Array): number {
  const started = performance.now();
  meteredBytes(bytes);
  return performance.now() - started;
}
