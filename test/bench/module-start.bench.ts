/** A module of 20 MB (esbuild) that only says its version: wpod reads it to know what it needs, and must not compile it twice. */
import { mustRun } from "../fixtures/child.ts";
import { esbuildModule } from "../fixtures/programs/pinned.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { timeProcess } from "./process-time.ts";
import { preparePrograms } from "./programs.ts";

export default async function moduleStart({ directory }: Bench): Promise<BenchCase[]> {
  const programs = await preparePrograms(directory);
  const module = await esbuildModule();
  const { env } = programs;
  const measured = (name: string, args: string[]) => ({
    name,
    measure: async () => (await timeProcess(process.execPath, args, { env })).wallMs,
  });
  const imported = "localhost/esbuild";
  const [wpod = ""] = programs.container(module, []);
  await mustRun(process.execPath, [wpod, "import", module, imported], { env });

  const plain = measured("plain lazy compiling", programs.plain(module, ["--version"]));
  return [
    {
      name: "file",
      unit: "ms",
      subject: measured("wpod run FILE", programs.container(module, ["--version"])),
      baseline: plain,
      ratioMax: 1.2,
    },
    {
      name: "image",
      unit: "ms",
      subject: measured("wpod run IMAGE", programs.container(imported, ["--version"])),
      baseline: plain,
      ratioMax: 1.2,
    },
  ];
}
