/** What it costs to be metered: a guest's speed, its size, and the time to rewrite it. All without wpod around. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addMetering } from "../../runtime/core/wasm/metering.ts";
import { addReentry } from "../../runtime/core/wasm/reentry.ts";
import { GUEST_NAMES, guest, guestSource } from "../fixtures/guests.ts";
import { clang, esbuildModule, pythonModule } from "../fixtures/programs/pinned.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { preparePrograms } from "./programs.ts";

const MEGABYTE = 1e6;
const REWRITTEN_BYTES_PER_MS_MIN = (100 * MEGABYTE) / 1000;

const PYTHON_LOOP = "total = 0\nfor i in range(3_000_000): total += i * i % 7";

export default async function metering({ directory }: Bench): Promise<BenchCase[]> {
  const programs = await preparePrograms(directory);
  const python = await pythonModule();
  const { module: clangModule, usr } = await clang();

  const meteredFile = async (file: string) => {
    const metered = join(await mkdtemp(join(directory, "metered-")), "program.wasm");
    await writeFile(metered, meteredBytes(await readFile(file)));
    return metered;
  };
  // As it is asked for: 1.05 in the median of all guests, 1.3 for the worst.
  const compared = async (
    name: string,
    file: string,
    measureMs: (module: string) => Promise<number>,
    rounds = 9,
  ): Promise<BenchCase> => {
    const metered = await meteredFile(file);
    return {
      name,
      unit: "ms",
      subject: { name: "metered", measure: () => measureMs(metered) },
      baseline: { name: "as it is", measure: () => measureMs(file) },
      ratioMax: 1.3,
      rounds,
    };
  };
  const entered = async (file: string) => {
    const path = join(await mkdtemp(join(directory, "entered-")), "program.wasm");
    await writeFile(path, addReentry(await readFile(file)));
    return path;
  };
  const running = (args: readonly string[], argv0?: string) => (module: string) =>
    programs.cpuMs(programs.plain(module, args), argv0 === undefined ? {} : { ARGV0: argv0 });
  // Headers, and what is to be compiled, where the compiler finds them.
  await cp(usr, join(programs.root, "usr"), { recursive: true });
  await cp(guestSource("sha256"), join(programs.root, "sha256.c"));
  const compile = ["-O2", "-c", "/sha256.c", "-o", "/sha256.o"];

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
    await compared("fib", await guest("fib"), running(["40"])),
    await compared("nbody", await guest("nbody"), running(["4000000"])),
    await compared("sha256", await guest("sha256"), running(["150"])),
    await compared("matmul", await guest("matmul"), running(["600", "3"])),
    await compared("nbody with re-entry", await entered(await guest("nbody")), running(["6000000"])),
    await compared("matmul with re-entry", await entered(await guest("matmul")), running(["600", "3"])),
    await compared("python", python, running(["-c", PYTHON_LOOP]), 5),
    await compared("clang", clangModule, running(compile, "clang"), 5),
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
  const before = process.threadCpuUsage();
  meteredBytes(bytes);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
