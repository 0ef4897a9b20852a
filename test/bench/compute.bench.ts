/**
 * Guests that compute for long in one call and call nothing, in CPU time of whole processes: against the same C compiled natively, the same module under Node's own
 * WASI, the same container without re-entry, and wasmtime. Compilers and wasmtime that aren't there are left out, and said so.
 */
import { join } from "node:path";
import { mustRun } from "../fixtures/child.ts";
import { compileC } from "../fixtures/compile.ts";
import { type GuestName, guestSource } from "../fixtures/guests.ts";
import { python } from "../fixtures/programs/python-package.ts";
import { tool } from "../fixtures/tools.ts";
import { measureWasmtime, type WasmtimeChecks } from "../fixtures/wasmtime.ts";
import type { Bench, BenchCase, Side } from "./bench-case.ts";
import { cpuMs, preparePrograms } from "./programs.ts";

const GUESTS: readonly { name: GuestName; args: readonly string[] }[] = [
  { name: "sha256", args: ["600"] },
  { name: "nbody", args: ["10000000"] },
  { name: "matmul", args: ["900", "2"] },
];
/** What makes the best of these: V8 doesn't unroll a loop of 64 rounds, and sha256 is three of them. */
const BEST = ["-O3", "-mllvm", "-unroll-threshold=4000"];
const WASMTIME: readonly { checks: WasmtimeChecks; name: string }[] = [
  { checks: "none", name: "wasmtime" },
  { checks: "epochs", name: "wasmtime with epochs" },
  { checks: "fuel", name: "wasmtime with fuel" },
];

export default async function compute({ directory }: Bench): Promise<BenchCase[]> {
  const programs = await preparePrograms(directory);
  const compiler = tool("cc");
  const hasWasmtime = python !== undefined && (await runsWasmtime());
  if (compiler === undefined) console.error("compute: left out what is compiled natively: there is no cc");
  if (!hasWasmtime) console.error("compute: left out wasmtime: its package for Python isn't to be had");

  const cases: BenchCase[] = [];
  for (const { name, args } of GUESTS) {
    const source = guestSource(name);
    const module = await compileC(source, BEST);
    const container = () => programs.cpuMs(programs.container(module, args));
    const against = (what: string, baseline: Side, ratioMax?: number) =>
      cases.push({
        name: `${name}, ${what}`,
        unit: "ms",
        subject: { name: "in a container", measure: container },
        baseline,
        ...(ratioMax === undefined ? {} : { ratioMax }),
        rounds: 7,
      });

    if (compiler !== undefined) {
      const native = join(directory, name);
      await mustRun(compiler, ["-O2", "-o", native, source, "-lm"]);
      against("native", { name: "cc -O2", measure: () => cpuMs(native, args) }, 1.3);
    }
    const plain = () => programs.cpuMs(programs.plain(module, args));
    against("plain", { name: "plain WebAssembly", measure: plain }, 1.05);
    const off = () => programs.cpuMs(programs.container(module, args), { WPOD_REENTRY: "off" });
    against("re-entry", { name: "without re-entry", measure: off });
    for (const { checks, name } of hasWasmtime ? WASMTIME : []) {
      against(name, { name, measure: () => measureWasmtime(module, args, checks) });
    }
  }
  return cases;
}

async function runsWasmtime(): Promise<boolean> {
  try {
    const module = await compileC(guestSource("fib"));
    return (await measureWasmtime(module, ["1"], "none")) >= 0;
  } catch {
    return false;
  }
}
