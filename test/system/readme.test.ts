/** What README.md shows is what happens: the tour's commands print what stands under them, the library's examples run. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeImage } from "../../samples/make-image.ts";
import { SAMPLES, sampleDirectory } from "../../samples/sample.ts";
import { mustRun, runChild } from "../fixtures/child.ts";
import { need } from "../fixtures/tools.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const WPOD = join(REPOSITORY, "dist", "bin", "wpod.js");
const README = readFileSync(join(REPOSITORY, "README.md"), "utf8");

let directory: string;
let environment: Record<string, string>;

/** A store with the images that `npm start` loads, and a program called wpod. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wpod-readme-"));
  const bin = join(directory, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "wpod"), `#!/bin/sh\nexec '${process.execPath}' '${WPOD}' "$@"\n`, { mode: 0o755 });
  environment = {
    WPOD_ROOT: join(directory, "root"),
    PATH: [bin, dirname(process.execPath), process.env.PATH].join(delimiter),
  };
  for (const name of SAMPLES) {
    await makeImage(name, join(directory, name));
    await mustRun(process.execPath, [WPOD, "load", "-i", join(directory, name)], { env: environment });
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text ?? "");
}

const commands = blocks("console").flatMap((block) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = "", ...output] = part.split("\n");
      return { command, output: output.join("\n") };
    }),
);

describe("the tour", () => {
  test("is there", () => {
    expect(commands.length).toBeGreaterThan(10);
  });

  test.for(commands)("$command", async ({ command, output }, { skip }) => {
    const shell = need(skip, "sh");
    const script = `exec 2>&1\n${command}`;
    const { stdout } = await runChild(shell, ["-c", script], { cwd: REPOSITORY, env: environment });
    expect(`${stdout}`).toMatch(pattern(output));
  });
});

describe("the library's examples", () => {
  const expected = ["0 what is in the file\n\n", "ABORTED\n", "from the guest\n\n", "0 from the second\n\n"];
  const examples = blocks("js").map((code, index) => ({ number: index + 1, code, prints: expected[index] }));

  test("are as many as this test knows the output of", () => {
    expect(examples).toHaveLength(expected.length);
  });

  test.each(examples)(
    "example $number runs in a project that has wpod installed, and ends by itself",
    async ({ code, prints }) => {
      const project = mkdtempSync(join(directory, "project-"));
      mkdirSync(join(project, "node_modules"));
      symlinkSync(REPOSITORY, join(project, "node_modules", "wpod"), "junction");
      cpSync(join(sampleDirectory("files"), "files.wasm"), join(project, "app.wasm"));
      writeFileSync(join(project, "input.txt"), "what is in the file\n");
      writeFileSync(join(project, "example.mjs"), code);
      const { stdout, stderr, exitCode } = await runChild(process.execPath, ["example.mjs"], {
        cwd: project,
      });
      expect({ stdout: `${stdout}`, stderr: stripVTControlCharacters(`${stderr}`), exitCode }).toEqual({
        stdout: prints,
        stderr: "",
        exitCode: 0,
      });
    },
  );
});

/** `…` stands for anything on its line. */
function pattern(text: string): RegExp {
  const escaped = text.split("…").map((part) => part.replace(/[\\^$.+?()[\]{}|*]/g, "\\$&"));
  return new RegExp(`^${escaped.join("[^\\n]*")}$`);
}
