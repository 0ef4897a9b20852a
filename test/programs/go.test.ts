import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { goProgram } from "../fixtures/programs/go-program.ts";
import { yqModule } from "../fixtures/programs/pinned.ts";
import { need } from "../fixtures/tools.ts";
import { needBoth, type ProgramCase, runUnderBoth } from "../fixtures/two-runtimes.ts";

/** A cold cache has to fetch and build yq: 25 s on two cores. */
const FETCH_TIMEOUT_MS = 600_000;
const SOURCE = fileURLToPath(new URL("../fixtures/programs/sources/walk.go", import.meta.url));

const own = engineForFile();

const WALK: ProgramCase[] = [
  {
    args: ["rewrite", "/data"],
    files: {
      "a.txt": "one\ntwo\n",
      "deep/b.txt": "drei\n".repeat(120),
      "deep/er/c.txt": "",
      "deep/er/image.bin": Buffer.from([0, 255, 254]),
      "empty/of/all/": "",
      "übrig.txt": "ü",
    },
    seen: {
      exitCode: 0,
      stdout: expect.stringContaining("a.TXT 16"),
      files: expect.objectContaining({
        "a.TXT": "  1 one\n  2 two\n",
        "deep/er/c.TXT": "  1 \n",
        "übrig.TXT": "  1 ü\n",
      }),
    },
  },
  {
    args: ["rewrite", "/data"],
    files: Object.fromEntries(
      Array.from({ length: 400 }, (_, number) => [`d${number % 7}/${number}.txt`, `${number}\n`]),
    ),
    seen: { exitCode: 0, stdout: expect.stringContaining("d0/0.TXT 6 ") },
  },
  { args: ["upper"], stdin: "eins\nzwei ü", seen: { exitCode: 0, stdout: "EINS\nZWEI Ü\n" } },
  { args: ["busy"], seen: { exitCode: 0, stdout: expect.stringMatching(/^true\n\[0,1,3,6/) } },
  { args: ["exit", "7"], seen: { exitCode: 7 } },
  {
    args: ["panic"],
    seen: { exitCode: 2, stderr: expect.stringMatching(/^panic: as asked\n\ngoroutine 1/) },
  },
  { args: [], seen: { exitCode: 64, stderr: "what to do?\n" } },
];

describe("a Go program does the same as under wasmtime", () => {
  test.for(WALK)("$args", { timeout: FETCH_TIMEOUT_MS }, async ({ args, seen, ...run }, { skip }) => {
    needBoth(skip);
    const module = await goProgram(need(skip, "go"), SOURCE);
    const program = { image: module, module };
    expect(
      await runUnderBoth(own.engine, program, { ...run, argv: ["/program.wasm", ...args] }),
    ).toMatchObject(seen);
  });
});

test("a Go program finds its own limits as on Linux", { timeout: FETCH_TIMEOUT_MS }, async ({ skip }) => {
  const source = fileURLToPath(new URL("../fixtures/programs/sources/limits.go", import.meta.url));
  const module = await goProgram(need(skip, "go"), source);
  const result = await own.engine.run(module, {
    args: ["memory.max", "cgroup.controllers", "pids.events"],
    limits: { memoryBytesMax: 256 * 1024 * 1024 },
  });
  expect({ exitCode: result.exitCode, stdout: new TextDecoder().decode(result.stdout) }).toEqual({
    exitCode: 0,
    stdout:
      "/sys/fs/cgroup\nmemory.max: 268435456\ncgroup.controllers: cpu io memory pids\npids.events: max 0\ntrue\n",
  });
});

const DOCUMENT = `# kept
name: wpod
ports: [80, 443]
env: &base {A: "1", "ü": yes}
more:
  <<: *base
  list:
    - {id: 2, tag: b}
    - {id: 1, tag: a} # one
---
second: true
`;

const YQ: ProgramCase[] = [
  { args: ["--version"], seen: { exitCode: 0, stdout: expect.stringContaining("v4.53.6") } },
  { args: [".ports[1]"], stdin: DOCUMENT, seen: { exitCode: 0, stdout: "443\n---\nnull\n" } },
  {
    args: [
      "-o=json",
      "-I=0",
      "--yaml-fix-merge-anchor-to-spec",
      "explode(.) | .more.list |= sort_by(.id) | .more",
    ],
    stdin: DOCUMENT.slice(0, DOCUMENT.indexOf("---")),
    seen: { exitCode: 0, stdout: '{"A":"1","ü":"yes","list":[{"id":1,"tag":"a"},{"id":2,"tag":"b"}]}\n' },
  },
  {
    args: ["-i", '.ports += [8080] | .name = "wöd"', "/data/a.yaml"],
    files: { "a.yaml": DOCUMENT.slice(0, DOCUMENT.indexOf("---")) },
    seen: {
      exitCode: 0,
      files: { "a.yaml": expect.stringMatching(/^# kept\nname: wöd\nports: \[80, 443, 8080\]\n/) },
    },
  },
  {
    args: ["eval-all", "select(fi == 0) * select(fi == 1)", "one.yaml", "two.yaml"],
    workdir: "/data",
    files: { "one.yaml": "a: {b: 1, c: 2}\n", "two.yaml": "a: {c: 3}\nd: [x]\n" },
    seen: { exitCode: 0, stdout: "a: {b: 1, c: 3}\nd: [x]\n" },
  },
  {
    args: ["-p=xml", "-o=yaml", "."],
    stdin: '<root id="1"><item>ä</item><item/></root>',
    seen: { exitCode: 0, stdout: expect.stringContaining('+@id: "1"') },
  },
  {
    args: ["."],
    stdin: "a: [1\n",
    seen: { exitCode: 1, stdout: "", stderr: expect.stringMatching(/^Error: bad file '-'/) },
  },
  { args: [".", "/data/none.yaml"], seen: { exitCode: 1, stderr: expect.stringContaining("none.yaml") } },
];

describe("yq does the same as under wasmtime", () => {
  test.for(YQ)("$args", { timeout: FETCH_TIMEOUT_MS }, async ({ args, seen, ...run }, { skip }) => {
    needBoth(skip);
    const module = await yqModule(need(skip, "go"));
    const program = { image: module, module };
    expect(
      await runUnderBoth(own.engine, program, { ...run, argv: ["/program.wasm", ...args] }),
    ).toMatchObject(seen);
  });
});
