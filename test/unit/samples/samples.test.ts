import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inspect } from "../../../runtime/core/wasm/inspect.ts";
import { capMemory } from "../../../runtime/core/wasm/memory-cap.ts";
import { compileSample } from "../../../samples/build.ts";
import { makeImage } from "../../../samples/make-image.ts";
import { SAMPLES, type SampleName, sampleDirectory } from "../../../samples/sample.ts";
import { mustRun } from "../../fixtures/child.ts";
import { engineForTest } from "../../fixtures/engine-for-test.ts";
import { formatTranscript, parseTranscript, type TranscriptStep } from "../../fixtures/transcript.ts";
import { runWasmtime } from "../../fixtures/wasmtime.ts";

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "wpod-samples-"));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const committed = (name: SampleName) => join(sampleDirectory(name), `${name}.wasm`);

describe.each(SAMPLES)("%s", (name) => {
  test("the committed program is what its source builds to, to the byte", { timeout: 120_000 }, async () => {
    const built = await readFile(await compileSample(name));
    expect(built.equals(await readFile(committed(name)))).toBe(true);
    expect(built.length).toBeLessThan(60_000);
  });

  test("it is a command of preview 1 that needs under 1 MiB", async () => {
    const bytes = await readFile(committed(name));
    const found = inspect(bytes);
    expect(found).toMatchObject({ kind: "module", problem: undefined, entryPoint: "command" });
    if (found.kind !== "module") return;
    expect(new Set(found.imports.map(({ module }) => module))).toEqual(new Set(["wasi_snapshot_preview1"]));
    expect(capMemory(bytes, 1024 * 1024).kind).toBe("capped");
  });

  test("its image is the same each time, and tar agrees on what is in it", async () => {
    const first = join(scratch, "first");
    const second = join(scratch, "second");
    await makeImage(name, first);
    await makeImage(name, second);
    const names = (await readdir(first, { recursive: true })).sort();
    expect((await readdir(second, { recursive: true })).sort()).toEqual(names);
    expect(await readFile(join(second, "index.json"))).toEqual(await readFile(join(first, "index.json")));
    expect(names.filter((path) => /^blobs.sha256.[0-9a-f]{64}$/.test(path))).toHaveLength(3);
  });

  test("prints what its expected.txt says, under wpod", { timeout: 120_000 }, async () => {
    const { layout, rootfs } = await extractLayer(name);
    await mkdir(join(rootfs, "data"), { recursive: true });
    const expected = await readFile(join(sampleDirectory(name), "expected.txt"), "utf8");
    const seen: TranscriptStep[] = [];
    await using test = await engineForTest();
    // Each command is a container of its own, so what they share is a directory of the host.
    const mounts = [{ type: "bind" as const, source: join(rootfs, "data"), target: "/data" }];
    for (const { argv } of parseTranscript(expected)) {
      const { exitCode, stdout, stderr } = await test.engine.run(`oci:${layout}`, {
        entrypoint: argv,
        mounts,
      });
      seen.push({ argv, output: `${decode(stdout)}${decode(stderr)}`, exitCode });
    }
    // Only the environment is the runtime's own.
    const own = (transcript: string) => transcript.replace(/(?<=^Environment:\n)( {2}.*\n)+/m, "");
    expect(own(formatTranscript(seen))).toBe(own(expected));
  });

  test("prints what its expected.txt says, under wasmtime", { timeout: 120_000 }, async () => {
    const { rootfs } = await extractLayer(name);
    const expected = await readFile(join(sampleDirectory(name), "expected.txt"), "utf8");
    const seen: TranscriptStep[] = [];
    for (const { argv } of parseTranscript(expected)) {
      const env = { PATH: "/bin", GREETING: "hi" };
      const result = await runWasmtime({ module: committed(name), argv, env, directories: { "/": rootfs } });
      const output = `${result.stdout}${result.stderr}`;
      seen.push({ argv, output, exitCode: result.exitCode ?? -1 });
    }
    expect(formatTranscript(seen)).toBe(expected);
  });
});

/** The only layer of a sample's image, unpacked by the machine's own tar. */
async function extractLayer(name: SampleName): Promise<{ layout: string; rootfs: string }> {
  const layout = join(scratch, "layout");
  const rootfs = join(scratch, "rootfs");
  await makeImage(name, layout);
  await mkdir(rootfs);
  const blob = async (digest: string) => join(layout, "blobs", ...digest.split(":"));
  const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
  const manifest = JSON.parse(await readFile(await blob(index.manifests[0].digest), "utf8"));
  await cp(await blob(manifest.layers[0].digest), join(scratch, "layer.tar"));
  await mustRun("tar", ["-xf", "layer.tar", "-C", "rootfs"], { cwd: scratch });
  return { layout, rootfs };
}
