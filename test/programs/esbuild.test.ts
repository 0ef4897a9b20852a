import { describe, expect, test } from "vitest";
import { runChild } from "../fixtures/child.ts";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { hostTree } from "../fixtures/host-tree.ts";
import { esbuildImage } from "../fixtures/programs/images.ts";
import { esbuildModule, preactPackage } from "../fixtures/programs/pinned.ts";
import { needBoth, type Program, type ProgramCase, runUnderBoth } from "../fixtures/two-runtimes.ts";

/** A cold cache has to fetch 5 MB and compile 20 MB for wasmtime. */
const FETCH_TIMEOUT_MS = 300_000;

const own = engineForFile();

async function esbuild(): Promise<Program> {
  const shared = { "/data/node_modules/preact": await preactPackage() };
  return { image: await esbuildImage(), module: await esbuildModule(), shared };
}

interface Case extends ProgramCase {
  name: string;
}

/** An application with a real package: what it prints is checked by running the bundle. */
const APPLICATION = {
  "app.jsx": `import { h } from "preact";
import { useState } from "preact/hooks";
import { greeting } from "./lib/greeting.ts";
import data from "./data.json";
export const App = () => { const [count] = useState(data.count); return <p class="a">{greeting} {count}</p>; };
const seen = [];
const walk = (node) => { seen.push(node.type.name ?? node.type); };
walk(<App />);
console.log(greeting, seen.join(), typeof useState, <p id="é">x</p>.props.id);
`,
  "lib/greeting.ts":
    "export const greeting: string = 'grüß ' + dich();\nfunction dich(): string { return 'dich'; }\n",
  "data.json": '{"count": 7}',
  "node_modules/preact/": "",
  "out/": "",
};
const JSX = ["--bundle", "--jsx-factory=h", "--charset=utf8"];
const PRINTED = "grüß dich App function é\n";

const CASES: Case[] = [
  { name: "says its version", args: ["--version"], seen: { exitCode: 0, stdout: "0.27.2\n", stderr: "" } },
  {
    name: "bundles into a file, with a source map",
    args: ["app.jsx", ...JSX, "--minify", "--sourcemap", "--outfile=out/app.js", "--log-level=warning"],
    seen: {
      exitCode: 0,
      stdout: "",
      stderr: "",
      files: expect.objectContaining({
        "out/app.js": expect.stringMatching(/\/\/# sourceMappingURL=app\.js\.map\n$/),
        "out/app.js.map": expect.stringContaining("../node_modules/preact/src/create-element.js"),
      }),
    },
  },
  {
    name: "bundles to stdout",
    args: ["/data/app.jsx", ...JSX, "--format=esm"],
    seen: { exitCode: 0, stdout: expect.stringContaining("grüß"), stderr: "" },
  },
  {
    name: "splits, and names what it writes by content",
    args: [
      "app.jsx",
      "lib/greeting.ts",
      ...JSX,
      "--splitting",
      "--format=esm",
      "--outdir=out/split",
      "--entry-names=[dir]/[name]-[hash]",
      "--log-level=warning",
    ],
    seen: { exitCode: 0, stderr: "" },
  },
  {
    name: "describes what it did in a metafile",
    args: ["app.jsx", ...JSX, "--outfile=out/app.js", "--metafile=out/meta.json", "--log-level=error"],
    seen: {
      exitCode: 0,
      stderr: "",
      files: expect.objectContaining({ "out/meta.json": expect.stringContaining("preact/hooks") }),
    },
  },
  {
    name: "transforms stdin",
    args: ["--loader=ts", "--minify", "--target=es2015"],
    stdin:
      "enum Color { Red, Grün = 'grün' }\nexport const f = async (x: Color): Promise<Color> => x ?? Color.Red;\n",
    seen: { exitCode: 0, stdout: expect.stringContaining("gr\\xFCn"), stderr: "" },
  },
  {
    name: "refuses what doesn't parse, with the place",
    args: ["lib/broken.ts", "--bundle"],
    files: { "lib/broken.ts": "let x: number = 1;\nlet y = (;\n", "node_modules/preact/": "" },
    seen: {
      exitCode: 1,
      stdout: "",
      stderr: expect.stringMatching(/Unexpected ";"[\s\S]*lib\/broken\.ts:2:9/),
    },
  },
  {
    name: "refuses an import that isn't there",
    args: ["a.js", "--bundle", "--outfile=out.js"],
    files: { "a.js": 'import "./b.js"; import "no-such-package";', "node_modules/preact/": "" },
    seen: {
      exitCode: 1,
      stderr: expect.stringMatching(/Could not resolve ".\/b.js"[\s\S]*Could not resolve "no-such-package"/),
    },
  },
];

describe("esbuild does the same as under wasmtime", () => {
  test.for(CASES)(
    "$name",
    { timeout: FETCH_TIMEOUT_MS },
    async ({ name: _, args, seen, ...run }, { skip }) => {
      needBoth(skip);
      const argv = ["/bin/esbuild.wasm", ...args];
      const found = await runUnderBoth(own.engine, await esbuild(), {
        workdir: "/data",
        files: APPLICATION,
        ...run,
        argv,
      });
      expect(found).toMatchObject(seen);
    },
  );
});

test("what it bundled from a real package runs", { timeout: FETCH_TIMEOUT_MS }, async ({ skip }) => {
  needBoth(skip);
  const run = {
    workdir: "/data",
    files: APPLICATION,
    argv: ["/bin/esbuild.wasm", "app.jsx", ...JSX, "--minify", "--keep-names"],
  };
  const { stdout } = await runUnderBoth(own.engine, await esbuild(), run);
  await using bundle = await hostTree({ "bundle.mjs": stdout });
  const printed = await runChild(process.execPath, ["bundle.mjs"], { cwd: bundle.path });
  expect(printed.stdout.toString()).toBe(PRINTED);
});
