/**
 * Large modules that do next to nothing: esbuild (20 MB) says its version, CPython (26 MB) ends at once. wpod reads them to know what
 * they need, rewrites what may run for long, and must not compile them twice.
 */
import { mustRun } from "../fixtures/child.ts";
import { esbuildModule, pythonModule } from "../fixtures/programs/pinned.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { timeProcess } from "./process-time.ts";
import { preparePrograms } from "./programs.ts";

export default async function moduleStart({ directory }: Bench): Promise<BenchCase[]> {
  const programs = await preparePrograms(directory);
  const { env } = programs;
  const measured = (name: string, args: string[], more: Record<string, string> = {}) => ({
    name,
    measure: async () => (await timeProcess(process.execPath, args, { env: { ...env, ...more } })).wallMs,
  });
  const [wpod = ""] = programs.container("", []);
  const cases: BenchCase[] = [];
  for (const { name, module, args, ratioMax } of [
    { name: "esbuild", module: await esbuildModule(), args: ["--version"], ratioMax: 1.2 },
    { name: "CPython", module: await pythonModule(), args: ["-c", "pass"], ratioMax: 1.3 },
  ]) {
    const image = `localhost/${name.toLowerCase()}`;
    await mustRun(process.execPath, [wpod, "import", module, image], { env });
    const plain = measured("plain lazy compiling", programs.plain(module, args));
    const off = measured("without re-entry", programs.container(module, args), { WPOD_REENTRY: "off" });
    const file = measured("wpod run FILE", programs.container(module, args));
    cases.push(
      { name: `${name}, file`, unit: "ms", subject: file, baseline: plain, ratioMax },
      {
        name: `${name}, image`,
        unit: "ms",
        subject: measured("wpod run IMAGE", programs.container(image, args)),
        baseline: plain,
        ratioMax,
      },
      { name: `${name}, re-entry`, unit: "ms", subject: file, baseline: off },
    );
  }
  return cases;
}
