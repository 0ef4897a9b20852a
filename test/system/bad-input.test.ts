/** What people and hostile files do wrong, through the built command line: one clear sentence, the right status, no stack trace. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sampleDirectory } from "../../samples/sample.ts";
import { layerTar, type PlatformImage, writeDockerArchive, writeOciLayout } from "../fixtures/oci-image.ts";
import { Cli } from "./cli.ts";

const cli = new Cli();
const HELLO = readFileSync(join(sampleDirectory("hello"), "hello.wasm"));
/** A header of a component: version 13, layer 1. */
const COMPONENT = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);
/** `(module (import "env" "missing_one" (func)) (import "wasi_snapshot_preview1" "fd_read" (func)))` and a `_start`. */
const FOREIGN_IMPORT = Buffer.concat([
  Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 19, 1, 3),
  Buffer.from("env"),
  Uint8Array.of(11),
  Buffer.from("missing_one"),
  Uint8Array.of(0, 0, 3, 2, 1, 0, 7, 10, 1, 6),
  Buffer.from("_start"),
  Uint8Array.of(0, 1, 10, 4, 1, 2, 0, 0x0b),
]);
/** The beginning of a program for x86-64 Linux. */
const ELF = Buffer.concat([
  Buffer.from("\x7fELF\x02\x01\x01", "latin1"),
  Buffer.alloc(9),
  Uint8Array.of(2, 0, 0x3e, 0),
  Buffer.alloc(200),
]);

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(join(cli.directory, name), content);
}

async function image(program: Uint8Array, platform = "wasi/wasm"): Promise<PlatformImage> {
  const tar = await layerTar([{ path: "bin/" }, { path: "bin/program", content: program, mode: 0o755 }]);
  return { platform, layers: [{ tar }], config: { Entrypoint: ["/bin/program"] } };
}

beforeAll(async () => {
  await cli.loadSamples();
  write("text.txt", "not a module\n");
  write("empty.wasm", "");
  write("text.wasm", "(module)");
  write("truncated.wasm", HELLO.subarray(0, 1000));
  write("component.wasm", COMPONENT);
  write("imports.wasm", FOREIGN_IMPORT);
  write("elf.wasm", ELF);
  write("not-a-tar.tar", "x".repeat(2000));
  mkdirSync(join(cli.directory, "empty-dir"));
  await writeDockerArchive(join(cli.directory, "python.tar"), [
    { name: "python:3.11-slim", platforms: [await image(ELF, "linux/amd64")] },
  ]);
  await writeOciLayout(join(cli.directory, "corrupt"), [
    { name: "corrupt:1", platforms: [await image(HELLO)] },
  ]);
  const manifest = JSON.parse(
    readFileSync(
      blob(
        "corrupt",
        JSON.parse(readFileSync(join(cli.directory, "corrupt", "index.json"), "utf8")).manifests[0].digest,
      ),
      "utf8",
    ),
  );
  const layer = blob("corrupt", manifest.layers[0].digest);
  const bytes = readFileSync(layer);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(layer, bytes);
  write("a-file", "");
});
afterAll(() => cli.dispose());

function blob(layout: string, digest: string): string {
  return join(cli.directory, layout, "blobs", ...digest.split(":"));
}

const TABLE: readonly { name: string; args: readonly string[]; exitCode: number; stderr: RegExp }[] = [
  { name: "text in place of a module", args: ["run", "./text.txt"], exitCode: 126, stderr: /^Error: \.\/text\.txt isn't a WebAssembly module: / },
  { name: "an empty file", args: ["run", "empty.wasm"], exitCode: 126, stderr: /^Error: .*empty/ },
  { name: "WebAssembly as text", args: ["run", "text.wasm"], exitCode: 126, stderr: /^Error: .*text/ },
  { name: "a truncated module", args: ["run", "truncated.wasm"], exitCode: 126, stderr: /^Error: .*truncated\.wasm.*(truncated|ends|cut)/ },
  { name: "a component", args: ["run", "component.wasm"], exitCode: 126, stderr: /^Error: .*component/ },
  { name: "imports that we don't have, by name", args: ["run", "imports.wasm"], exitCode: 126, stderr: /^Error: .*env.*missing_one/s },
  { name: "a program for a processor", args: ["run", "elf.wasm"], exitCode: 126, stderr: /^Error: .*ELF.*WebAssembly/s },
  { name: "a module that isn't there", args: ["run", "./none.wasm"], exitCode: 125, stderr: /^Error: \.\/none\.wasm: no such file or directory\n/ },
  { name: "a directory", args: ["run", "./empty-dir"], exitCode: 126, stderr: /^Error: .*is a directory/ },
  { name: "an image of another platform", args: ["run", "docker-archive:python.tar"], exitCode: 125, stderr: /^Error: .*linux\/amd64.*ELF.*wpod runs WebAssembly.*\n.*\w/s },
  { name: "a corrupt blob, by its digest", args: ["load", "-i", "corrupt"], exitCode: 125, stderr: /^Error: .*sha256:[0-9a-f]{64}/ },
  { name: "row 88: no image at all", args: ["load", "-i", "not-a-tar.tar"], exitCode: 125, stderr: /^Error: payload does not match any of the supported image formats:/ },
  { name: "row 88: an empty directory", args: ["load", "-i", "empty-dir"], exitCode: 125, stderr: /^Error: payload does not match any of the supported image formats:/ },
  { name: "an archive that isn't there", args: ["load", "-i", "none.tar"], exitCode: 125, stderr: /^Error: .*none\.tar.*no such file or directory/ },
  { name: "an import of what isn't there", args: ["import", "none.tar"], exitCode: 125, stderr: /^Error: .*none\.tar.*no such file or directory/ },
  { name: "an import of what is neither tar nor module", args: ["import", "text.txt"], exitCode: 125, stderr: /^Error: / },
  { name: "row 85: capitals in a name", args: ["run", "UPPERCASE_REPO"], exitCode: 125, stderr: /^Error: invalid reference format: repository name \(.*UPPERCASE_REPO\) must be lowercase/ },
  { name: "no name at all", args: ["run", ""], exitCode: 125, stderr: /^Error: invalid reference format/ },
  { name: "a name that can't be", args: ["run", "a//b"], exitCode: 125, stderr: /^Error: invalid reference format: "a\/\/b"/ },
  { name: "escapes in a name are shown, not done", args: ["run", "\u001b[31mred"], exitCode: 125, stderr: /^Error: invalid reference format: "\\(u001b|e)/ },
  { name: "a tag for no image", args: ["tag", "absent", "x"], exitCode: 125, stderr: /^Error: absent: image not known/ },
  { name: "a tag that can't be", args: ["tag", "hello", "Bad"], exitCode: 125, stderr: /^Error: invalid reference format/ },
  { name: "a missing bind source", args: ["run", "-v", "./none:/x", "hello"], exitCode: 125, stderr: /^Error: statfs \S*none: no such file or directory\n/ },
  { name: "a bind over the root", args: ["run", "-v", ".:/", "hello"], exitCode: 125, stderr: /^Error: invalid container path/ },
  { name: "a relative target", args: ["run", "-v", ".:x", "hello"], exitCode: 125, stderr: /^Error: invalid container path "x", must be an absolute path/ },
  { name: "contradicting options", args: ["run", "-v", ".:/x:ro,rw", "hello"], exitCode: 125, stderr: /^Error: .*both ro and rw/ },
  { name: "a relative working directory", args: ["run", "-w", "rel", "hello"], exitCode: 125, stderr: /^Error: the working directory "rel" is invalid, it needs to be an absolute path/ },
  { name: "a user out of range", args: ["run", "-u", "4294967296", "hello"], exitCode: 126, stderr: /^Error: .*4294967296/ },
  { name: "row 25: flags that contradict each other", args: ["run", "--cpu-period=1", "--cpus=2", "hello"], exitCode: 125, stderr: /^Error: --cpus and --cpu-period cannot be set together\n$/ },
  { name: "row 25: the same, the other way round", args: ["run", "--cpus=2", "--cpu-quota=5000", "hello"], exitCode: 125, stderr: /^Error: --cpus and --cpu-quota cannot be set together\n$/ },
  { name: "negative CPUs", args: ["run", "--cpus", "-1", "hello"], exitCode: 125, stderr: /^Error: invalid --cpus "-1": it is a number such as 1\.5\n$/ },
  { name: "CPUs that are no number", args: ["run", "--cpus", "half", "hello"], exitCode: 125, stderr: /^Error: invalid --cpus "half"/ },
  { name: "hardly any CPU", args: ["run", "--cpus", "0.009", "hello"], exitCode: 125, stderr: /^Error: the limit of 0\.009 CPUs is less than 0\.01\n.*--cpus 0\.5/ },
  { name: "a period that is too short", args: ["run", "--cpu-period", "999", "hello"], exitCode: 125, stderr: /^Error: invalid --cpu-period 999: it is between 1000 and 1000000 microseconds\n$/ },
  { name: "a quota that is too small", args: ["run", "--cpu-quota", "999", "hello"], exitCode: 125, stderr: /^Error: invalid --cpu-quota 999: it is 1000 microseconds or more, or -1\n$/ },
  { name: "a platform that can't be", args: ["run", "--platform", "wasm", "oci:hello-layout"], exitCode: 125, stderr: /^Error: invalid platform "wasm"/ },
  { name: "a broken template", args: ["ps", "--format", "{{.ID"], exitCode: 125, stderr: /^Error: template: :1: unclosed action\n$/ },
  { name: "logs of nothing", args: ["logs", "bogus"], exitCode: 125, stderr: /^Error: no container with name or ID "bogus" found: no such container\n/ },
]; // biome-ignore format: a line for each

test.each(TABLE)("$name: $args", async ({ args, exitCode, stderr }) => {
  const printed = await cli.wpod(args);
  expect(printed).toEqual({ exitCode, stdout: "", stderr: expect.stringMatching(stderr) });
  // A sentence, and a line or two about what to do.
  expect(printed.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(4);
});

test("row 88: standard input that is no image", async () => {
  const printed = await cli.wpod(["load"], { stdin: "no image" });
  expect(printed).toMatchObject({
    exitCode: 125,
    stderr: expect.stringMatching(/^Error: payload does not match .*\n \* oci-archive: standard input is /),
  });
  expect(printed.stderr).not.toContain("wpod-load-");
});

test("a root that can't be used", async () => {
  const root = join(cli.directory, "a-file");
  const printed = await cli.wpod(["images"]);
  expect(printed.exitCode).toBe(0);
  const child = new Cli();
  Object.defineProperty(child, "root", { value: root });
  try {
    expect(await child.wpod(["images"])).toMatchObject({
      exitCode: 125,
      stdout: "",
      stderr: expect.stringMatching(/^Error: .*a-file/),
    });
  } finally {
    child.dispose();
  }
});

test("nothing of what was refused is left", async () => {
  const names = (await cli.must(["images", "--format", "{{.Repository}}"])).trim().split("\n").sort();
  expect(
    names.filter(
      (name) => !/^localhost\/(hello|files)$/.test(name) && !name.endsWith("/python") && name !== "<none>",
    ),
  ).toEqual([]);
  expect(await cli.must(["ps", "-aq"])).toBe("");
  expect(await cli.must(["run", "--rm", "hello"])).toMatch(/^Hello/);
});
