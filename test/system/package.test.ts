/** What is published: these files, a command that runs, and types that another project's compiler takes. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mustRun, runChild } from "../fixtures/child.ts";
import { need, tool } from "../fixtures/tools.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const npm = tool("npm");

let project: string;
let packed: string[];

/** A project that has the package as npm would install it, and what it depends on. */
beforeAll(async () => {
  if (npm === undefined) return;
  project = mkdtempSync(join(tmpdir(), "wpod-package-"));
  await mustRun(process.execPath, [join(REPOSITORY, "test/toolchain/build.ts"), "--types"]);
  const { stdout } = await mustRun(
    npm,
    ["pack", "--json", "--ignore-scripts", "--pack-destination", project],
    {
      cwd: REPOSITORY,
    },
  );
  const answer = JSON.parse(`${stdout}`);
  // npm 11 answers a list, npm 12 an object by name.
  const [{ filename, files }] = (Array.isArray(answer) ? answer : Object.values(answer)) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = files.map(({ path }) => path);
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, "wpod"), { recursive: true });
  await mustRun("tar", [
    "-xzf",
    join(project, filename),
    "-C",
    join(modules, "wpod"),
    "--strip-components=1",
  ]);
  for (const name of ["memfs", "@jsonjoy.com", "@types"]) {
    symlinkSync(join(REPOSITORY, "node_modules", name), join(modules, name), "junction");
  }
});
afterAll(() => {
  if (project !== undefined) rmSync(project, { recursive: true, force: true });
});

test("only the bundle, the documents and a header for C are in it", ({ skip }) => {
  need(skip, "npm");
  const others = packed.filter((path) => !path.startsWith("dist/")).sort();
  const documents = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md"];
  expect(others).toEqual([...documents, "package.json", "shim/extension/wpod_tty.h"]);
  expect(packed).toContain("dist/bin/wpod.js");
  expect(packed).toContain("dist/THIRD-PARTY-LICENSES.txt");
  expect(packed.filter((path) => /\.ts$/.test(path) && !path.endsWith(".d.ts"))).toEqual([]);
});

test("the command runs from where npm put it", async ({ skip }) => {
  need(skip, "npm");
  const bin = join(project, "node_modules/wpod/dist/bin/wpod.js");
  const { stdout, stderr } = await runChild(process.execPath, [bin, "--version"]);
  expect(`${stderr}${stdout}`).toMatch(/^wpod version \d+\.\d+\.\d+\n$/);
});

const programs = [
  {
    name: "right use",
    code: `const engine = new Engine({ root: "x" });
      const { exitCode, stdout }: { exitCode: number; stdout: Uint8Array } = await engine.run("hello", { args: ["a"] });
      const container: Container = await engine.create({ wasm: stdout });
      const text: string | Buffer = (await container.files()).readFileSync("/a", "utf8");
      console.log(exitCode, text);`,
    complaint: /^$/,
  },
  {
    name: "an option that isn't there",
    code: `await new Engine().run("hello", { arguments: ["a"] });`,
    complaint: /'arguments' does not exist in type 'RunOptions'/,
  },
];

test.for(programs)(
  "the types, whole, with another project's strict compiler: $name",
  async ({ code, complaint }, { skip }) => {
    need(skip, "npm");
    const options = {
      module: "nodenext",
      target: "es2024",
      strict: true,
      noEmit: true,
      types: ["node"],
      skipLibCheck: true,
    };
    writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions: options, files: ["use.ts"] }),
    );
    writeFileSync(
      join(project, "use.ts"),
      `import { type Container, Engine } from "wpod";\n${code}\nexport type { Container };\n`,
    );
    const compiler = join(REPOSITORY, "node_modules/typescript/bin/tsc");
    const { stdout } = await runChild(process.execPath, [compiler, "--pretty", "false"], { cwd: project });
    expect(`${stdout}`).toMatch(complaint);
  },
);
