import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runChild } from "../../fixtures/child.ts";
import { type BundlePlan, bundle, copyDeclarations } from "../../toolchain/bundle.ts";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

/** A repository in small: every kind of import that the real one has. */
const SOURCES: Record<string, string> = {
  "runtime/cli/main.ts": `
    import { Command } from "commander";
    import { startWorker } from "../engine/start.ts";
    const program = new Command();
    program.command("work").action(async () => console.log(await startWorker()));
    program.command("later").action(async () => console.log((await import("../engine/later.ts")).later));
    program.command("early").action(() => console.log(globalThis.prestarted));
    program.command("modules").action(() => console.log(process.moduleLoadList.join(" ")));
    program.parseAsync();`,
  "runtime/cli/prestart.ts": `globalThis.prestarted = process.argv[2];`,
  "runtime/engine/index.ts": `
    export { startWorker } from "./start.ts";
    export async function later(): Promise<string> { return (await import("./later.ts")).later; }`,
  "runtime/engine/start.ts": `
    import { Worker } from "node:worker_threads";
    const ENTRY = new URL("../worker/small.worker.ts", import.meta.url);
    export function startWorker(): Promise<string> {
      return new Promise((resolve, reject) => new Worker(ENTRY).on("message", resolve).on("error", reject));
    }`,
  "runtime/engine/later.ts": `export const later: string = "loaded later";`,
  "runtime/worker/small.worker.ts": `
    import { parentPort } from "node:worker_threads";
    import { answer } from "./answer.ts";
    parentPort?.postMessage(answer);`,
  "runtime/worker/answer.ts": `export const answer: string = "from the worker";`,
};

let root: string;
let plan: BundlePlan;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wpod-bundle-"));
  for (const [path, text] of Object.entries(SOURCES)) await write(path, text);
  for (const name of ["launcher.cjs", "worker-launcher.cjs", "code-cache.cjs"]) {
    await cp(join(REPOSITORY, "test/toolchain", name), join(root, name));
  }
  await write("package.json", JSON.stringify({ type: "module" }));
  await symlink(join(REPOSITORY, "node_modules"), join(root, "node_modules"), "junction");
  plan = {
    root,
    outDirectory: join(root, "dist"),
    prestart: "runtime/cli/prestart.ts",
    commandLine: "runtime/cli/main.ts",
    library: "runtime/engine/index.ts",
    workers: "runtime/worker",
    launcher: "launcher.cjs",
    workerLauncher: "worker-launcher.cjs",
    codeCache: "code-cache.cjs",
  };
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

describe("what is bundled runs without the sources and without node_modules", () => {
  let moved: string;
  const env = () => ({ WPOD_CODE_CACHE: join(moved, "code") });

  beforeEach(async () => {
    await bundle(plan);
    moved = await mkdtemp(join(tmpdir(), "wpod-moved-"));
    await cp(plan.outDirectory, join(moved, "dist"), { recursive: true });
  });
  afterEach(async () => {
    await rm(moved, { recursive: true, force: true });
  });

  const commands = [
    { command: "work", prints: "from the worker\n" },
    { command: "later", prints: "loaded later\n" },
    { command: "early", prints: "early\n" },
  ];
  test.each(commands)("command line: $command", async ({ command, prints }) => {
    // Compiled anew, and from what the first start left.
    for (const start of ["first", "second"]) {
      const args = [join(moved, "dist/bin/wpod.js"), command];
      const { exitCode, stdout, stderr } = await runChild(process.execPath, args, { env: env() });
      expect({ start, exitCode, stdout: `${stdout}`, stderr: `${stderr}` }).toEqual({
        start,
        exitCode: 0,
        stdout: prints,
        stderr: "",
      });
    }
  });

  test("library, as a module", async () => {
    const script = `import { startWorker, later } from ${JSON.stringify(join(moved, "dist/engine.mjs"))};
      console.log(await startWorker(), await later());`;
    const { stdout, stderr } = await runChild(process.execPath, ["--input-type=module", "-e", script], {
      env: env(),
    });
    expect(`${stderr}${stdout}`).toBe("from the worker loaded later\n");
  });

  test("commander doesn't bring node:child_process along", async () => {
    const { stdout } = await runChild(process.execPath, [join(moved, "dist/bin/wpod.js"), "modules"], {
      env: env(),
    });
    expect(`${stdout}`).toContain("NativeModule events");
    expect(`${stdout}`).not.toContain("NativeModule child_process");
  });

  test("the licenses of what it took in go with it", async () => {
    const text = await readFile(join(moved, "dist/THIRD-PARTY-LICENSES.txt"), "utf8");
    expect(text).toMatch(/^commander \d+\.\d+\.\d+ \(MIT\)\n\n\(The MIT License\)/);
  });
});

describe("what can't be shipped fails the build, and leaves the old output alone", () => {
  const cases = [
    {
      name: "a package that isn't there",
      path: "runtime/worker/answer.ts",
      text: `import nothing from "not-installed-anywhere"; export const answer = nothing;`,
      message: /not-installed-anywhere/,
    },
    {
      name: "the same, asked for on demand",
      path: "runtime/engine/later.ts",
      text: `export const later = async () => (await import("not-installed-anywhere")).default;`,
      message: /not-installed-anywhere/,
    },
    {
      name: "a name that a module doesn't export",
      path: "runtime/worker/small.worker.ts",
      text: `import { question } from "./answer.ts"; console.log(question);`,
      message: /question/,
    },
    {
      name: "a worker that isn't there",
      path: "runtime/engine/start.ts",
      text: `export const startWorker = () => new URL("../worker/absent.worker.ts", import.meta.url).href;`,
      message: /absent\.worker\.js, which is not built/,
    },
    {
      name: "a require that the bundler can't follow",
      path: "runtime/worker/answer.ts",
      text: `import { createRequire } from "node:module";
        const require = createRequire(import.meta.url);
        export const answer = require("commander").Command.name;`,
      message: /small\.program\.js is not self-contained: it loads commander/,
    },
  ];
  test.each(cases)("$name", async ({ path, text, message }) => {
    await mkdir(plan.outDirectory);
    await writeFile(join(plan.outDirectory, "kept"), "");
    await write(path, text);
    await expect(bundle(plan)).rejects.toThrow(message);
    expect(existsSync(join(plan.outDirectory, "kept"))).toBe(true);
  });
});

describe("declarations", () => {
  const compiled = {
    "types/engine/index.d.ts": `import type { Kind } from "../core/kind.ts";\nexport declare const kind: Kind;\n`,
    "types/core/kind.d.ts": `export type Kind = import("memfs").Volume;\n`,
    "types/core/unrelated.d.ts": `import "vitest";\n`,
  };
  beforeEach(async () => {
    for (const [path, text] of Object.entries(compiled)) await write(path, text);
  });

  test("are those that the entry needs, with imports that every compiler takes", async () => {
    const target = join(root, "out");
    const copied = await copyDeclarations(join(root, "types"), "engine/index.d.ts", target, ["memfs"]);
    expect(copied).toEqual([join("core", "kind.d.ts"), join("engine", "index.d.ts")]);
    expect(await readFile(join(target, "engine/index.d.ts"), "utf8")).toContain(`from "../core/kind.js"`);
    expect(existsSync(join(target, "core/unrelated.d.ts"))).toBe(false);
  });

  test("fail where a user wouldn't have the package, or nothing was compiled", async () => {
    const copy = (packages: string[]) =>
      copyDeclarations(join(root, "types"), "engine/index.d.ts", join(root, "out"), packages);
    await expect(copy([])).rejects.toThrow(
      "core/kind.d.ts needs the types of memfs, which users don't install",
    );
    await rm(join(root, "types/core/kind.d.ts"));
    await expect(copy(["memfs"])).rejects.toThrow(/no declaration core.kind\.d\.ts/);
  });
});
