/**
 * Compiles the samples, and puts each .wasm beside its source. Only needed after a change: the results are part of the repository.
 *
 * usage: node samples/build.ts
 */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { SAMPLES, type SampleName, sampleDirectory } from "./sample.ts";

/** Small before fast: they stand in the repository, and have nothing to compute. */
const SAMPLE_FLAGS = ["-Oz"];

// The compiler is a tool of the tests, which import the samples: so the samples don't import it in turn, but load it.
const compiler = new URL("../test/fixtures/compile.ts", import.meta.url).href;

/** @returns path of the .wasm in the cache; the same source gives the same bytes */
export async function compileSample(name: SampleName): Promise<string> {
  const { compileC } = (await import(compiler)) as {
    compileC: (source: string, flags: readonly string[]) => Promise<string>;
  };
  return await compileC(join(sampleDirectory(name), `${name}.c`), SAMPLE_FLAGS);
}

if (import.meta.main) {
  for (const name of SAMPLES) {
    const target = join(sampleDirectory(name), `${name}.wasm`);
    await copyFile(await compileSample(name), target);
    console.log(target);
  }
}
